"""The data map's tables and our own, read by statements that share nothing with the sweep's."""

from retention_worker.store.verify import book
from retention_worker.store.verify.book import Counted, ErasedBatch, Periods
from retention_worker.store.verify.looks import Looks
from retention_worker.store.verify.tenants import values_of

__all__ = ["Counted", "ErasedBatch", "Looks", "Periods", "book", "values_of"]
