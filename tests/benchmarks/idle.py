"""A sweep with nothing to do: ten thousand tenants, in a process that has swept before."""

from __future__ import annotations

import time

import structlog

from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bench import Bench
from tests.benchmarks.population import NOW, Size

__all__ = ["idle_seconds"]

_RUNS = 5


def idle_seconds(bench: Bench, *, tenants: int, accounts: int) -> list[float]:
    """How long warm sweeps take, in order, the shortest first."""
    size = Size(accounts=accounts, due=0, transactions=1, tenants=tenants)
    found = []
    with (
        bench.database(size) as database,
        bench.worker(database, guard_percent=5) as worker,
        structlog.testing.capture_logs(),
    ):
        clock = worker.clock
        assert hasattr(clock, "now")
        for number in range(_RUNS + 2):
            clock.now = NOW.replace(minute=5 * number)
            began = time.perf_counter()
            sweep(worker)
            found.append(time.perf_counter() - began)
    return sorted(found[2:])  # the first makes the lanes' rows and applies ten thousand policies
