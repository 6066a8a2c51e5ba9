"""Whether the process can answer: the database is reached and the schema is the one it knows."""

from __future__ import annotations

from retention_worker.service.context import Worker
from retention_worker.store.migrations import check

__all__ = ["ready"]


def ready(worker: Worker) -> None:
    """Say nothing where it can.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
        SchemaError: the worker's own schema is missing, older or newer.
    """
    with worker.pool.connection() as conn:
        check(conn, worker.settings.schema_name)
