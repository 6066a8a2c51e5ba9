"""What is past its due date and still there is found, and what keeps it back is counted apart."""

from datetime import timedelta

import pytest

from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.plan import approve
from retention_worker.service.plan.plan import plan
from tests.factories import add_face_template, set_last_activity
from tests.integration.service.ledger.books import pauses_until_an_hour_ago
from tests.integration.service.verify.proof import left, noted, only, proof, wrong
from tests.snapshot import diff, snapshot
from tests.stage import Stage


def test_a_healthy_database(stage: Stage) -> None:
    """After a sweep nothing is wrong, whatever was due and whatever was not."""
    for idle in (10, 89, 91, 200, 359, 361, 1000):
        stage.account(idle_days=idle)
    stage.sweep()
    found = proof(stage)
    assert found.wrong == ()
    assert found.exit_code == 0
    assert (found.tenants, found.accounts, found.erasures) == (1, 7, 7)
    assert noted(stage) == []


def test_it_reads_only(stage: Stage) -> None:
    """Every row is as it was before."""
    stage.account(idle_days=400)
    before = snapshot(stage.conn)
    proof(stage)
    assert diff(before, snapshot(stage.conn)) == {}


def test_overdue_without_a_sweep(stage: Stage) -> None:
    """Accounts that no sweep has seen are found by their own rows, with the age of the oldest."""
    accounts = [stage.account(idle_days=400 + n) for n in range(7)]
    found = proof(stage)
    lane = left(found, Scope.ALL)
    assert (lane.overdue, lane.paused, lane.on_hold, lane.deferred) == (7, 0, 0, 0)
    activity = stage.clock.now - timedelta(days=406)
    assert lane.oldest == Period.parse("360 days").due_at(activity)
    assert lane.examples == tuple(str(each.account) for each in reversed(accounts[2:]))
    assert left(found, Scope.BIOMETRICS).overdue == 7
    assert wrong(stage) == ["overdue"]


@pytest.mark.parametrize(("late", "overdue"), [(-1, 0), (0, 1), (1, 1)])
def test_the_boundary(stage: Stage, late: int, overdue: int) -> None:
    """Past its due date by RETENTION_OVERDUE_AFTER to the microsecond."""
    stage.set(overdue_after=timedelta(hours=6))
    account = stage.account(idle_days=1)
    at = stage.clock.now - timedelta(days=90, hours=6, microseconds=late)
    stage.conn.execute("UPDATE face_templates SET created_at = '1999-01-01'")
    set_last_activity(stage.conn, account.account, at)
    assert sum(lane.overdue for lane in proof(stage).lanes) == overdue


def test_what_keeps_an_account_back(stage: Stage) -> None:
    """On hold, and deferred for a credential that is newer than the last activity."""
    held, newer, plain = (stage.account(idle_days=100) for _ in range(3))
    holds.place(stage.worker, str(held.account), tenant="acme", reason="r", actor="a", until=None)
    add_face_template(stage.conn, newer.transactions[0], stage.clock.now)
    lane = left(proof(stage), Scope.BIOMETRICS)
    assert (lane.on_hold, lane.deferred, lane.overdue) == (1, 1, 1)
    assert lane.examples == (str(plain.account),)
    stage.sweep()
    found = proof(stage)
    assert found.wrong == ()
    lane = left(found, Scope.BIOMETRICS)
    assert (lane.on_hold, lane.deferred, lane.overdue) == (1, 1, 0)


def test_a_hold_that_ended_keeps_nothing_back(stage: Stage) -> None:
    """A day after it ended it is no excuse: until then the sweep has time, as after a due date."""
    account = stage.account(idle_days=100)
    until = stage.clock.now + timedelta(days=1)
    holds.place(
        stage.worker, str(account.account), tenant="acme", reason="r", actor="a", until=until
    )
    assert wrong(stage) == []
    stage.clock.forward(days=2, microseconds=-1)
    assert wrong(stage) == []
    stage.clock.forward(microseconds=1)
    assert wrong(stage) == ["overdue"]


def test_a_hold_that_was_released_a_minute_ago(stage: Stage) -> None:
    """The account is not late because it was held for months."""
    account = str(stage.account(idle_days=100).account)
    holds.place(stage.worker, account, tenant="acme", reason="r", actor="a", until=None)
    stage.clock.forward(days=60)
    holds.release(stage.worker, account, tenant="acme", reason="over", actor="a")
    stage.clock.forward(minutes=1)
    found = proof(stage)
    assert (found.wrong, left(found, Scope.BIOMETRICS).on_hold) == ((), 1)
    stage.clock.forward(days=1)
    assert wrong(stage) == ["overdue"]


