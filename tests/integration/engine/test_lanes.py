"""What a lane does when its map, its policy or its largest account gets in the way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.due import reconcile
from retention_worker.service.plan import approve
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import credentials
from retention_worker.store.own import lanes
from tests.factories import AccountIds, make_account
from tests.integration.engine.interleave import right_after
from tests.stage import Stage, lane

LAST_ENTRY = "  - name: extracted fields"
AFTER_ENTRIES = "# What was looked at and stays"
# More than the slice that every sweep looks through behind a watermark.
MANY = reconcile.SLICE + 10


def without_extracted_fields(stage: Stage) -> str:
    """Take the last entry out of the map; the whole text comes back, to put it in again."""
    whole = Path(stage.config.datamap).read_text("utf-8")
    start, end = whole.index(LAST_ENTRY), whole.index(AFTER_ENTRIES)
    stage.config.datamap.write_text(whole[:start] + whole[end:], "utf-8")
    return whole


def fields_left(stage: Stage) -> int:
    """How many extracted fields are left."""
    return stage.count("SELECT count(*) FROM extracted_data")


def test_a_new_entry_of_the_map_reaches_back_at_once(stage: Stage) -> None:
    """What lies behind the watermark is looked through by the first sweep with the new map."""
    for day in range(MANY):
        stage.account(idle_days=400 + day)
    whole = without_extracted_fields(stage)
    stage.sweep()
    kept = fields_left(stage)
    assert kept == MANY * 3

    stage.clock.forward(minutes=15)
    stage.config.datamap.write_text(whole, "utf-8")
    report = stage.sweep()

    assert fields_left(stage) == 0
    assert lane(report, Scope.ALL).rows == {"extracted fields": kept}
    stage.clock.forward(minutes=15)
    assert lane(stage.sweep(), Scope.ALL).batches == 0


def test_a_new_entry_reaches_back_under_an_older_approval(stage: Stage) -> None:
    """The approval covers the older ones; those between its cutoff and the watermark go as well."""
    stage.account(idle_days=400)
    for day in range(MANY):
        stage.account(idle_days=350 + day / 100)
    whole = without_extracted_fields(stage)
    stage.set(guard_percent=1, guard_min_accounts=0)
    stage.sweep()
    shown = approve.waiting(stage.worker, "acme", Scope.ALL)
    approve.approve(
        stage.worker,
        shown.lanes,
        reason="seen",
        actor="boss",
        lasts=timedelta(days=60),
        at_most=MANY * 5,
    )
    stage.sweep()
    stage.set(guard_percent=100)
    stage.clock.forward(days=20)
    stage.sweep()
    assert stage.count("SELECT count(*) FROM images WHERE kind <> 'AUDIT'") == 0

    stage.config.datamap.write_text(whole, "utf-8")
    stage.clock.forward(minutes=15)
    stage.sweep()
    assert fields_left(stage) == 0


def test_a_new_entry_under_a_longer_period(stage: Stage) -> None:
    """What the longer period keeps behind the watermark goes when that is over, not later."""
    for day in range(MANY):
        stage.account(idle_days=370 + day / 100)
    whole = without_extracted_fields(stage)
    stage.sweep()
    stage.config.datamap.write_text(whole, "utf-8")
    stage.config.write_policy("acme", all_credentials="400 days", biometrics="90 days")
    stage.clock.forward(minutes=15)
    stage.sweep()
    assert fields_left(stage) == MANY * 3

    stage.clock.forward(days=30)
    stage.sweep()
    assert fields_left(stage) == 0


def test_a_policy_that_is_edited_ends_its_lane(stage: Stage) -> None:
    """The batch in hand is the last; the next sweep has the new policy's own cutoff."""
    stage.set(batch_max_accounts=1)
    young = [stage.account(idle_days=100 + day) for day in range(5)]

    def edit(tenant: str, scope: str, accounts: int) -> None:
        stage.config.write_policy("acme", all_credentials="360 days", biometrics="200 days")

    report = stage.sweep(progress=edit)

    ended = lane(report, Scope.BIOMETRICS)
    assert (ended.stop_reason, ended.accounts) == (StopReason.POLICY_CHANGED, 1)
    assert sum(stage.biometrics(each) > 0 for each in young) == 4

    stage.clock.forward(minutes=15)
    report = stage.sweep()
    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.EXHAUSTED
    assert sum(stage.biometrics(each) > 0 for each in young) == 4


