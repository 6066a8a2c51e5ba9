"""The data map's tables and our own, read by statements that share nothing with the sweep's."""

from retention_worker.store.verify import own_tables
from retention_worker.store.verify.own_tables import Counted, ErasedBatch, Periods
from retention_worker.store.verify.statements import Looks
from retention_worker.store.verify.tenants import values_of

__all__ = ["Counted", "ErasedBatch", "Looks", "Periods", "own_tables", "values_of"]
