"""Several replicas at one pace, each a process of its own, and several streams of one worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from uuid import UUID

import structlog

from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bare import CUTOFF, delete_of
from tests.benchmarks.bench import BENCH_SETTINGS, Bench, Ratio
from tests.benchmarks.population import NOW, Size
from tests.database import Database
from tests.worker import MovingClock, open_worker

__all__ = ["rates_of_replicas", "streams"]

_CHUNK = 100


def rates_of_replicas(
    bench: Bench, size: Size, *, counts: tuple[int, ...], seconds: float, rounds: int
) -> dict[int, float]:
    """Rows a second of all replicas together, by how many there are: the median of some rounds."""
    found: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            found[count].append(_rate(bench, size, count, seconds, duty=10))
    return {count: median(rates) for count, rates in found.items()}


def _rate(bench: Bench, size: Size, count: int, seconds: float, duty: int) -> float:
    # Not a fork: what the driver and its threads have open must not be shared.
    context = get_context("spawn")
    over = context.Event()
    with bench.database(size) as database:
        arguments = (database.worker_dsn, bench.config.path, duty, over)
        replicas = [context.Process(target=_replica, args=arguments) for _ in range(count)]
        for each in replicas:
            each.start()
        with database.connect() as conn:

            def erased() -> int:
                row = conn.execute("SELECT COALESCE(sum(accounts), 0) FROM retention.batch")
                return int((row.fetchone() or [0])[0])

            while not erased():
                time.sleep(0.1)
            time.sleep(seconds / 2)  # all have begun, and their first batches are behind them
            before, began = erased(), time.perf_counter()
            time.sleep(seconds)
            rate = (erased() - before) / (time.perf_counter() - began)
        over.set()
        for each in replicas:
            each.join()
    return rate * size.due_rows / size.due


def _replica(dsn: str, config: Path, duty: int, over: Event) -> None:
    """One replica until it is told to stop; batches of one size, whose speed is not compared."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    options = BENCH_SETTINGS | {"duty_cycle_percent": duty, "batch_max_accounts": 20}
    with open_worker(dsn, config, MovingClock(NOW), **options) as worker:
        threading.Thread(target=_stop_with, args=[over, worker.stop], daemon=True).start()
        while not worker.stop.is_set():
            sweep(worker)


def _stop_with(over: Event, stop: threading.Event) -> None:
    over.wait()
    stop.set()


def streams(bench: Bench, size: Size, *, rounds: int) -> tuple[Ratio, Ratio]:
    """The speed of two streams against one, unpaced, interleaved.

    The second ratio is the machine's own: two connections against one that do nothing but delete,
    in chunks, without a worker.
    """
    found, bare = [], []
    for number in range(rounds):
        took, alone = {}, {}
        for count in (1, 2) if number % 2 else (2, 1):
            with (
                bench.database(size) as database,
                bench.worker(database, duty_cycle_percent=100, streams=count) as worker,
                structlog.testing.capture_logs(),
            ):
                began = time.perf_counter()
                report = sweep(worker)
                took[count] = time.perf_counter() - began
            assert sum(sum(lane.rows.values()) for lane in report.lanes) == size.due_rows
            with bench.database(size) as database:
                began = time.perf_counter()
                _chunks(database, count)
                alone[count] = time.perf_counter() - began
        found.append(took[1] / took[2])
        bare.append(alone[1] / alone[2])
    return Ratio.of(found), Ratio.of(bare)


def _chunks(database: Database, connections: int) -> None:
    """Delete all that is due in chunks of a hundred accounts, each connection its share."""
    with database.connect() as conn:
        rows = conn.execute("SELECT id FROM accounts WHERE last_activity_at <= %s", (CUTOFF,))
        ids = [row[0] for row in rows]
    shares = [ids[place::connections] for place in range(connections)]
    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(lambda share: _delete_chunks(database, share), shares))


def _delete_chunks(database: Database, ids: Sequence[UUID]) -> None:
    with database.connect() as conn:
        for start in range(0, len(ids), _CHUNK):
            with conn.transaction():
                delete_of(conn, ids[start : start + _CHUNK])
