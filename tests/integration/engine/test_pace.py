"""The pace that replicas share, streams, and signs that slow or stop."""

from __future__ import annotations

import threading
import time
import tracemalloc
from typing import Any

import pytest
from structlog.testing import capture_logs

from retention_worker.domain.document import document
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.pace.server_pressure import ServerWatch
from retention_worker.service.sweep import batches
from retention_worker.service.sweep.sweep import sweep
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.own import pace
from tests.stage import UNGUARDED, Stage, lane
from tests.worker import open_worker

BATCHES = 400


def test_a_batch_that_was_paused_for_keeps_the_others_waiting(stage: Stage) -> None:
    """The pause is in the database: whichever replica comes next waits for its end."""
    for day in range(3):
        stage.account(idle_days=100 + day)
    stage.set(duty_cycle_percent=1, batch_max_accounts=1)
    began = time.monotonic()
    stage.sweep()
    took = time.monotonic() - began
    paused = stage.count("SELECT count(*) FROM retention.pace WHERE free_at > '-infinity'")
    assert paused == 1
    # Three batches of some milliseconds, and a hundred times as long in all.
    assert took > 0.5


def test_two_replicas_erase_one_after_the_other_and_each_row_once(stage: Stage) -> None:
    """Together they have one stream, whatever they are told to do at once."""
    for number in range(40):
        stage.account(idle_days=100 + number, tenant="acme" if number % 2 else "birch")
    stage.config.write_policy("birch", biometrics="90 days")
    options = UNGUARDED | {"batch_max_accounts": 3, "duty_cycle_percent": 50}
    reports = _several(stage, 4, **options)
    erased = sum(each.accounts for report in reports for each in report.lanes)
    assert erased == 40
    assert stage.count("SELECT count(DISTINCT subject_id) FROM retention.erasure") == 40
    assert stage.count(
        "SELECT count(*) FROM retention.erasure WHERE scope = 'biometrics'"
    ) == stage.count(
        "SELECT count(DISTINCT subject_id) FROM retention.erasure WHERE scope = 'biometrics'"
    )


def test_four_replicas_share_the_work_at_one_pace(stage: Stage) -> None:
    """They take turns, each account goes once, and all of them take about a fifth of the time."""
    for tenant in ("acme", "birch", "cedar", "dune"):
        stage.config.write_policy(tenant, biometrics="90 days")
        _crowd(stage, 40, tenant)
    began = time.monotonic()
    with capture_logs() as logs:
        reports = _several(
            stage, 4, **UNGUARDED | {"batch_max_accounts": 1, "duty_cycle_percent": 20}
        )
    took = time.monotonic() - began
    assert sum(each.accounts for report in reports for each in report.lanes) == 160
    shares = stage.conn.execute("SELECT count(*) FROM retention.batch GROUP BY sweep_id").fetchall()
    assert len(shares) >= 2
    ran = sum(each["milliseconds"] for each in logs if each["event"] == "batch_committed") / 1000
    assert ran <= 0.35 * took  # a batch as its client sees it is longer than the server counts


def test_a_very_large_tenant_holds_up_one_stream_alone(stage: Stage) -> None:
    """With two streams all others are done before it is."""
    for number in range(30):
        stage.account(idle_days=100 + number)
    for name in ("birch", "cedar", "dune"):
        stage.account(idle_days=100, tenant=name)
        stage.config.write_policy(name, biometrics="90 days")
    ended: list[str] = []

    def note(tenant: str, scope: str, accounts: int) -> None:
        ended.append(tenant)
        if tenant == "acme":
            time.sleep(0.05)

    options = UNGUARDED | {"streams": 2, "batch_max_accounts": 1}
    with open_worker(stage.database.worker_dsn, stage.config, stage.clock, **options) as worker:
        report = sweep(worker, progress=note)
    assert sum(each.accounts for each in report.lanes) == 33
    last = max(ended.index(name) for name in ("birch", "cedar", "dune"))
    assert "acme" in ended[last:]


