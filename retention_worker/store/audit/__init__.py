"""An audit of the data map's tables that shares no statement with the sweep: for `verify`."""

from retention_worker.store.audit.looks import Looks

__all__ = ["Looks"]
