"""The worker's role in tests: it has what `doctor` prints, and nothing else."""

from contextlib import suppress

import psycopg
from psycopg.errors import DuplicateObject, UniqueViolation
from psycopg.sql import SQL, Identifier

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.service.doctor import grants_sql
from retention_worker.store import catalog
from tests.config_folder import SAMPLES

ROLE = "retention_worker"
PASSWORD = "retention_worker"  # of throwaway servers; the embedded one does not even ask for it
SCHEMA = "retention"


def create_role(conn: psycopg.Connection) -> None:
    """Create the role where the server has none; other test processes may do so at once."""
    statement = SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(ROLE), PASSWORD)
    with suppress(DuplicateObject, UniqueViolation):
        conn.execute(statement)


def grant_reference(conn: psycopg.Connection) -> None:
    """Grant the role what the reference data map needs, and a schema of its own."""
    datamap = load_datamap(SAMPLES).datamap
    found = catalog.read(conn, catalog.mapped_tables(datamap))
    conn.execute(grants_sql(datamap, found, SCHEMA, ROLE).encode())