def test_a_standby_that_is_absent_stops_the_lane(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes, the report says why, and once nobody expects it any more all goes."""
    account = stage.account(idle_days=100)
    kept = stage.biometrics(account)
    monkeypatch.setattr(batches, "_PATIENCE_SECONDS", 0.0)
    stage.set(expected_standbys="one, two")
    found = lane(stage.sweep(), Scope.BIOMETRICS)
    assert (found.stop_reason, found.accounts) == (StopReason.PAUSED, 0)
    assert found.pace == found.reason == "stopped: standby one, two is not connected"
    assert document(found)["pace"] == found.pace
    assert stage.biometrics(account) == kept
    stage.set(expected_standbys=None)
    stage.worker.watch = ServerWatch()
    stage.clock.forward(minutes=15)
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 1


def test_a_role_that_sees_no_transactions_is_stopped_where_it_is_to_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known might be anything, so it counts as a stop and names the right to grant."""
    stage.account(idle_days=100)
    monkeypatch.setattr(batches, "_PATIENCE_SECONDS", 0.0)
    stage.set(max_transaction_age=stage.worker.settings.overdue_after)
    found = lane(stage.sweep(), Scope.BIOMETRICS)
    assert found.stop_reason is StopReason.PAUSED
    assert found.reason is not None
    assert "grant pg_read_all_stats" in found.reason


def test_dead_rows_are_a_share_of_the_table_whatever_the_counters_forgot(stage: Stage) -> None:
    """After a crash or a copy the server knows of no live row: a fifth dead is not all dead."""
    with stage.conn.transaction():
        stage.conn.execute("CREATE TABLE wide (id int) WITH (autovacuum_enabled = off)")
        stage.conn.execute("INSERT INTO wide SELECT generate_series(1, 60000)")
    stage.conn.execute("ANALYZE wide")
    stage.conn.execute("SELECT pg_stat_force_next_flush()")
    stage.conn.execute("SELECT pg_stat_reset_single_table_counters('wide'::regclass)")
    assert 15 < _dead_percent(stage, "wide", "DELETE FROM wide WHERE id <= 12000") < 25


def test_dead_rows_of_partitions_count(stage: Stage) -> None:
    """A partitioned table has no rows of its own: what is dead is dead in its partitions."""
    stage.conn.execute("CREATE TABLE parted (id int) PARTITION BY RANGE (id)")
    stage.conn.execute(
        "CREATE TABLE part PARTITION OF parted DEFAULT WITH (autovacuum_enabled = off)"
    )
    stage.conn.execute("INSERT INTO parted SELECT generate_series(1, 20000)")
    assert _dead_percent(stage, "parted", "DELETE FROM parted WHERE id <= 12000") > 50


def _dead_percent(stage: Stage, table: str, delete: str) -> float:
    """What the signs say of a table after a statement, once its session has reported."""
    stage.conn.execute(delete.encode())
    # Sessions report what they did now and then; pg_stat_force_next_flush came with PostgreSQL 15.
    stage.conn.execute("SELECT pg_stat_force_next_flush()")
    row = stage.conn.execute("SELECT %s::regclass::oid::bigint", (table,)).fetchone()
    assert row is not None
    with writing(stage.conn):
        return pace.signals(Session(stage.conn, "retention"), [row[0]]).dead_percent


def test_an_old_snapshot_does_not_slow_four_hundred_batches(stage: Stage) -> None:
    """Rows that each batch updates keep all their versions, and are found as quickly."""
    _crowd(stage, BATCHES)
    stage.set(batch_max_accounts=1)
    took: list[float] = []
    began = time.monotonic()

    def note(*_: object) -> None:
        nonlocal began
        took.append(time.monotonic() - began)
        began = time.monotonic()

    with stage.database.connect() as old, old.transaction():
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM retention.lane")
        sweep(stage.worker, progress=note)
    assert len(took) >= BATCHES
    first, last = sorted(took[20:120])[50], sorted(took[-100:])[50]
    assert last < 2 * first


def test_memory_does_not_grow_with_what_is_due(stage: Stage) -> None:
    """Ten times the due accounts take no more memory at the peak than a megabyte beyond noise."""
    peaks = []
    _crowd(stage, 100)
    stage.set(batch_max_accounts=20)
    sweep(stage.worker)  # what a first sweep imports and caches is nobody's growth
    for accounts in (60, 600):
        stage.conn.execute("DELETE FROM authentication_vectors")
        stage.clock.forward(days=1)
        _crowd(stage, accounts)
        tracemalloc.start()
        report = sweep(stage.worker)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert lane(report, Scope.BIOMETRICS).accounts == accounts
    assert peaks[1] < peaks[0] + 1_000_000


def _crowd(stage: Stage, accounts: int, tenant: str = "acme") -> None:
    at = stage.clock.now
    stage.conn.execute(
        "INSERT INTO tenants (id, name) VALUES (%s, 'T') ON CONFLICT DO NOTHING", (tenant,)
    )
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        stage.conn.execute(
            "INSERT INTO accounts (tenant_id, external_ref, created_at, last_activity_at) "
            "SELECT %s, gen_random_uuid(), %s, %s::timestamptz - interval '100 days' "
            "FROM generate_series(1, %s) AS n",
            (tenant, at, at, accounts),
        )
        stage.conn.execute(
            "INSERT INTO authentication_vectors (account_id, embedding, created_at) "
            "SELECT id, 'x', last_activity_at FROM accounts a WHERE tenant_id = %s AND NOT EXISTS "
            "(SELECT 1 FROM retention.erasure e WHERE e.subject_id = a.id::text)",
            (tenant,),
        )
    stage.conn.execute("ANALYZE")


def _several(stage: Stage, count: int, **options: Any) -> list[SweepReport]:
    """Sweeps of so many replicas at once; their reports when all have ended."""
    reports: list[SweepReport] = []

    def run() -> None:
        with open_worker(stage.database.worker_dsn, stage.config, stage.clock, **options) as worker:
            reports.append(sweep(worker))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return reports
