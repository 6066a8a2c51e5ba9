"""A worker for tests: real settings, a real pool, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from retention_worker import clock
from retention_worker.service.context import Context
from retention_worker.service.remembered import Memory
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Pool


class MovingClock:
    """Both clocks of a worker: `now` is what they say until the test sets it again."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self, *_: object) -> datetime:
        """The time, for the worker and for the database."""
        return self.now

    def forward(self, **length: float) -> datetime:
        """Move on by a timedelta's arguments."""
        self.now += timedelta(**length)
        return self.now


@contextmanager
def open_worker(
    dsn: str, config: PathLike[str], at: MovingClock, **settings: Any
) -> Iterator[Context]:
    """A worker without pauses, and with a deadline that a busy test machine keeps.

    `serving=True`, beside the settings: it answers requests, so it has more connections and
    remembers files.
    """
    serving = settings.pop("serving", False)
    chosen = {
        "duty_cycle_percent": 100,
        "batch_deadline_ms": 4_000,
        "object_drain": False,  # where objects are not the subject there is no store to ask
    } | settings
    pool = Pool(dsn, size=12 if serving else 1 + int(chosen.get("streams", 1)))
    given = WorkerSettings(
        _env_file=None, database_url=SecretStr(dsn), config_dir=Path(config), **chosen
    )
    try:
        yield Context(
            settings=given,
            pool=pool,
            clock=at,
            database_clock=at,
            monotonic=clock.monotonic,
            memory=Memory(given, clock.monotonic) if serving else None,
        )
    finally:
        pool.close()
