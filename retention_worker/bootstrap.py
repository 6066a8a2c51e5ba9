"""The only wiring: settings to pool, clocks and the worker that every service takes."""

from __future__ import annotations

from retention_worker import clock
from retention_worker.service.worker import Worker
from retention_worker.settings import Settings
from retention_worker.store.pool import Pool, database_now

__all__ = ["worker_of"]


def worker_of(settings: Settings) -> Worker:
    """A worker for these settings; nothing is connected yet.

    Raises:
        ConfigurationError: no database is set.
    """
    return Worker(
        settings=settings,
        # One connection for each stream of the sweep, one beside them for whoever asks meanwhile.
        pool=Pool(settings.dsn(), size=settings.streams + 1),
        clock=clock.utc_now,
        database_clock=database_now,
        monotonic=clock.monotonic,
    )