def test_a_policy_that_another_replica_applied_ends_the_lane(stage: Stage) -> None:
    """The digest in the database is looked at in each batch, whatever the own file says."""
    stage.set(batch_max_accounts=1)
    accounts = [stage.account(idle_days=100 + day) for day in range(5)]

    def apply(tenant: str, scope: str, erased: int) -> None:
        with stage.worker.pool.connection() as conn, writing(conn):
            lanes.set_policy_digest(Session(conn, "retention"), "acme", "another")

    report = stage.sweep(progress=apply)

    ended = lane(report, Scope.BIOMETRICS)
    assert (ended.stop_reason, ended.accounts) == (StopReason.POLICY_CHANGED, 1)
    assert sum(stage.biometrics(each) > 0 for each in accounts) == 4


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_large_account_and_its_neighbours_go_in_one_sweep(stage: Stage, place: int) -> None:
    """An account larger than a batch takes several; those after it do not wait for a next sweep."""
    stage.set(batch_max_transactions=3)
    everybody = [
        stage.account(idle_days=120 - day, transactions=8 if day == place else 1)
        for day in range(6)
    ]
    report = stage.sweep()
    assert [stage.biometrics(each) for each in everybody] == [0] * 6
    assert lane(report, Scope.BIOMETRICS).accounts == 6
    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.EXHAUSTED
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE NOT complete") == 3


def test_a_large_account_that_comes_back_half_way_keeps_the_rest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part locks and looks again: activity between two parts stops the erasure there."""
    stage.set(batch_max_transactions=3)
    large = stage.account(idle_days=120, transactions=9)
    kept: list[int] = []

    def come_back(*_: object) -> None:
        if not kept and (left := stage.biometrics(large)) < 9 * 3 + 1:
            stage.conn.execute(
                "INSERT INTO authentications (account_id, succeeded, created_at)"
                " VALUES (%s, true, %s)",
                (large.account, stage.clock.now),
            )
            kept.append(left)

    original = lanes.lease

    def lease(session: Session, tenant_id: str) -> Pending[bool]:
        come_back()
        return original(session, tenant_id)

    monkeypatch.setattr(lanes, "lease", lease)
    report = stage.sweep()

    assert kept
    assert stage.biometrics(large) == kept[0] > 0
    assert lane(report, Scope.BIOMETRICS).accounts == 0
    rows = sum(lane(report, Scope.BIOMETRICS).rows.values())
    assert rows == 9 * 3 + 1 - kept[0]


def test_what_failed_keeps_its_time_and_attempts(stage: Stage) -> None:
    """An account that is locked for ever is tried again later each time, and not by reconcile."""
    busy = stage.account(idle_days=100)
    kept = stage.biometrics(busy)
    with stage.database.connect() as app, app.transaction():
        app.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (busy.account,))
        for attempts in (1, 2, 3):
            stage.sweep()
            assert stage.count("SELECT attempts FROM retention.deferred") == attempts
            stage.clock.forward(seconds=20)
            stage.sweep(reconcile=True)
            assert stage.count("SELECT attempts FROM retention.deferred") == attempts
            stage.clock.forward(hours=7)
    assert stage.biometrics(busy) == kept
    stage.sweep()
    assert stage.biometrics(busy) == 0


def test_a_batch_that_fails_at_its_end_leaves_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, ledger, outbox and watermark go together or not at all."""
    account: AccountIds = make_account(
        stage.conn, last_activity=stage.clock.now - timedelta(days=400)
    )
    kept = stage.biometrics(account), stage.others(account)

    def fail() -> None:
        raise RuntimeError("the process dies here")

    right_after(monkeypatch, credentials, "erase", fail)
    with pytest.raises(RuntimeError, match="dies here"):
        stage.sweep()
    assert (stage.biometrics(account), stage.others(account)) == kept
    for table in ("batch", "erasure", "object_deletion", "deferred"):
        assert stage.count(f"SELECT count(*) FROM retention.{table}") == 0
    assert stage.count("SELECT count(watermark_activity) FROM retention.lane") == 0
    stage.clock.forward(minutes=1)
    stage.sweep()
    assert (stage.biometrics(account), stage.others(account)) == (0, 0)
