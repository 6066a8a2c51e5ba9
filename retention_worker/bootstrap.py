"""The only wiring: settings to pool, clocks and the worker that every service takes."""

from __future__ import annotations

from retention_worker import clock
from retention_worker.service.context import Context
from retention_worker.service.remembered import Memory
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Pool, database_now

# Beside one for each stream of the sweep: for the drain, and one beside each for what they ask.
_CONNECTIONS = 3
# Of a process that answers requests: reads are short, and erasures take no more than half of them.
_CONNECTIONS_SERVING = 12


def context_of(settings: WorkerSettings, *, serving: bool = False) -> Context:
    """A worker for these settings; nothing is connected yet.

    Args:
        settings: the operator's.
        serving: it answers requests, many at once, and remembers files between them.

    Raises:
        ConfigurationError: no database is set.
    """
    size = _CONNECTIONS_SERVING if serving else settings.streams + _CONNECTIONS
    return Context(
        settings=settings,
        pool=Pool(settings.dsn(), size=size),
        clock=clock.utc_now,
        database_clock=database_now,
        monotonic=clock.monotonic,
        memory=Memory(settings, clock.monotonic) if serving else None,
    )
