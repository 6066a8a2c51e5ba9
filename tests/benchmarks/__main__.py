"""The worker beside its alternatives, in one run: `python -m tests.benchmarks [--quick]`.

Ratios are of interleaved runs on the same rows on one server; absolute figures are this machine's.
pt-archiver itself speaks to MySQL alone, so its way of working is rebuilt from its documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from tests.benchmarks.bench import Bench, Ratio, open_bench
from tests.benchmarks.buffers import buffers_of_one
from tests.benchmarks.foreground import foreground
from tests.benchmarks.idle import idle_seconds
from tests.benchmarks.memory import peaks_mb
from tests.benchmarks.plot import draw
from tests.benchmarks.population import Size
from tests.benchmarks.race import BRIEF, FAIR, PLAIN, WORKER, Race, race
from tests.benchmarks.replicas import rates_of_replicas, streams


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure: what is to be reached, what was seen, and whether that is enough."""

    name: str
    reach: str
    seen: str
    value: float
    holds: bool

    @classmethod
    def at_least(cls, name: str, least: float, seen: Ratio) -> Figure:
        """A ratio that should be large."""
        return cls(
            name=name,
            reach=f">= {least}",
            seen=str(seen),
            value=seen.median,
            holds=seen.median >= least,
        )

    @classmethod
    def at_most(cls, name: str, most: float, seen: Ratio | float) -> Figure:
        """A ratio or a number that should be small."""
        value = seen.median if isinstance(seen, Ratio) else seen
        text = str(seen) if isinstance(seen, Ratio) else f"{seen:.2f}"
        return cls(name=name, reach=f"<= {most}", seen=text, value=value, holds=value <= most)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes, and noisier")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plot", type=Path, help="draw the contenders' speed to this file (SVG)")
    chosen = parser.parse_args(arguments)
    with open_bench(quick=chosen.quick) as bench:
        major, minor = bench.server.version
        machine = (
            f"PostgreSQL {major}.{minor}, Python {platform.python_version()}, "
            f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, fsync on"
        )
        print(machine, flush=True)
        ran = race(bench, _size(bench), 2 if chosen.quick else 5)
        _table(ran)
        figures = []
        for figure in chain(_of_race(ran), _in_order(bench), _others(bench), _costs(bench)):
            _say(figure)
            figures.append(figure)
    speeds = {name: Ratio.of([run.rate for run in runs]) for name, runs in ran.runs.items()}
    if chosen.json:
        found = {
            "machine": machine,
            "rows_per_second": {name: asdict(speed) for name, speed in speeds.items()},
            "figures": [asdict(figure) for figure in figures],
        }
        chosen.json.write_text(json.dumps(found, indent=2), "utf-8")
    if chosen.plot:
        chosen.plot.write_text(draw({n: s.median for n, s in speeds.items()}, machine), "utf-8")


def _size(bench: Bench, *, scattered: bool = True) -> Size:
    due = 1_500 if bench.quick else 6_000
    return Size(accounts=5 * due, due=due, scattered=scattered)


