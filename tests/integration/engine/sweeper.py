"""A worker in a process of its own, that sweeps again and again until it is killed or told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from pydantic import SecretStr

from retention_worker import clock
from retention_worker.domain.errors import DatabaseUnavailable
from retention_worker.domain.lane.lane import StopReason
from retention_worker.service.context import Context
from retention_worker.service.sweep.sweep import sweep
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Pool
from tests.config_folder import REPOSITORY


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a sweeper is told: `start` is its time at the wall clock's `epoch`."""

    dsn: str
    config: str
    start: str
    epoch: float
    settings: dict[str, Any] = field(default_factory=dict)


class FastClock:
    """A second lasts a minute, so that what is to be tried again soon is tried in the test."""

    FACTOR = 60

    def __init__(self, start: datetime, epoch: float) -> None:
        self._start, self._epoch = start, epoch

    def __call__(self, *_: object) -> datetime:
        """The time."""
        passed = clock.utc_now().timestamp() - self._epoch
        return self._start + timedelta(seconds=passed * self.FACTOR)


class Sweeper:
    """The process; closing it lets it end its sweep, killing it does not.

    Raises:
        AssertionError: on closing, where it ended by an error of its own.
    """

    def __init__(self, order: Order, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.engine.sweeper", json.dumps(asdict(order))],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self.log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self.kill()
            return
        self.close()

    def wait_until_busy(self) -> None:
        """Wait for its first batch, or its first sweep without one."""
        assert self._process.stdout is not None
        assert self._process.stdout.read(1), self.log.read_text("utf-8")[-3000:]

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._wait()

    def close(self) -> None:
        """Ask it to end, and wait for that."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        code = self._wait()
        assert code == 0, self.log.read_text("utf-8")[-3000:]

    def _wait(self) -> int:
        code = self._process.wait(60)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._log.close()
        return code


def main(order: Order) -> None:
    """Sweep until standard input ends."""
    # Standard output is a pipe of which one byte is read.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    at = FastClock(datetime.fromisoformat(order.start), order.epoch)
    pool = Pool(order.dsn)
    worker = Context(
        settings=WorkerSettings(
            _env_file=None,
            database_url=SecretStr(order.dsn),
            config_dir=Path(order.config),
            **order.settings,
        ),
        pool=pool,
        clock=at,
        database_clock=at,
        monotonic=clock.monotonic,
    )
    threading.Thread(target=_listen, args=[worker.stop], daemon=True).start()
    while not worker.stop.wait(0.02):
        try:
            report = sweep(worker, progress=_say)
            if all(each.stop_reason is not StopReason.BUSY for each in report.lanes):
                _say()  # there was nothing to do
        except DatabaseUnavailable:
            worker.stop.wait(0.1)
    pool.close()


def _listen(stop: threading.Event) -> None:
    """Have the worker stop after the batch in hand, as a signal does."""
    sys.stdin.buffer.read()
    stop.set()


def _say(*_: object) -> None:
    """Tell that something was done, once: nobody reads on, and a pipe that is full stops us."""
    global _said  # noqa: PLW0603 - of this process
    if not _said:
        _said = True
        os.write(1, b".")


_said = False


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
