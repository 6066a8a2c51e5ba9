"""Brings the worker's own schema up to this version."""

from __future__ import annotations

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.errors import ConfigurationError, DriftError
from retention_worker.service.context import Worker
from retention_worker.service.doctor.server import DISTRIBUTED
from retention_worker.store import migrations
from retention_worker.store.connection.pool import Connection, refuse_standby
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.distributed import distributed
from retention_worker.store.mapsql.catalog import mapped_tables

__all__ = ["migrate"]


def migrate(worker: Worker) -> list[str]:
    """Apply what is missing; the names of the files that were applied come back.

    Raises:
        SchemaError: the schema is newer than this version, or a file was changed since.
        GuardRefused: the database is a standby.
        DriftError: a table of the data map is distributed.
    """
    with worker.pool.connection() as conn:
        refuse_standby(conn)
        _refuse_distributed(worker, conn)
        return migrations.migrate(conn, worker.settings.schema_name)


def _refuse_distributed(worker: Worker, conn: Connection) -> None:
    """Where there is a data map by now: nothing is made beside tables that cannot be served."""
    try:
        names = mapped_tables(load_datamap(worker.settings.config_dir).datamap)
    except ConfigurationError:
        return  # the schema may come first; every other command says what is wrong with the file
    for name in distributed(Session(conn, worker.settings.schema_name), names):
        raise DriftError(f"{name} {DISTRIBUTED}")
