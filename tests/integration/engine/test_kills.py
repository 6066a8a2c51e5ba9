"""kill -9 of workers and of PostgreSQL, again and again, while the application goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from retention_worker.embedded import EmbeddedServer
from tests.config_folder import ConfigFolder
from tests.database import Database, prepare_reference, temporary_database
from tests.integration.engine import audit
from tests.integration.engine.scene import APPLICATION_NOW, Scene, prepare_scene
from tests.integration.engine.traffic import Application


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that a test may kill."""
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def own_database(own_server: EmbeddedServer) -> Iterator[Database]:
    """Both schemas on it."""
    with temporary_database(own_server) as database:
        prepare_reference(database)
        yield database


def start_traffic(
    stack: ExitStack, scene: Scene, threads: int, *, patient: bool
) -> list[Application]:
    """The application's threads, ended with the stack."""
    return [
        stack.enter_context(
            Application(
                scene.database.dsn, scene.people, now=APPLICATION_NOW, seed=seed, patient=patient
            )
        )
        for seed in range(threads)
    ]


def check_now(scene: Scene, applications: list[Application]) -> int:
    """The invariants, in the middle of everything; how many batches there are."""
    merges = [merge for each in applications for merge in each.record.merges]
    with scene.database.connect() as conn:
        audit.check_committed(conn, merges)
        row = conn.execute("SELECT count(*) FROM retention.batch").fetchone()
    assert row is not None
    return int(row[0])


def kill_workers(scene: Scene, *, kills: int, threads: int, workers: int) -> None:
    """Kill one worker after the other at moments that nobody chose."""
    random = Random(kills)
    with ExitStack() as stack:
        applications = start_traffic(stack, scene, threads, patient=False)
        running = [scene.sweeper(batch_max_accounts=4) for _ in range(workers)]
        for _ in range(kills):
            victim = running.pop(0)
            victim.wait_until_busy()
            time.sleep(random.uniform(0, 0.4))
            victim.kill()
            running.append(scene.sweeper(batch_max_accounts=4))
        for each in running:
            each.kill()
    records = [each.record for each in applications]
    assert [error for record in records for error in record.errors] == []
    assert check_now(scene, applications) > kills
    scene.end(records)


def kill_servers(scene: Scene, server: EmbeddedServer, *, kills: int, threads: int) -> None:
    """Kill PostgreSQL and start it again; workers and application find their way back."""
    random = Random(kills)
    with ExitStack() as stack:
        applications = start_traffic(stack, scene, threads, patient=True)
        sweepers = [stack.enter_context(scene.sweeper(batch_max_accounts=4)) for _ in range(2)]
        for each in sweepers:
            each.wait_until_busy()
        batches = [0]
        for _ in range(kills):
            time.sleep(random.uniform(0.2, 1.2))
            server.kill()
            server.start()
            batches.append(check_now(scene, applications))
        time.sleep(1)
    assert batches[-1] > batches[0]
    records = [each.record for each in applications]
    assert [error for record in records for error in record.errors] == []
    assert sum(record.disconnected for record in records) >= kills
    scene.end(records)


def test_workers_are_killed(database: Database, config_dir: ConfigFolder, tmp_path: Path) -> None:
    """A few kills, in every run of the suite."""
    scene = prepare_scene(database, config_dir, tmp_path / "log", away=200)
    kill_workers(scene, kills=3, threads=2, workers=2)


def test_postgresql_is_killed(
    own_server: EmbeddedServer, own_database: Database, config_dir: ConfigFolder, tmp_path: Path
) -> None:
    """Two crashes, in every run of the suite."""
    scene = prepare_scene(own_database, config_dir, tmp_path / "log", away=200)
    kill_servers(scene, own_server, kills=2, threads=2)


@pytest.mark.long
def test_workers_are_killed_for_long(
    database: Database, config_dir: ConfigFolder, tmp_path: Path
) -> None:
    """Two hundred kills."""
    scene = prepare_scene(database, config_dir, tmp_path / "log", away=12_000)
    kill_workers(scene, kills=200, threads=3, workers=3)


@pytest.mark.long
def test_postgresql_is_killed_for_long(
    own_server: EmbeddedServer, own_database: Database, config_dir: ConfigFolder, tmp_path: Path
) -> None:
    """Twenty crashes."""
    scene = prepare_scene(own_database, config_dir, tmp_path / "log", away=3000)
    kill_servers(scene, own_server, kills=20, threads=3)
