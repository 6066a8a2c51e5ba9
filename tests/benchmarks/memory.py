"""The worker's memory: its peak in a process of its own, by how many accounts are due."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bench import BENCH_SETTINGS, Bench
from tests.benchmarks.population import CUTOFF_DAYS, NOW, Size, fill_small
from tests.database import prepare_reference, temporary_database
from tests.worker import MovingClock, open_worker

__all__ = ["peaks_mb"]


def peaks_mb(bench: Bench, sizes: tuple[int, ...]) -> Mapping[int, float]:
    """Megabytes at the peak of one sweep that erases so many accounts."""
    return {due: _peak(bench, due) for due in sizes}


def _peak(bench: Bench, due: int) -> float:
    # Not a fork: the peak of a fork begins with that of its parent.
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    with temporary_database(bench.server) as database:
        prepare_reference(database)
        with database.connect() as conn:
            fill_small(conn, Size(accounts=due, due=due))
        bench.config.write_policy("t0", all_credentials=f"{CUTOFF_DAYS} days")
        arguments = (database.worker_dsn, bench.config.path, due, theirs)
        process = context.Process(target=_sweep, args=arguments)
        process.start()
        peak: float = mine.recv()
        process.join()
    return peak


def _sweep(dsn: str, config: Path, due: int, answer: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    options = BENCH_SETTINGS | {"duty_cycle_percent": 100, "max_dead_percent": 0}
    with open_worker(dsn, config, MovingClock(NOW), **options) as worker:
        report = sweep(worker)
    assert sum(lane.accounts for lane in report.lanes) == due
    answer.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
