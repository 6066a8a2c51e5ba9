"""The worker's role in tests: it may do what the reference data map needs, and nothing else."""

from contextlib import suppress

import psycopg
from psycopg.errors import DuplicateObject, UniqueViolation
from psycopg.sql import SQL, Composed, Identifier

ROLE = "retention_worker"
PASSWORD = "retention_worker"  # of throwaway servers; the embedded one does not even ask for it
SCHEMA = "retention"

_READ = ("accounts", "transactions")
_ERASE = ("face_vectors", "face_templates", "authentication_vectors", "images", "extracted_data")


def create_role(conn: psycopg.Connection) -> None:
    """Create the role where the server has none; other test processes may do so at once."""
    statement = SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(ROLE), PASSWORD)
    with suppress(DuplicateObject, UniqueViolation):
        conn.execute(statement)


def grant_reference(conn: psycopg.Connection) -> None:
    """Grant the role what it needs of the reference schema, and a schema of its own."""
    role, schema = Identifier(ROLE), Identifier(SCHEMA)
    read, erase = _tables(_READ), _tables(_ERASE)
    for statement in (
        SQL("GRANT USAGE ON SCHEMA public TO {role}"),
        SQL("GRANT SELECT ON {read} TO {role}"),
        # FOR UPDATE wants UPDATE on one column.
        SQL("GRANT UPDATE (id) ON public.accounts TO {role}"),
        SQL("GRANT SELECT, DELETE ON {erase} TO {role}"),
        SQL("CREATE SCHEMA {schema} AUTHORIZATION {role}"),
    ):
        conn.execute(statement.format(role=role, schema=schema, read=read, erase=erase))


def _tables(names: tuple[str, ...]) -> Composed:
    return SQL(", ").join(Identifier("public", name) for name in names)