def _table(ran: Race) -> None:
    print(f"\n{'contender':22}{'rows/s':>10}{'of fair giant':>32}{'WAL/row':>9}{'blocks/row':>12}")
    for name, runs in ran.runs.items():
        middle = sorted(runs, key=lambda run: run.rate)[len(runs) // 2]
        print(
            f"{name:22}{middle.rate:>10.0f}{ran.rate(name, FAIR)!s:>32}"
            f"{middle.wal / middle.rows:>9.0f}{middle.blocks / middle.rows:>12.2f}"
        )
    print(f"\n{'figure':58}{'reach':>9}  seen")


def _say(figure: Figure) -> None:
    mark = "" if figure.holds else "  MISSED"
    print(f"{figure.name:58}{figure.reach:>9}  {figure.seen}{mark}", flush=True)


def _of_race(ran: Race) -> Iterator[Figure]:
    batches = ran.batches()
    yield Figure.at_least("speed, of the fair giant DELETE", 0.8, ran.rate(WORKER, FAIR))
    yield Figure.at_least("the same, with batches of 10 ms", 0.8, ran.rate(BRIEF, FAIR))
    yield Figure.at_least("speed, of the plain giant DELETE", 0.5, ran.rate(WORKER, PLAIN))
    for name, least in (("pt-archiver-like", 5), ("pt-archiver, bulk", 5), ("row at a time", 20)):
        yield Figure.at_least(f"speed, of {name}", least, ran.rate(WORKER, name))
    yield Figure.at_most("WAL per row, of the fair giant", 1.2, ran.wal(WORKER, FAIR))
    yield Figure.at_most("blocks per row, of the plain giant", 1.3, ran.blocks(WORKER, PLAIN))
    yield Figure.at_most("batch p99 unpaced, ms", 100, batches[int(len(batches) * 0.99)])
    batches = ran.batches(BRIEF)
    yield Figure.at_most("the same, with batches of 10 ms", 100, batches[int(len(batches) * 0.99)])


def _in_order(bench: Bench) -> Iterator[Figure]:
    """What the order on disk is worth: rows that are due together lie together."""
    size, contenders = _size(bench, scattered=False), (FAIR, PLAIN, WORKER, BRIEF)
    ran = race(bench, size, 2 if bench.quick else 5, contenders)
    yield Figure.at_least("in the order of time: speed, of fair", 0.8, ran.rate(WORKER, FAIR))
    yield Figure.at_least("the same, with batches of 10 ms", 0.8, ran.rate(BRIEF, FAIR))
    yield Figure.at_least("in the order of time: of plain", 0.5, ran.rate(WORKER, PLAIN))
    yield Figure.at_most("in the order of time: blocks, of plain", 1.3, ran.blocks(WORKER, PLAIN))


def _others(bench: Bench) -> Iterator[Figure]:
    quick = bench.quick
    several = Size(accounts=24_000, due=4_800, tenants=4)
    two, machine = streams(bench, several, rounds=2 if quick else 5)
    yield Figure.at_least(f"two streams, of one (bare deletes {machine.median:.2f})", 1.4, two)
    counts = (1, 4) if quick else (1, 2, 4, 8)
    # Fewer are due than what makes dead rows a sign, and more than are erased meanwhile.
    spread = Size(accounts=90_000, due=12_000, tenants=8, transactions=1)
    rates = rates_of_replicas(
        bench, spread, counts=counts, seconds=6 if quick else 12, rounds=1 if quick else 3
    )
    off = max(abs(rate / rates[1] - 1) for rate in rates.values())
    shown = ", ".join(f"{count}: {rate:.0f}/s" for count, rate in rates.items())
    yield Figure.at_most(f"replicas, total off that of one ({shown})", 0.05, off)
    load = foreground(
        bench,
        Size(accounts=20_000, due=6_000),
        pairs=3 if quick else 7,
        controls=1 if quick else 3,
        seconds=4 if quick else 8,
    )
    yield Figure.at_most("application's p99 beside the worker", 1.3, load.worker)
    yield Figure.at_least("control: its p99 beside the fair giant", 5, load.giant)
    yield Figure.at_most("application's longest wait for the worker, ms", 100, load.longest_wait_ms)
    yield Figure.at_most("deadlocks", 0, float(load.deadlocks))
    p99 = load.batches_ms[int(len(load.batches_ms) * 0.99)]
    yield Figure.at_most("batch p99 at the default pace, ms", 100, p99)
    tenants = 1_000 if quick else 10_000
    for accounts in (2 * tenants, 20 * tenants):
        seconds = idle_seconds(bench, tenants=tenants, accounts=accounts)
        name = f"idle sweep, {tenants} tenants, {accounts} accounts, s"
        yield Figure.at_most(name, 2.0, seconds[len(seconds) // 2])


def _costs(bench: Bench) -> Iterator[Figure]:
    small, large = (10_000, 100_000) if bench.quick else (100_000, 1_000_000)
    few, many = buffers_of_one(bench, small), buffers_of_one(bench, large)
    name = f"buffers to find and lock one of {large:,} (of {small:,}: {few})"
    yield Figure.at_most(name, 12, many)
    yield Figure.at_most("the same, of that in the smaller table", 1.2, many / few)
    small, large = (10_000, 50_000) if bench.quick else (10_000, 1_000_000)
    peaks = peaks_mb(bench, (small, large))
    name = f"memory with {large:,} due, MB more than with {small:,} ({peaks[small]:.0f} MB)"
    yield Figure.at_most(name, 20, peaks[large] - peaks[small])


if __name__ == "__main__":
    _began = time.monotonic()
    main()
    print(f"\n{time.monotonic() - _began:.0f} s")