def test_activity_whose_evidence_was_erased(stage: Stage) -> None:
    """The remaining credentials wait for the biometric that was newer, though it is gone."""
    account = stage.account(idle_days=500)
    at = stage.clock.now - timedelta(days=100)
    add_face_template(stage.conn, account.transactions[0], at)
    stage.sweep()
    assert stage.biometrics(account) == 0
    found = proof(stage)
    assert found.wrong == ()
    assert left(found, Scope.ALL).deferred == 1
    stage.clock.forward(days=262)
    assert wrong(stage) == ["overdue"]


def test_activity_elsewhere(stage: Stage) -> None:
    """Rows of another table that count as activity keep the account."""
    stage.conn.execute(
        "CREATE TABLE logins (account_id uuid, at timestamptz);"
        "GRANT SELECT ON logins TO retention_worker"
    )
    text = stage.config.datamap.read_text()
    line = "  activity: [{table: public.logins, key: account_id, at: at}]\n\ntransactions:"
    stage.config.datamap.write_text(text.replace("\ntransactions:", line, 1))
    account = stage.account(idle_days=100)
    at = stage.clock.now - timedelta(days=1)
    stage.conn.execute("INSERT INTO logins VALUES (%s, %s)", (account.account, at))
    found = proof(stage)
    assert found.wrong == ()
    assert left(found, Scope.BIOMETRICS).deferred == 1


def test_paused(stage: Stage) -> None:
    """A tenant that is paused in its file, and everything by command: counted, not wrong."""
    stage.account(idle_days=100)
    pause.pause(stage.worker, reason="r", actor="a", until=None)
    found = proof(stage)
    assert found.wrong == ()
    assert left(found, Scope.BIOMETRICS).paused == 1
    pause.resume(stage.worker)
    assert wrong(stage) == ["overdue"]  # it was late already when the pause began
    stage.config.write_policy("acme", biometrics="90 days", paused=True)
    assert left(proof(stage), Scope.BIOMETRICS).paused == 1
    assert wrong(stage) == []


def test_what_became_due_under_pauses(stage: Stage) -> None:
    """Late counts from the end of the last of them, and only for who was not late before."""
    pauses_until_an_hour_ago(stage)
    for idle in (115, 110.5, 105, 95):
        stage.account(idle_days=idle)
    lane = left(proof(stage), Scope.BIOMETRICS)
    assert (lane.overdue, lane.paused, len(lane.examples)) == (1, 3, 1)
    assert lane.oldest == stage.clock.now - timedelta(days=25)
    stage.clock.forward(hours=23, microseconds=-1)
    assert left(proof(stage), Scope.BIOMETRICS).overdue == 1
    stage.clock.forward(microseconds=1)
    lane = left(proof(stage), Scope.BIOMETRICS)
    assert (lane.overdue, lane.paused) == (4, 0)


def test_a_pause_long_after_another(stage: Stage) -> None:
    """What was late between two pauses is late, whatever the second one was for."""
    now = stage.clock.now
    stage.account(idle_days=105)
    stage.clock.forward(days=-20)
    pause.pause(stage.worker, reason="r", actor="a", until=now - timedelta(days=10))
    stage.clock.forward(days=20, minutes=-1)
    pause.pause(stage.worker, reason="r", actor="a", until=None)
    stage.clock.forward(minutes=1)
    pause.resume(stage.worker)
    assert left(proof(stage), Scope.BIOMETRICS).overdue == 1


def test_waiting(stage: Stage) -> None:
    """A lane that waits for an approval is counted apart."""
    stage.set(guard_percent=5, guard_min_accounts=1)
    for _ in range(5):
        stage.account(idle_days=100)
    stage.sweep()
    found = proof(stage)
    assert found.wrong == ()
    assert left(found, Scope.BIOMETRICS).waiting == 5
    approve.approve(
        stage.worker, plan(stage.worker).lanes, reason="r", actor="a", lasts=timedelta(days=7)
    )
    stage.clock.forward(hours=23)
    assert wrong(stage) == []
    stage.sweep()
    assert proof(stage).lanes == ()


def test_one_tenant(stage: Stage) -> None:
    """With --tenant only that tenant's lanes and erasures are looked at."""
    stage.config.write_policy("birch", biometrics="30 days")
    stage.account(idle_days=100)
    stage.account(idle_days=100, tenant="birch")
    found = proof(stage, tenant="birch")
    assert [(lane.tenant, lane.overdue) for lane in found.lanes] == [("birch", 1)]
    assert (found.tenants, found.accounts) == (1, 1)
    assert only(found, "overdue").tenant == "birch"
