"""A database of one test, and the connections to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from retention_worker.demo import reference_schema
from retention_worker.store.migrations import migrate
from tests.grants import PASSWORD, ROLE, SCHEMA, create_role, grant_reference
from tests.server import Server, rewrite_url

# Names are unique to the process, so that processes may share a given server.
_PREFIX = f"retention_test_{uuid4().hex[:8]}"
_numbers = count()


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database: `dsn` is the superuser's URL, `worker_dsn` the least-privilege role's."""

    name: str
    dsn: str
    worker_dsn: str = field(repr=False)

    def connect(self) -> psycopg.Connection:
        """Open an autocommit connection as superuser; close it, or use it in a `with`."""
        return psycopg.connect(self.dsn, autocommit=True)

    def connect_worker(self) -> psycopg.Connection:
        """Open an autocommit connection as the worker's role."""
        return psycopg.connect(self.worker_dsn, autocommit=True)


@contextmanager
def temporary_database(server: Server, template: str | None = None) -> Iterator[Database]:
    """Create a database, empty or as a copy of `template`, and drop it afterwards."""
    name = f"{_PREFIX}_{next(_numbers)}"
    server.create_database(name, template=template)
    try:
        dsn = server.dsn(name)
        with psycopg.connect(dsn, autocommit=True) as conn:
            # Tests give batches a long deadline, and doctor wants twice that before a deadlock is
            # looked for.
            conn.execute(
                SQL("ALTER DATABASE {} SET deadlock_timeout = '10s'").format(Identifier(name))
            )
            # A test that waits for itself ends, and says where.
            conn.execute(SQL("ALTER DATABASE {} SET lock_timeout = '60s'").format(Identifier(name)))
        worker_dsn = rewrite_url(dsn, user=ROLE, password=PASSWORD)
        yield Database(name=name, dsn=dsn, worker_dsn=worker_dsn)
    finally:
        server.drop_database(name)


def prepare_reference(database: Database) -> None:
    """Make it what a worker finds in production: both schemas, and the role with its grants."""
    with database.connect() as conn:
        create_role(conn)
        conn.execute(reference_schema())
        grant_reference(conn)
    with database.connect_worker() as conn:
        migrate(conn, SCHEMA)
