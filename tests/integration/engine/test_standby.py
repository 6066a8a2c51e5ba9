"""A real standby: one that lags stops the worker, one that is absent too, and both pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.embedded import EmbeddedServer
from retention_worker.service.pace import server_pressure
from retention_worker.service.sweep import batches
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import prepare_reference, temporary_database
from tests.grants import ROLE
from tests.integration.engine.standby import NAME, Standby, standby_of
from tests.stage import NOW, UNGUARDED, Stage, lane
from tests.worker import MovingClock, open_worker


@pytest.fixture
def pair(config_dir: ConfigFolder) -> Iterator[tuple[Stage, Standby]]:
    """A stage on a server that has a standby, and the standby."""
    config_dir.write_policy("acme", biometrics="90 days")
    clock = MovingClock(NOW)
    with EmbeddedServer() as primary, temporary_database(primary) as database:
        prepare_reference(database)
        with (
            database.connect() as conn,
            standby_of(primary) as standby,
            open_worker(database.worker_dsn, config_dir, clock, **UNGUARDED) as worker,
        ):
            conn.execute(f"GRANT pg_read_all_stats TO {ROLE}".encode())
            yield Stage(database, conn, config_dir, clock, worker), standby


def test_lag_stops_the_worker_and_recovery_resumes_it(
    pair: tuple[Stage, Standby], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the standby replays nothing no batch runs; once it has caught up the sweep goes on."""
    stage, standby = pair
    monkeypatch.setattr(batches, "_LOOK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(server_pressure, "_EVERY_SECONDS", 0.1)
    stage.set(expected_standbys=NAME, max_replication_lag_seconds=1)
    for number in range(5):
        stage.account(idle_days=100 + number)
    with standby.connect() as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
        stage.account(idle_days=1)  # what the standby does not replay
        found = stage.worker.watch
        tables: list[int] = []
        with stage.worker.pool.connection() as mine:
            _until(
                lambda: (
                    "stopped: replication lag"
                    in str(found.look(mine, stage.worker.settings, tables, time.monotonic()))
                )
            )
        reports = []
        thread = threading.Thread(target=lambda: reports.append(sweep(stage.worker)))
        thread.start()
        time.sleep(1.5)
        assert stage.count("SELECT count(*) FROM retention.batch") == 0
        conn.execute("SELECT pg_wal_replay_resume()")
        thread.join(30)
    found_lane = lane(reports[0], Scope.BIOMETRICS)
    assert (found_lane.accounts, found_lane.stop_reason) == (5, StopReason.EXHAUSTED)
    assert found_lane.pace is not None
    assert "replication lag" in found_lane.pace


def test_an_expected_standby_that_goes_away_stops_the_worker(
    pair: tuple[Stage, Standby], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is back."""
    stage, standby = pair
    monkeypatch.setattr(batches, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(server_pressure, "_EVERY_SECONDS", 0.0)
    stage.set(expected_standbys=NAME)
    stage.account(idle_days=100)
    standby.stop()
    found = lane(stage.sweep(), Scope.BIOMETRICS)
    assert (found.accounts, found.reason) == (0, f"stopped: standby {NAME} is not connected")
    standby.start()
    _until(lambda: stage.count("SELECT count(*) FROM pg_stat_replication") == 1)
    stage.clock.forward(minutes=15)
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 1


def test_a_standby_whose_lag_the_role_may_not_read(
    pair: tuple[Stage, Standby], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one, and nothing is known of it: that stops, and says what to grant."""
    stage, _ = pair
    stage.conn.execute(f"REVOKE pg_read_all_stats FROM {ROLE}".encode())
    monkeypatch.setattr(batches, "_PATIENCE_SECONDS", 0.0)
    stage.account(idle_days=100)
    found = lane(stage.sweep(), Scope.BIOMETRICS)
    assert found.accounts == 0
    assert found.reason is not None
    assert "grant pg_read_all_stats" in found.reason


def _until(holds: object) -> None:
    assert callable(holds)
    for _ in range(200):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")
