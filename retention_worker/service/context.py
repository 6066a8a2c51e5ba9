"""The worker's parts, as `bootstrap` puts them together and every service takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from retention_worker.clock import Clock, Monotonic
from retention_worker.domain.scope import Scope
from retention_worker.service.pace.server_pressure import ServerWatch
from retention_worker.service.remembered import Memory
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Connection, Pool

DatabaseClock = Callable[[Connection], datetime]
"""Reads the database's clock: aware UTC. Injected with the worker's, for tests that freeze time."""


@dataclass(kw_only=True)
class Context:
    """What services need.

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
