"""Several workers sweep while the application goes on: nothing active is lost, nobody waits."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.engine.scene import APPLICATION_NOW, BUSY_DEADLINE_MS, Scene, prepare_scene
from tests.integration.engine.traffic import Application, LockWatch
from tests.stage import NOW, UNGUARDED
from tests.worker import MovingClock, open_worker

# PostgreSQL has not yet looked for a deadlock on behalf of anybody who waits no longer than this.
LONGEST_WAIT_SECONDS = 1.0
# What the machine that runs the tests may add to a batch's deadline, but for a few times.
SLACK_SECONDS = 0.15
FEW = 0.02


def run(scene: Scene, deadline_ms: int, *, workers: int, threads: int, seconds: float) -> None:
    """Traffic and sweeps at the same time, then all checks."""
    with ExitStack() as stack:
        watch = stack.enter_context(LockWatch(scene.database.dsn))
        holder = stack.enter_context(
            open_worker(scene.database.worker_dsn, scene.config, MovingClock(NOW), **UNGUARDED)
        )
        sweepers = [
            scene.sweeper(batch_deadline_ms=deadline_ms, batch_max_accounts=8)
            for _ in range(workers)
        ]
        for each in sweepers:
            stack.enter_context(each)
        for each in sweepers:
            each.wait_until_busy()
        applications = [
            stack.enter_context(
                Application(
                    scene.database.dsn,
                    scene.people,
                    now=APPLICATION_NOW,
                    seed=number,
                    worker=holder if number == 0 else None,
                )
            )
            for number in range(threads)
        ]
        time.sleep(seconds)
    records = [each.record for each in applications]
    assert [error for record in records for error in record.errors] == []
    _check_waits(scene, watch, deadline_ms / 1000)
    _check_was_worth_it(scene, sum(record.touches for record in records))
    scene.end(records)


def _check_waits(scene: Scene, watch: LockWatch, deadline: float) -> None:
    """The application waited for the worker seldom and shortly, and never in a deadlock."""
    with scene.database.connect() as conn:
        row = conn.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row == (0,)
    waits = sorted(watch.waits)
    assert watch.samples > 20
    assert max(waits, default=0) < LONGEST_WAIT_SECONDS
    assert sum(wait > deadline + SLACK_SECONDS for wait in waits) <= watch.samples * FEW
    print(f"{watch.samples} samples, {len(waits)} of them waits, the longest {waits[-1:]} s")


def _check_was_worth_it(scene: Scene, touches: int) -> None:
    """Both sides did something: touches, and erasures in several batches during the traffic."""
    with scene.database.connect() as conn:
        row = conn.execute("SELECT count(*), sum(accounts) FROM retention.batch").fetchone()
    assert row is not None
    print(f"{touches} touches, {row[0]} batches, {row[1]} accounts erased under traffic")
    assert touches > 100
    assert row[0] > 10
    assert row[1] > 50


def test_two_workers_under_traffic(
    database: Database, config_dir: ConfigFolder, tmp_path: Path
) -> None:
    """Seconds of it, in every run of the suite."""
    scene = prepare_scene(database, config_dir, tmp_path / "log", away=200)
    run(scene, BUSY_DEADLINE_MS, workers=2, threads=4, seconds=5)


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_under_long_traffic(
    database: Database, config_dir: ConfigFolder, tmp_path: Path, workers: int
) -> None:
    """A minute of it, with one to four workers and the deadline that is the default."""
    scene = prepare_scene(database, config_dir, tmp_path / "log", away=2000)
    run(scene, 100, workers=workers, threads=6, seconds=60)
