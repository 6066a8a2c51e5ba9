"""Connections: opened with patience, autocommit, each transaction with the same settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import PipelineStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from retention_worker.domain.errors import ConfigurationError, DatabaseUnavailable, GuardRefused
from retention_worker.store.connection.failures import translated

Connection = psycopg.Connection
# The first connection of a command: long enough for a slow network, short for a person.
_PATIENCE_SECONDS = 10.0

# Nothing is prepared because it was run often.
_ONLY_WHEN_ASKED = sys.maxsize

# What a database or a role may have set otherwise and would change what a statement means.
_SETTINGS = (
    ("row_security", "off"),  # an error instead of rows that vanish in silence
    ("timezone", "UTC"),
    ("datestyle", "ISO, YMD"),
    ("synchronous_commit", "on"),  # an acknowledged erasure survives a crash
    ("plan_cache_mode", "force_custom_plan"),  # generic plans lose partial indexes
    ("enable_seqscan", "off"),  # an index where there is one, whatever the statistics say
    ("jit", "off"),
)
_PROLOGUE = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _SETTINGS
)
# A report or a plan may read long, but never hold a snapshot for an hour.
_READ_PROLOGUE = f"{_PROLOGUE}, set_config('statement_timeout', '120s', true)"


class Pool:
    """A pool of autocommit connections, so that `conn.transaction()` is a real transaction.

    Raises:
        ConfigurationError: the address is none of PostgreSQL's.
    """

    def __init__(self, dsn: str, *, size: int = 2) -> None:
        _require_conninfo(dsn)
        self._pool = ConnectionPool(
            dsn,
            min_size=0,
            max_size=size,
            open=False,
            kwargs={
                "autocommit": True,
                "prepare_threshold": None,
                "application_name": "retention-worker",
            },
            configure=_configure,
            # As long as somebody waits for it: a server that restarts is back within seconds.
            reconnect_timeout=_PATIENCE_SECONDS,
            check=ConnectionPool.check_connection,
        )
        self._dsn = dsn

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection.

        Raises:
            DatabaseUnavailable: none could be had; the message has no password.
        """
        if self._pool.closed:
            self._pool.open()
        try:
            self._probe()
            with self._pool.connection(timeout=_PATIENCE_SECONDS) as conn, translated():
                yield conn
        except PoolTimeout as exc:
            raise DatabaseUnavailable(
                "the database cannot be reached: no connection in time"
            ) from exc

    def _probe(self) -> None:
        """Fail with the server's own words: a pool only says that it timed out."""
        if self._pool.get_stats().get("pool_size", 0) > 0:
            return
        with translated():
            psycopg.connect(self._dsn, connect_timeout=int(_PATIENCE_SECONDS)).close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _require_conninfo(dsn: str) -> None:
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # The driver's message quotes the address, and with it the password.
        raise ConfigurationError(
            "RETENTION_DATABASE_URL is no address of PostgreSQL: "
            "write postgresql://user@host/database"
        ) from None


def _configure(conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.READ_COMMITTED
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    # A pooler makes up the number that the client is told.
    if row[0] == conn.info.backend_pid:
        conn.prepare_threshold = _ONLY_WHEN_ASKED


@contextmanager
def writing(conn: Connection) -> Iterator[None]:
    """A transaction that may write, READ COMMITTED whatever the database's default."""
    with translated(), conn.transaction():
        conn.execute(_PROLOGUE)
        yield


@contextmanager
def trying(conn: Connection) -> Iterator[None]:
    """A transaction that may write and is taken back, whatever comes of it."""
    with translated(), conn.transaction(force_rollback=True):
        conn.execute(_PROLOGUE)
        yield


@contextmanager
def batching(conn: Connection) -> Iterator[None]:
    """A transaction of a batch: statements share round trips until an answer is asked for."""
    with translated(), conn.pipeline() as pipeline, conn.transaction():
        conn.execute(_PROLOGUE, prepare=keeps_plans(conn))
        yield
        # What failed must be known before COMMIT is sent: it would end nothing.
        pipeline.sync()


def is_batching(conn: Connection) -> bool:
    """Whether statements are queued, and not waited for one by one."""
    return conn.pgconn.pipeline_status != PipelineStatus.OFF


def settle(conn: Connection) -> None:
    """Wait for everything that was sent."""
    with translated(), conn.pipeline():  # it waits at its beginning or at its end
        pass


def keeps_plans(conn: Connection) -> bool:
    """Whether statements may be prepared on the connection, which halves what a batch takes.

    Only where the server itself is at the other end. Behind a pooler that hands its sessions from
    one client to the next, a name may stand for another client's statement.
    """
    return conn.prepare_threshold is not None


@contextmanager
def reading(conn: Connection) -> Iterator[None]:
    """A READ ONLY transaction whose statements all see one snapshot."""
    with translated():
        conn.read_only, conn.isolation_level = True, IsolationLevel.REPEATABLE_READ
        try:
            with conn.transaction():
                conn.execute(_READ_PROLOGUE)
                yield
        finally:
            if not conn.closed:
                conn.read_only, conn.isolation_level = None, IsolationLevel.READ_COMMITTED


def database_now(conn: Connection) -> datetime:
    """The database's clock, aware, UTC."""
    row = conn.execute(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    ).fetchone()
    assert row is not None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row[0])


def refuse_standby(conn: Connection) -> None:
    """Raises GuardRefused on a standby, which can't erase."""
    row = conn.execute("SELECT pg_is_in_recovery()").fetchone()
    if row is not None and row[0]:
        raise GuardRefused("the database is a standby: write the primary's address")
