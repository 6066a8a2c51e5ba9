"""Guards: too many accounts at once wait for a person, and a wrong clock erases nothing."""

import json
from datetime import timedelta

import pytest

from retention_worker.domain.document import document
from retention_worker.domain.errors import ConfigurationError, GuardRefused
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import pause
from retention_worker.service.plan.approve import approve, read_plan, waiting
from tests.factories import set_last_activity
from tests.stage import NOW, Stage, lane, planned


@pytest.fixture
def guarded(stage: Stage) -> Stage:
    """The guard as it is by default: 5 % of the live accounts, at least 10."""
    stage.set(guard_percent=5, guard_min_accounts=10)
    return stage


def let_go(stage: Stage, scope: Scope | None = None, at_most: int | None = None) -> int:
    """Approve what waits; how many lanes."""
    shown = waiting(stage.worker, "acme", scope)
    return len(
        approve(
            stage.worker,
            shown.lanes,
            reason="looked at it",
            actor="test",
            lasts=timedelta(days=7),
            at_most=at_most,
        )
    )


def test_ten_go_and_eleven_wait(guarded: Stage) -> None:
    """Up to the minimum goes without a person; one more, and nothing of the lane goes."""
    for _ in range(10):
        guarded.account(idle_days=100)
    assert lane(guarded.sweep(), Scope.BIOMETRICS).accounts == 10

    accounts = [guarded.account(idle_days=99) for _ in range(11)]
    guarded.clock.forward(days=1)
    report = guarded.sweep()
    found = lane(report, Scope.BIOMETRICS)
    assert (found.stop_reason, found.accounts) == (StopReason.WAITING, 0)
    assert found.reason is not None
    assert "approve" in found.reason
    assert report.exit_code == 1
    assert all(guarded.biometrics(each) > 0 for each in accounts)


def test_five_percent_of_the_live_accounts_go_once(guarded: Stage) -> None:
    """Above the minimum the share of the live accounts counts, and what went is spent."""
    guarded.config.write_policy("acme", all_credentials="1000 days")
    for _ in range(380):
        guarded.account(idle_days=1, transactions=0)
    for _ in range(20):
        guarded.account(idle_days=1100)
    assert lane(guarded.sweep(), Scope.ALL).accounts == 20

    again = [guarded.account(idle_days=1050) for _ in range(4)]
    guarded.clock.forward(minutes=15)
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.WAITING
    assert all(guarded.others(each) > 0 for each in again)


def test_a_share_every_quarter_of_an_hour_does_not_pass(guarded: Stage) -> None:
    """4 % set to long ago in each quarter of an hour: the first goes, the others wait."""
    guarded.config.write_policy("acme", all_credentials="1000 days")
    accounts = [guarded.account(idle_days=1, transactions=1) for _ in range(300)]
    guarded.conn.execute("UPDATE face_templates SET created_at = '1999-01-01'")
    for step in range(6):
        for account in accounts[step * 12 : step * 12 + 12]:
            set_last_activity(guarded.conn, account.account, NOW - timedelta(days=2000 - step))
        guarded.clock.forward(minutes=15)
        guarded.sweep(reconcile=True)
    assert sum(guarded.others(each) == 0 for each in accounts) == 12


def test_a_lane_that_waited_for_weeks_does_not_free_itself(guarded: Stage) -> None:
    """Waiting is no way to gather an allowance."""
    guarded.config.write_policy("acme", all_credentials="90 days")
    for _ in range(100):
        guarded.account(idle_days=1, transactions=0)
    accounts = [guarded.account(idle_days=100) for _ in range(40)]
    for _ in range(30):
        assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.WAITING
        guarded.clock.forward(days=1)
    assert all(guarded.others(each) > 0 for each in accounts)


def test_a_weekends_outage_heals_without_a_person(guarded: Stage) -> None:
    """Four days without a sweep leave four days' accounts, and all of them go by themselves."""
    guarded.config.write_policy("acme", all_credentials="100 days")
    accounts = [guarded.account(idle_days=n / 4) for n in range(400)]
    for _ in range(5):
        guarded.clock.forward(days=1)
        assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED
    guarded.clock.forward(days=4)

    report = lane(guarded.sweep(), Scope.ALL)

    assert (report.stop_reason, report.accounts) == (StopReason.EXHAUSTED, 16)
    assert sum(guarded.others(each) == 0 for each in accounts) == 36


def test_a_policy_that_is_sooner_waits_above_the_minimum(guarded: Stage) -> None:
    """After a shorter period not even a share of the live accounts goes by itself."""
    guarded.config.write_policy("acme", all_credentials="400 days")
    for _ in range(600):
        guarded.account(idle_days=1, transactions=0)
    for _ in range(12):
        guarded.account(idle_days=380)
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED
    guarded.config.write_policy("acme", all_credentials="370 days")

    guarded.clock.forward(minutes=15)
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.WAITING


