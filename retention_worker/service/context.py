"""The worker's parts, as `bootstrap` puts them together and every service takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from retention_worker.clock import Clock, Monotonic
from retention_worker.domain.scope import Scope
from retention_worker.service.pace.server_pressure import ServerWatch
from retention_worker.service.remembered import Memory
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Connection, Pool, reading, writing
from retention_worker.store.connection.session import Deadline, Session
from retention_worker.store.migrations import check

DatabaseClock = Callable[[Connection], datetime]
"""Reads the database's clock: aware UTC. Injected with the worker's, for tests that freeze time."""

# A batch holds an account for a tenth of a second: who waits longer has met something else.
_PATIENCE_MS = 10_000


@dataclass(kw_only=True)
class Context:
    """What services need, and the one step to a transaction.

    `reading`, `writing` and `patient` open it on the connection that is given, and otherwise on
    one of their own, whose database must have the schema of this version.

    `stop` is set when the process should end after the batch in hand. `applied` remembers, by
    tenant, the digest of the policy that this process applied last: an unchanged file that differs
    from what another replica applied since is stale. `memory` belongs to a process that answers
    requests; without one, everything is read anew. `watch` sees how the server is doing;
    `seconds_each` is what an account took last, for the size of a lane's first batch.
    """

    settings: WorkerSettings
    pool: Pool
    clock: Clock
    database_clock: DatabaseClock
    monotonic: Monotonic
    stop: threading.Event = field(default_factory=threading.Event)
    applied: dict[str, str] = field(default_factory=dict)
    memory: Memory | None = None
    watch: ServerWatch = field(default_factory=ServerWatch)
    seconds_each: dict[Scope, float] = field(default_factory=dict)

    def check_schema(self, conn: Connection) -> None:
        """Look at the worker's own schema.

        Raises:
            SchemaError: it is not the one that this version knows.
        """
        if self.memory is not None:
            self.memory.check(conn)
        else:
            check(conn, self.settings.schema_name)

    @contextmanager
    def reading(self, conn: Connection | None = None) -> Iterator[Session]:
        """A READ ONLY transaction whose statements all see one snapshot."""
        with self._connected(conn) as used, reading(used):
            yield Session(used, self.settings.schema_name)

    @contextmanager
    def writing(self, conn: Connection | None = None) -> Iterator[Session]:
        """A transaction that may write, as short as its caller keeps it."""
        with self._connected(conn) as used, writing(used):
            yield Session(used, self.settings.schema_name)

    @contextmanager
    def patient(
        self, conn: Connection | None = None, milliseconds: int = _PATIENCE_MS
    ) -> Iterator[Session]:
        """A transaction that may write, ends in time, and waits for locks until then.

        So a person's command goes, and a batch never.
        """
        with self._connected(conn) as used, writing(used):
            deadline = Deadline(self.monotonic, milliseconds)
            yield Session(used, self.settings.schema_name, deadline, patient=True)

    @contextmanager
    def _connected(self, conn: Connection | None) -> Iterator[Connection]:
        if conn is not None:
            yield conn
            return
        with self.pool.connection() as own:
            self.check_schema(own)
            yield own
