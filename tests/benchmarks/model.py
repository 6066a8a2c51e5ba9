"""How long a sweep takes, predicted from rows due and held against sweeps: by hand, for hours.

`python -m tests.benchmarks.model 100000 1000000 10000000` erases so many credential rows, unpaced
and in the order of time, and prints what the model of docs/scale.md says of each from the first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import structlog

from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bench import Bench, open_bench
from tests.benchmarks.population import Size

# The machine of a database has more than the 128 MB with which PostgreSQL comes.
_SERVER = {"shared_buffers": "4GB", "max_wal_size": "32GB", "wal_buffers": "64MB"}
_ROWS_AN_ACCOUNT = 25


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="+", help="credential rows that are due")
    chosen = sorted(parser.parse_args(arguments).rows)
    rate = None
    print(f"{'rows due':>12}{'seconds':>10}{'rows/s':>10}{'predicted':>11}{'seen/predicted':>16}")
    for rows in chosen:
        with open_bench(quick=True, settings=_SERVER) as bench:
            done, seconds = _sweep(bench, rows)
        rate = rate or done / seconds
        predicted = done / rate
        print(
            f"{done:>12,}{seconds:>10.1f}{done / seconds:>10,.0f}{predicted:>11.1f}"
            f"{seconds / predicted:>16.2f}",
            flush=True,
        )


def _sweep(bench: Bench, rows: int) -> tuple[int, float]:
    """Rows that a sweep erased, half of all that there are, and the seconds that it took."""
    due = rows // _ROWS_AN_ACCOUNT
    size = Size(accounts=2 * due, due=due, tenants=4, scattered=False)
    with (
        bench.database(size) as database,
        # Nothing vacuums meanwhile, and half of the rows die: that is no sign here.
        bench.worker(database, duty_cycle_percent=100, max_dead_percent=0) as worker,
        structlog.testing.capture_logs(),
    ):
        began = time.perf_counter()
        report = sweep(worker)
        seconds = time.perf_counter() - began
    assert report.exit_code == 0, report
    return sum(sum(lane.rows.values()) for lane in report.lanes), seconds


if __name__ == "__main__":
    main()