def test_all_lanes_together_have_an_allowance_too(guarded: Stage) -> None:
    """Many tenants that each stay within their own minimum do not pass together."""
    names = [f"tenant{n}" for n in range(12)]
    for name in names:
        guarded.config.write_policy(name, all_credentials="1000 days")
        for _ in range(9):
            guarded.account(idle_days=1100, tenant=name)
        for _ in range(11):
            guarded.account(idle_days=1, tenant=name, transactions=0)
    guarded.config.remove_policy("acme")

    report = guarded.sweep()

    gone = [each for each in report.lanes if each.accounts == 9]
    waits = [each for each in report.lanes if each.stop_reason is StopReason.WAITING]
    assert len(gone) + len(waits) == 12
    assert len(gone) == 1  # 5 % of 240 are 12
    assert all(each.reason and "together" in each.reason for each in waits)
    plan = guarded.plan()
    assert sum(each.stop_reason is StopReason.WAITING for each in plan.lanes) == 11


def test_accounts_that_would_not_go_do_not_count(guarded: Stage) -> None:
    """Idle accounts without credentials are no reason to wait."""
    for _ in range(30):
        guarded.account(idle_days=100, transactions=0, biometrics=False)
    for _ in range(5):
        guarded.account(idle_days=100)
    assert lane(guarded.sweep(), Scope.BIOMETRICS).accounts == 5


