"""What goes wrong only between two transactions, two replicas, or two sweeps."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from retention_worker.domain.errors import IncompleteErasure, NeedsPerson, StatementFailed
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.plan.approve import approve, waiting
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.request.request import DoneRequest, RequestRun
from retention_worker.service.sweep import begin
from retention_worker.service.sweep.erasing import LaneErasing
from retention_worker.service.sweep.lane import LaneRun
from retention_worker.store.mapped import credentials
from tests.factories import set_last_activity
from tests.stage import NOW, Stage, lane, planned


@pytest.fixture
def guarded(stage: Stage) -> Stage:
    """The guard as it is by default: 5 % of the live accounts, at least 10."""
    stage.set(guard_percent=5, guard_min_accounts=10)
    return stage


def ask(
    stage: Stage, subject: object, kind: str = "account", scope: Scope = Scope.ALL
) -> DoneRequest:
    """Ask for an erasure by the command line."""
    wanted = RequestedErasure(
        kind=kind,
        subject=str(subject),
        scope=scope,
        tenant="acme",
        source="cli",
        actor="test",
        reason="Art. 17",
    )
    return erase(stage.worker, wanted)


def total(stage: Stage) -> float:
    """What all lanes have together."""
    row = stage.conn.execute("SELECT total_allowance FROM retention.control").fetchone()
    assert row is not None
    return float(row[0])


def test_a_lane_that_fails_gives_back_what_it_had_reserved(
    guarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant that fails in every sweep takes nothing of what all lanes have together."""
    guarded.account(idle_days=100)
    guarded.sweep()
    before = total(guarded)
    for _ in range(3):
        guarded.account(idle_days=95)

    def refuse(*_: object) -> None:
        raise IncompleteErasure("still there")

    monkeypatch.setattr(LaneErasing, "_check", refuse)
    for _ in range(2):
        guarded.clock.forward(minutes=15)
        found = lane(guarded.sweep(reconcile=True), Scope.BIOMETRICS)
        assert found.stop_reason is StopReason.FAILED
    assert total(guarded) >= before


