"""Brings the worker's own schema up to this version."""

from __future__ import annotations

from retention_worker.service.worker import Worker
from retention_worker.store import migrations
from retention_worker.store.pool import refuse_standby

__all__ = ["migrate"]


def migrate(worker: Worker) -> list[str]:
    """Apply what is missing; the names of the files that were applied come back.

    Raises:
        SchemaError: the schema is newer than this version, or a file was changed since.
        GuardRefused: the database is a standby.
    """
    with worker.pool.connection() as conn:
        refuse_standby(conn)
        return migrations.migrate(conn, worker.settings.schema_name)
