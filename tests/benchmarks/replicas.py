"""Several replicas at one pace, and several streams of one worker."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import structlog

from retention_worker.service.sweep import sweep
from retention_worker.service.worker import Worker
from tests.benchmarks.bench import Bench, Ratio
from tests.benchmarks.population import Size

__all__ = ["rates_of_replicas", "streams"]


def rates_of_replicas(
    bench: Bench, size: Size, *, counts: tuple[int, ...], seconds: float, duty: int = 10
) -> dict[int, float]:
    """Rows a second of all replicas together, by how many there are."""
    return {count: _rate(bench, size, count, seconds, duty) for count in counts}


def _rate(bench: Bench, size: Size, count: int, seconds: float, duty: int) -> float:
    with bench.database(size) as database, ExitStack() as stack, structlog.testing.capture_logs():
        workers = [
            stack.enter_context(
                # Batches of one size: their speed is not what is compared.
                bench.worker(database, duty_cycle_percent=duty, batch_max_accounts=20)
            )
            for _ in range(count)
        ]
        threads = [threading.Thread(target=_until_told, args=[each]) for each in workers]
        for thread in threads:
            thread.start()
        with database.connect() as conn:

            def erased() -> int:
                row = conn.execute("SELECT COALESCE(sum(accounts), 0) FROM retention.batch")
                return int((row.fetchone() or [0])[0])

            time.sleep(1.5)  # all have begun
            before, began = erased(), time.perf_counter()
            time.sleep(seconds)
            rate = (erased() - before) / (time.perf_counter() - began)
        for worker in workers:
            worker.stop.set()
        for thread in threads:
            thread.join()
    return rate * size.due_rows / size.due


def _until_told(worker: Worker) -> None:
    while not worker.stop.is_set():
        sweep(worker)


def streams(bench: Bench, size: Size, *, rounds: int) -> Ratio:
    """The speed of two streams against one, unpaced, interleaved."""
    found = []
    for number in range(rounds):
        took = {}
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
        found.append(took[1] / took[2])
    return Ratio.of(found)