def test_a_policy_whose_transaction_was_lost_is_not_stale(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file counts as applied only once that was committed: the next sweep applies it."""
    stage.sweep()
    stage.config.write_policy("acme", all_credentials="300 days", biometrics="80 days")
    account = stage.account(idle_days=85)

    def fail(*_: Any, **__: Any) -> None:
        raise StatementFailed("once")

    with monkeypatch.context() as patch:
        patch.setattr(begin, "find_work", fail)
        with pytest.raises(StatementFailed):
            stage.sweep()
    stage.clock.forward(minutes=15)
    assert lane(stage.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.EXHAUSTED
    assert stage.biometrics(account) == 0


def test_two_requests_at_once_keep_the_chain_in_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes a number first also stands first in the tenant's chain."""
    first, second = stage.account(idle_days=0), stage.account(idle_days=0)
    real = credentials.erase
    others: list[threading.Thread] = []

    def slowly(*values: Any, **named: Any) -> Any:
        if not others:
            others.append(threading.Thread(target=ask, args=(stage, second.account)))
            others[0].start()
            others[0].join(1.5)
        return real(*values, **named)

    monkeypatch.setattr(credentials, "erase", slowly)
    ask(stage, first.account)
    others[0].join(20)
    rows = stage.conn.execute(
        "SELECT previous_hash, hash FROM retention.batch ORDER BY id"
    ).fetchall()
    assert [previous for previous, _ in rows] == [None, rows[0][1]]


def test_a_transaction_that_moved_is_erased_when_asked_again(stage: Stage) -> None:
    """An open request follows its transaction to another account once a person asks again."""
    account, other = stage.account(idle_days=0), stage.account(idle_days=0, transactions=0)
    transaction = account.transactions[0]
    with stage.database.connect() as app:
        app.autocommit = False
        app.execute(
            "SELECT 1 FROM face_templates WHERE transaction_id = %s FOR UPDATE", (transaction,)
        )
        app.execute("SELECT 1 FROM images WHERE transaction_id = %s FOR UPDATE", (transaction,))
        stage.set(batch_deadline_ms=100)
        with pytest.raises(NeedsPerson):
            ask(stage, transaction, kind="transaction")
        app.rollback()
    stage.set(batch_deadline_ms=4_000)
    stage.conn.execute(
        "UPDATE transactions SET account_id = %s WHERE id = %s", (other.account, transaction)
    )
    assert ask(stage, transaction, kind="transaction").rows


def test_a_request_in_parts_ends_though_a_transaction_came_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that goes on living is erased to the end, whatever its new keys are."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=0, transactions=25)
    real, done = RequestRun._batch, []

    def one_part(run: RequestRun) -> bool:
        ended = real(run)
        done.append(ended)
        return ended

    def after_first(run: RequestRun) -> bool:
        if len(done) == 2:
            done.append(False)
            begin_with_lowest_key(stage, account.account)
        return one_part(run)

    monkeypatch.setattr(RequestRun, "_batch", after_first)
    ask(stage, account.account)
    assert stage.count("SELECT count(*) FROM retention.request WHERE state = 'done'") == 1
    assert stage.count("SELECT count(*) FROM images WHERE kind <> 'AUDIT'") == 0


def begin_with_lowest_key(stage: Stage, account: UUID) -> None:
    """A transaction with an image, before all others in the order of keys; no activity."""
    key = UUID(int=1)
    with stage.database.connect() as app, app.transaction():
        app.execute("SET LOCAL session_replication_role = replica")
        app.execute(
            "INSERT INTO transactions (id, tenant_id, account_id, created_at, country, "
            "document_type) SELECT %s, tenant_id, id, last_activity_at, 'DE', 'PASSPORT' "
            "FROM accounts WHERE id = %s",
            (key, account),
        )
        app.execute(
            "INSERT INTO images (transaction_id, kind, object_uri, created_at) "
            "SELECT %s, 'SELFIE', 's3://sample-images/x', last_activity_at FROM accounts "
            "WHERE id = %s",
            (key, account),
        )


def test_an_account_in_parts_is_complete_only_when_nothing_is_left(stage: Stage) -> None:
    """What appeared before the place where the parts have come to is erased before it is done."""
    stage.set(batch_max_transactions=10)
    stage.config.write_policy("acme", all_credentials="90 days")
    account = stage.account(idle_days=100, transactions=25)
    batches: list[int] = []

    def move(*_: object) -> None:
        batches.append(1)
        if len(batches) == 2:
            begin_with_lowest_key(stage, account.account)

    stage.sweep(progress=move)
    stage.clock.forward(minutes=15)
    stage.sweep()
    assert stage.others(account) == 0
    left = "SELECT count(*) FROM images WHERE kind <> 'AUDIT'"
    complete = "SELECT count(*) FROM retention.erasure WHERE complete"
    assert (stage.count(left), stage.count(complete)) == (0, 1)


def test_reconcile_looks_through_everything(stage: Stage) -> None:
    """`sweep --reconcile` also looks at what a slice has passed before."""
    accounts = [stage.account(idle_days=500 - n) for n in range(40)]
    stage.sweep()
    stage.clock.forward(minutes=15)
    stage.sweep()
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        stage.conn.execute(
            "INSERT INTO images (transaction_id, kind, object_uri, created_at) "
            "VALUES (%s, 'SELFIE', 's3://sample-images/x', '2020-01-01')",
            (accounts[0].transactions[0],),
        )
    stage.clock.forward(minutes=15)
    stage.sweep(reconcile=True)
    assert stage.others(accounts[0]) == 0


def test_what_a_sweep_in_the_future_deferred_is_looked_at_again(stage: Stage) -> None:
    """`clock accept` also ends the waiting for times that a wrong clock had set."""
    account = stage.account(idle_days=100)
    with stage.database.connect() as app:
        app.autocommit = False
        app.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account.account,))
        stage.clock.now = NOW + timedelta(days=300)
        stage.sweep()
        app.rollback()
    assert stage.biometrics(account) > 0
    stage.clock.now = NOW + timedelta(days=1)
    pause.accept_clock(stage.worker, reason="NTP was wrong", actor="test")
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_the_allowance_refills_after_a_clock_in_the_future(guarded: Stage) -> None:
    """`clock accept` also lets the allowances refill from now on."""
    guarded.config.write_policy("acme", biometrics="90 days")
    for _ in range(400):
        guarded.account(idle_days=1, transactions=0)
    for _ in range(5):
        guarded.account(idle_days=100)
    guarded.clock.now = NOW + timedelta(days=80)
    guarded.sweep()
    guarded.clock.now = NOW
    pause.accept_clock(guarded.worker, reason="NTP was wrong", actor="test")
    row = guarded.conn.execute(
        "SELECT max(allowance_at), max(total_allowance_at) FROM retention.lane, retention.control"
    ).fetchone()
    assert row == (NOW, NOW)


