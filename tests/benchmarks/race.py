"""The race: every contender erases the same rows, one after the other, again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psycopg
import structlog

from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bare import BARE, Contender
from tests.benchmarks.bench import Bench, Ratio
from tests.benchmarks.population import NOW, Size
from tests.database import Database

__all__ = ["BRIEF", "FAIR", "PLAIN", "WORKER", "Race", "Run", "race"]

WORKER, BRIEF = "the worker", "the worker, 10 ms"
# What a batch of the second may take: as beside an application, and not as where nobody is spared.
_BRIEF_MS = 10
FAIR, PLAIN = "fair giant", "giant DELETE"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One contender once: rows, seconds, bytes of WAL, blocks that were touched, batches in ms."""

    rows: int
    seconds: float
    wal: int
    blocks: int
    batches: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


@dataclass(kw_only=True)
class Race:
    """The runs of each contender, by round."""

    size: Size
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def rate(self, name: str, against: str) -> Ratio:
        """Rows a second against another's in the same round."""
        return self._ratio(name, against, lambda run: run.rate)

    def wal(self, name: str, against: str) -> Ratio:
        """Bytes of WAL a row against another's."""
        return self._ratio(name, against, lambda run: run.wal / run.rows)

    def blocks(self, name: str, against: str) -> Ratio:
        """Blocks touched a row against another's."""
        return self._ratio(name, against, lambda run: run.blocks / run.rows)

    def _ratio(self, name: str, against: str, of: object) -> Ratio:
        assert callable(of)
        return Ratio.of(
            [
                of(mine) / of(theirs)
                for mine, theirs in zip(self.runs[name], self.runs[against], strict=True)
            ]
        )

    def batches(self, name: str = WORKER) -> list[float]:
        """How long the worker's batches took, in milliseconds."""
        return sorted(each for run in self.runs[name] for each in run.batches)


def race(bench: Bench, size: Size, rounds: int, only: tuple[str, ...] = ()) -> Race:
    """Run all contenders `rounds` times, each on a copy of its own, in turning order."""
    found = Race(size=size)
    names = [name for name in (*BARE, WORKER, BRIEF) if not only or name in only]
    for number in range(rounds):
        turn = names[number % len(names) :] + names[: number % len(names)]
        for name in turn:
            with bench.database(size) as database:
                run = _run(bench, database, name)
            if name != "row at a time":
                assert run.rows == size.due_rows, (name, run.rows, size.due_rows)
            found.runs.setdefault(name, []).append(run)
    return found


def _run(bench: Bench, database: Database, name: str) -> Run:
    if name in BARE:
        return _bare(database, BARE[name])
    return _worker(bench, database, batch_target_ms=_BRIEF_MS if name == BRIEF else None)


def _bare(database: Database, contender: Contender) -> Run:
    with database.connect() as watcher, database.connect() as conn:
        before = figures(watcher)
        began = time.perf_counter()
        rows = contender(conn)
        seconds = time.perf_counter() - began
        _flush(conn)
        after = figures(watcher)
    return Run(rows=rows, seconds=seconds, wal=after[0] - before[0], blocks=after[1] - before[1])


def _worker(bench: Bench, database: Database, *, batch_target_ms: int | None) -> Run:
    with (
        database.connect() as watcher,
        bench.worker(database, duty_cycle_percent=100, batch_target_ms=batch_target_ms) as worker,
        structlog.testing.capture_logs() as logs,
    ):
        clock = worker.clock
        assert hasattr(clock, "now")
        # A warm process, as `run` is: it swept when nothing was due yet.
        clock.now = NOW.replace(year=NOW.year - 2)
        sweep(worker)
        clock.now = NOW
        before = figures(watcher)
        began = time.perf_counter()
        report = sweep(worker)
        seconds = time.perf_counter() - began
        with worker.pool.connection() as conn:
            _flush(conn)
        after = figures(watcher)
    assert report.exit_code == 0, report
    return Run(
        rows=sum(sum(lane.rows.values()) for lane in report.lanes),
        seconds=seconds,
        wal=after[0] - before[0],
        blocks=after[1] - before[1],
        batches=tuple(e["milliseconds"] for e in logs if e["event"] == "batch_committed"),
    )


def _flush(conn: psycopg.Connection) -> None:
    """Sessions report what they touched now and then; this one now."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.execute("SELECT 1")


def figures(conn: psycopg.Connection) -> tuple[int, int]:
    """Bytes of WAL so far, and blocks touched in this database."""
    row = conn.execute(
        "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, blks_hit + blks_read "
        "FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
