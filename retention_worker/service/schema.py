"""The worker's own schema: brought up to this version, and whether it is."""

from __future__ import annotations

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.errors import ConfigurationError, DriftError
from retention_worker.service.checks.server import DISTRIBUTED
from retention_worker.service.context import Context
from retention_worker.store import migrations
from retention_worker.store.catalog import mapped_tables
from retention_worker.store.connection.pool import Connection, refuse_standby
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.distributed import distributed


def migrate(context: Context) -> list[str]:
    """Apply what is missing; the names of the files that were applied come back.

    Raises:
        SchemaError: the schema is newer than this version, or a file was changed since.
        GuardRefused: the database is a standby.
        DriftError: a table of the data map is distributed.
    """
    with context.pool.connection() as conn:
        refuse_standby(conn)
        _refuse_distributed(context, conn)
        return migrations.migrate(conn, context.settings.schema_name)


def _refuse_distributed(context: Context, conn: Connection) -> None:
    """Where there is a data map by now: nothing is made beside tables that cannot be served."""
    try:
        names = mapped_tables(load_datamap(context.settings.config_dir).datamap)
    except ConfigurationError:
        return  # the schema may come first; every other command says what is wrong with the file
    for name in distributed(Session(conn, context.settings.schema_name), names):
        raise DriftError(f"{name} {DISTRIBUTED}")


def ready(context: Context) -> None:
    """Say nothing where it can.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
        SchemaError: the worker's own schema is missing, older or newer.
    """
    with context.pool.connection() as conn:
        migrations.check(conn, context.settings.schema_name)