def test_a_hold_counts_whatever_name_was_given_where_there_is_one_tenant(stage: Stage) -> None:
    """A database without a tenant column has one tenant: an acknowledged hold is kept."""
    text = stage.config.datamap.read_text()
    stage.config.datamap.write_text(text.replace("  tenant: tenant_id\n", ""))
    account = stage.account(idle_days=400)
    kept = stage.biometrics(account), stage.others(account)
    holds.place(
        stage.worker,
        str(account.account),
        tenant="another-name",
        reason="court",
        actor="test",
        until=None,
    )
    stage.sweep()
    assert (stage.biometrics(account), stage.others(account)) == kept


def test_what_goes_without_the_guard_is_not_owed_afterwards(guarded: Stage) -> None:
    """Erasures while the guard was turned off do not make lanes wait when it is on again."""
    for _ in range(2):
        guarded.account(idle_days=100)
    guarded.sweep()
    guarded.set(guard_percent=100)
    for _ in range(60):
        guarded.account(idle_days=95)
    guarded.clock.forward(minutes=15)
    guarded.sweep(reconcile=True)
    guarded.set(guard_percent=5)
    for _ in range(3):
        guarded.account(idle_days=90)
    guarded.clock.forward(minutes=15)
    assert lane(guarded.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.EXHAUSTED


def wait_of(stage: Stage) -> Any:
    """Since when the lane of biometrics waits."""
    row = stage.conn.execute(
        "SELECT waiting_since FROM retention.lane WHERE scope = 'biometrics'"
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_lane_with_nothing_due_any_more_waits_no_longer(guarded: Stage) -> None:
    """Where what was due has become active again the wait is over, and the allowance refills."""
    accounts = [guarded.account(idle_days=100) for _ in range(11)]
    guarded.sweep()
    assert wait_of(guarded) is not None
    for each in accounts:
        set_last_activity(guarded.conn, each.account, NOW)
    guarded.clock.forward(minutes=15)
    guarded.sweep()
    assert wait_of(guarded) is None


def test_a_busy_replica_does_not_end_a_wait(guarded: Stage) -> None:
    """Only who has asked the guard may say that a lane waits no longer."""
    for _ in range(11):
        guarded.account(idle_days=100)
    guarded.sweep()
    guarded.clock.forward(minutes=15)
    with guarded.database.connect() as other:
        other.autocommit = False
        other.execute("SELECT 1 FROM retention.tenant FOR UPDATE")
        # The lease of another replica; what this one notes at the end waits for it.
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        found = lane(guarded.sweep(), Scope.BIOMETRICS)
        timer.join()
    assert found.stop_reason is StopReason.BUSY
    assert wait_of(guarded) == NOW


def test_a_plan_knows_that_a_shorter_period_waits(guarded: Stage) -> None:
    """`plan` says what the sweep does with a policy that makes accounts due sooner."""
    guarded.config.write_policy("acme", all_credentials="1000 days")
    for _ in range(600):
        guarded.account(idle_days=1, transactions=0)
    for number in range(2):
        guarded.account(idle_days=1001 + number, transactions=1)
    guarded.sweep()
    for _ in range(12):
        guarded.account(idle_days=950, transactions=1)
    guarded.conn.execute("UPDATE retention.lane SET allowance = 30")
    guarded.conn.execute("UPDATE retention.control SET total_allowance = 1000")
    guarded.config.write_policy("acme", all_credentials="900 days")
    guarded.clock.forward(minutes=15)
    expected = planned(guarded.plan(), Scope.ALL)
    found = lane(guarded.sweep(), Scope.ALL)
    assert found.stop_reason is StopReason.WAITING
    assert expected.stop_reason is StopReason.WAITING


def test_a_plan_counts_what_is_approved_apart(guarded: Stage) -> None:
    """What became due after an approval goes by the allowance, and `plan` says so."""
    guarded.config.write_policy("acme", biometrics="90 days")
    for _ in range(12):
        guarded.account(idle_days=100)
    guarded.sweep()
    shown = waiting(guarded.worker, "acme", None)
    approve(
        guarded.worker, shown.lanes, reason="r", actor="test", lasts=timedelta(days=7), at_most=None
    )
    for _ in range(3):
        guarded.account(idle_days=89)
    guarded.clock.forward(days=2)
    expected = planned(guarded.plan(), Scope.BIOMETRICS)
    found = lane(guarded.sweep(), Scope.BIOMETRICS)
    assert (found.stop_reason, found.accounts) == (StopReason.EXHAUSTED, 15)
    assert (expected.stop_reason, expected.due) == (None, 15)


def test_two_replicas_together_erase_no_more_than_the_allowance(
    guarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another replica spent since this one read the lane is not spent again."""
    guarded.config.write_policy("acme", biometrics="90 days")
    guarded.account(idle_days=101)
    guarded.sweep()
    for _ in range(9):
        guarded.account(idle_days=95)
    guarded.clock.forward(minutes=15)
    guarded.conn.execute("UPDATE retention.control SET total_allowance = 1000")
    real = LaneRun._look_behind
    others: list[int] = []

    def first_another(*values: Any) -> Any:
        if not others:
            others.append(1)
            guarded.sweep()
            for _ in range(9):
                guarded.account(idle_days=94)
        return real(*values)

    monkeypatch.setattr(LaneRun, "_look_behind", first_another)
    guarded.sweep()
    assert guarded.count("SELECT sum(accounts) FROM retention.batch") <= 10


def test_a_stop_ends_the_sweep_before_the_next_lane_is_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM ends it after the batch in hand: no count and no pass of another lane is begun."""
    stage.account(idle_days=100)
    stage.worker.stop.set()

    def fail(*_: Any) -> None:
        raise AssertionError("begun")

    monkeypatch.setattr(LaneRun, "_stage", fail)
    try:
        assert lane(stage.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.STOPPED
    finally:
        stage.worker.stop.clear()


def test_one_tenant_swept_first_does_not_take_the_others_allowance(guarded: Stage) -> None:
    """All lanes together are all lanes, also where a sweep is for one tenant."""
    guarded.set(guard_min_accounts=0)
    for tenant in ("acme", "beta", "gamma"):
        guarded.config.write_policy(tenant, biometrics="90 days")
        guarded.account(idle_days=100 if tenant == "acme" else 1, tenant=tenant)
        for _ in range(100):
            guarded.account(idle_days=1, transactions=0, tenant=tenant)
    assert lane(guarded.sweep(tenants=["acme"]), Scope.BIOMETRICS).accounts == 1
    for _ in range(4):
        guarded.account(idle_days=100, tenant="beta")
    guarded.clock.forward(minutes=15)
    assert planned(guarded.plan(tenants=["beta"]), Scope.BIOMETRICS, "beta").stop_reason is None
    assert lane(guarded.sweep(), Scope.BIOMETRICS, "beta").accounts == 4


def test_a_hold_counts_however_the_tenant_was_written(stage: Stage) -> None:
    """A uuid in capitals is the same tenant: what was acknowledged for it is kept."""
    tenant = "7f0c41aa-0000-4000-8000-00000000abcd"
    account = stage.account(idle_days=400)
    kept = stage.biometrics(account), stage.others(account)
    for table in ("accounts", "transactions"):
        stage.conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_tenant_id_fkey")
        stage.conn.execute(f"ALTER TABLE {table} ALTER tenant_id TYPE uuid USING '{tenant}'")
    stage.config.write_policy("acme", all_credentials="360 days", tenant_id=tenant)
    holds.place(
        stage.worker,
        str(account.account),
        tenant=tenant.upper(),
        reason="court",
        actor="test",
        until=None,
    )
    stage.sweep()
    assert (stage.biometrics(account), stage.others(account)) == kept