def test_an_edited_period_waits_and_its_correction_heals(guarded: Stage) -> None:
    """365 days edited to 36 erases nothing; put right, the lane goes on by itself."""
    guarded.config.write_policy("acme", all_credentials="365 days")
    accounts = [guarded.account(idle_days=40 + n) for n in range(50)]
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED

    guarded.config.write_policy("acme", all_credentials="36 days")
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.WAITING
    assert all(guarded.others(each) > 0 for each in accounts)

    guarded.config.write_policy("acme", all_credentials="365 days")
    assert lane(guarded.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED
    assert all(guarded.others(each) > 0 for each in accounts)


def test_an_approval_lets_what_was_shown_go(guarded: Stage) -> None:
    """The accounts up to the cutoff that was shown go; the next ones are guarded again."""
    first = [guarded.account(idle_days=100 + n) for n in range(15)]
    later = [guarded.account(idle_days=70) for _ in range(15)]
    assert lane(guarded.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.WAITING

    assert let_go(guarded) == 1
    report = guarded.sweep()
    assert lane(report, Scope.BIOMETRICS).accounts == 15
    assert all(guarded.biometrics(each) == 0 for each in first)

    guarded.clock.forward(days=20)
    assert lane(guarded.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.WAITING
    assert all(guarded.biometrics(each) > 0 for each in later)


def test_an_approval_covers_no_more_accounts_than_were_shown(guarded: Stage) -> None:
    """Accounts that a damaged activity column adds under an old cutoff are not covered."""
    shown = [guarded.account(idle_days=100) for _ in range(15)]
    victims = [guarded.account(idle_days=10) for _ in range(30)]
    let_go(guarded)
    for victim in victims:
        set_last_activity(guarded.conn, victim.account, guarded.clock.now - timedelta(days=9000))
    guarded.conn.execute("UPDATE face_templates SET created_at = '1999-01-01'")

    report = guarded.sweep()

    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.WAITING
    assert all(guarded.biometrics(each) > 0 for each in [*shown, *victims])


def test_an_approval_is_not_spent_twice(guarded: Stage) -> None:
    """What another worker has erased under it meanwhile is no longer covered."""
    guarded.set(batch_max_accounts=1)
    accounts = [guarded.account(idle_days=100) for _ in range(15)]
    let_go(guarded)

    def other(*_: object) -> None:
        guarded.conn.execute("UPDATE retention.approval SET spent = at_most - 3 WHERE spent = 1")

    report = guarded.sweep(progress=other)

    assert lane(report, Scope.BIOMETRICS).accounts == 1 + 3
    assert sum(guarded.biometrics(each) > 0 for each in accounts) == 11


def test_an_approval_is_for_one_policy_and_ends(guarded: Stage) -> None:
    """After an edit of the policy, or after its time, an approval counts no more."""
    for _ in range(15):
        guarded.account(idle_days=100)
    let_go(guarded)
    guarded.config.write_policy("acme", all_credentials="360 days", biometrics="80 days")
    assert lane(guarded.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.WAITING

    let_go(guarded)
    guarded.clock.forward(days=7)
    assert lane(guarded.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.WAITING


def test_first_backlogs_are_approved_from_one_saved_plan(guarded: Stage) -> None:
    """Many tenants' waiting lanes go by one plan that was saved, as far as it says."""
    names = [f"tenant{n:03}" for n in range(40)]
    for name in names:
        guarded.config.write_policy(name, all_credentials="100 days")
        for _ in range(11):
            guarded.account(idle_days=200, tenant=name, transactions=1)
    path = guarded.config.path / "plan.json"
    path.write_text(json.dumps(document(guarded.plan())))
    assert all(
        each.stop_reason is StopReason.WAITING
        for each in guarded.sweep().lanes
        if each.tenant != "acme"
    )
    guarded.account(idle_days=200, tenant="tenant000")

    shown = read_plan(guarded.worker, path)
    approve(guarded.worker, shown, reason="first run", actor="test", lasts=timedelta(days=7))
    report = guarded.sweep()

    waits = [each.tenant for each in report.lanes if each.stop_reason is StopReason.WAITING]
    assert waits == ["tenant000"]  # one account more than was shown
    assert sum(each.accounts for each in report.lanes) == 39 * 11


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"lanes": [{}]}', '{"lanes": [{"tenant": "a", "due": -1}]}']
)
def test_a_file_that_is_no_plan_approves_nothing(guarded: Stage, text: str) -> None:
    """Anything but a saved plan is refused as a whole."""
    path = guarded.config.path / "plan.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="no plan"):
        read_plan(guarded.worker, path)


def test_a_plan_shows_what_waits(guarded: Stage) -> None:
    """The plan counts what is due exactly, and says that it would wait."""
    for _ in range(15):
        guarded.account(idle_days=100)
    found = planned(guarded.plan(), Scope.BIOMETRICS)
    assert (found.due, found.stop_reason) == (15, StopReason.WAITING)


def test_clocks_too_far_apart_are_refused(stage: Stage) -> None:
    """A host whose clock is ten years ahead of the database's erases nothing."""
    account = stage.account(idle_days=10)
    database_time = stage.clock.now
    stage.worker.database_clock = lambda _: database_time
    stage.clock.forward(days=3650)

    with pytest.raises(GuardRefused, match="apart"):
        stage.sweep()
    assert stage.biometrics(account) > 0


def test_the_earlier_clock_counts(stage: Stage) -> None:
    """Within the allowed skew the earlier of the two clocks decides what is due."""
    account = stage.account(idle_days=90)
    behind = stage.clock.now - timedelta(seconds=30)
    stage.worker.database_clock = lambda _: behind

    stage.sweep()
    assert stage.biometrics(account) > 0


def test_time_that_ran_backwards_is_refused_until_accepted(stage: Stage) -> None:
    """After a sweep dated in the future nothing is erased, until a person accepts the clock."""
    now = stage.clock.now
    stage.clock.forward(days=3650)
    stage.sweep()
    account = stage.account(idle_days=3750)
    stage.clock.now = now

    with pytest.raises(GuardRefused, match="clock accept"):
        stage.sweep()
    pause.accept_clock(stage.worker, reason="the host's battery was dead", actor="test")
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_a_pause_stops_everything_until_it_ends(stage: Stage) -> None:
    """While paused nothing goes; an end in time resumes by itself, `resume` at once."""
    account = stage.account(idle_days=400)
    until = stage.clock.now + timedelta(days=2)
    pause.pause(stage.worker, reason="migration", actor="test", until=until)
    found = lane(stage.sweep(), Scope.ALL)
    assert found.stop_reason is StopReason.PAUSED
    assert found.reason is not None
    assert "migration" in found.reason
    assert stage.biometrics(account) > 0

    stage.clock.forward(days=2)
    assert lane(stage.sweep(), Scope.ALL).accounts == 1

    other = stage.account(idle_days=400)
    pause.pause(stage.worker, reason="again", actor="test", until=None)
    stage.clock.forward(days=400)
    stage.sweep()
    assert stage.biometrics(other) > 0
    assert pause.resume(stage.worker)
    stage.sweep()
    assert stage.biometrics(other) == 0


def test_a_pause_stops_a_running_sweep(stage: Stage) -> None:
    """A pause that is placed while a lane runs is read before its next batch."""
    stage.set(batch_max_accounts=1)
    for _ in range(5):
        stage.account(idle_days=100)

    def stop(*_: object) -> None:
        pause.pause(stage.worker, reason="stop", actor="test", until=None)

    report = stage.sweep(progress=stop)

    assert lane(report, Scope.BIOMETRICS).accounts == 1
    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.PAUSED
