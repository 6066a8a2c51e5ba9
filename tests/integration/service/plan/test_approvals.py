"""An approval lets go what was shown, once, and nothing else ever."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from retention_worker.domain.document import document
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import pause as pausing
from retention_worker.service.plan.approve import (
    ChangedSince,
    MoreThanSaid,
    NotedApproval,
    approve,
    read_plan,
    waiting,
)
from tests.factories import AccountIds, set_last_activity
from tests.stage import Stage, lane, planned

WEEK = timedelta(days=7)


@pytest.fixture
def crowd(stage: Stage) -> list[AccountIds]:
    """Fifteen accounts that are long due, and fourteen that are active; five may go freely."""
    stage.config.write_policy("acme", all_credentials="360 days")
    stage.set(guard_percent=5, guard_min_accounts=5)
    for _ in range(15):
        stage.account(idle_days=400, transactions=1, biometrics=False)
    # Without a template, whose own age would show that the damaged ones are active.
    return [stage.account(idle_days=1, transactions=1, biometrics=False) for _ in range(14)]


def let_go(stage: Stage, shown: list[LanePlan] | None = None) -> list[NotedApproval]:
    """Approve what waits now, or what was shown."""
    lanes = shown if shown is not None else list(waiting(stage.worker, "acme", None).lanes)
    return approve(stage.worker, lanes, reason="looked", actor="kim", lasts=WEEK)


def at_once(actions: list[Callable[[], object]]) -> None:
    """Do it all at the same time; whoever is refused is refused."""
    threads = [threading.Thread(target=each) for each in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def damage(stage: Stage, crowd: list[AccountIds]) -> None:
    """A job sets the activity of active accounts to 1970."""
    for each in crowd:
        set_last_activity(stage.conn, each.account, stage.clock.now - timedelta(days=20_000))


def whole(stage: Stage, crowd: list[AccountIds]) -> bool:
    """Whether none of the active accounts has lost anything."""
    return all(stage.others(each) for each in crowd)


@pytest.mark.parametrize("how", ["once", "twice", "at once", "with other numbers"])
def test_what_is_left_of_an_approval_lets_nothing_go(
    stage: Stage, crowd: list[AccountIds], how: str
) -> None:
    """However often it was given: once the lane has ended, damaged accounts wait for a person."""
    shown = list(waiting(stage.worker, "acme", None).lanes)
    if how == "at once":
        at_once([lambda: let_go(stage, shown) for _ in range(4)])
    else:
        let_go(stage, shown)
    if how == "twice":
        let_go(stage, shown)
    if how == "with other numbers":
        approve(stage.worker, shown, reason="more", actor="lee", lasts=WEEK, at_most=1_000)
    assert lane(stage.sweep(), Scope.ALL).accounts == 15
    damage(stage, crowd)
    stage.clock.forward(hours=1)
    ended = lane(stage.sweep(reconcile=True), Scope.ALL)
    assert (ended.accounts, ended.stop_reason) == (0, StopReason.WAITING)
    assert whole(stage, crowd)
    open_ones = stage.count("SELECT count(*) FROM retention.approval WHERE ended_at IS NULL")
    assert open_ones == 0


def test_the_same_approval_is_one(stage: Stage, crowd: list[AccountIds]) -> None:
    """What is open already is what comes back; another takes its place."""
    shown = list(waiting(stage.worker, "acme", None).lanes)
    first, again = let_go(stage, shown)[0], let_go(stage, shown)[0]
    assert first == again
    (other,) = approve(stage.worker, shown, reason="r", actor="kim", lasts=WEEK, at_most=20)
    assert other.id != first.id
    assert stage.count("SELECT count(*) FROM retention.approval WHERE ended_at IS NULL") == 1


def test_damage_before_the_sweep_is_not_what_was_shown(
    stage: Stage, crowd: list[AccountIds]
) -> None:
    """More is due than was approved: nothing goes, and the approval is over."""
    let_go(stage)
    damage(stage, crowd)
    ended = lane(stage.sweep(), Scope.ALL)
    assert (ended.accounts, ended.stop_reason) == (0, StopReason.WAITING)
    assert "that were shown and approved" in (ended.reason or "")
    assert stage.count("SELECT count(*) FROM retention.approval WHERE ended_at IS NULL") == 0
    # Even when the damage is mended: whoever wants it to go looks again.
    for each in crowd:
        set_last_activity(stage.conn, each.account, stage.clock.now)
    assert lane(stage.sweep(), Scope.ALL).stop_reason is StopReason.WAITING


def test_what_was_shown_and_came_back_leaves_no_room(stage: Stage, crowd: list[AccountIds]) -> None:
    """An approval of fifteen of which five came back lets ten go, whatever comes due meanwhile."""
    let_go(stage)
    due = stage.conn.execute(
        "SELECT id FROM accounts ORDER BY last_activity_at, id LIMIT 5"
    ).fetchall()
    for (account,) in due:
        set_last_activity(stage.conn, account, stage.clock.now)
    ended = lane(stage.sweep(), Scope.ALL)
    assert (ended.accounts, ended.stop_reason) == (10, StopReason.EXHAUSTED)
    damage(stage, crowd)
    assert lane(stage.sweep(reconcile=True), Scope.ALL).accounts == 0
    assert whole(stage, crowd)


def test_a_lane_that_has_moved_is_not_what_was_shown(stage: Stage, crowd: list[AccountIds]) -> None:
    """Two people look; one approves and the sweep runs; the other's approval is refused."""
    shown = list(waiting(stage.worker, "acme", None).lanes)
    let_go(stage, shown)
    stage.sweep()
    damage(stage, crowd)
    with pytest.raises(ChangedSince):
        let_go(stage, shown)
    stage.clock.forward(hours=1)
    stage.sweep(reconcile=True)
    assert whole(stage, crowd)


def test_an_approval_ends_in_the_middle_of_its_lane(stage: Stage, crowd: list[AccountIds]) -> None:
    """Its time runs out between two batches: what is not erased by then waits."""
    approve(
        stage.worker,
        list(waiting(stage.worker, "acme", None).lanes),
        reason="short",
        actor="kim",
        lasts=timedelta(minutes=5),
    )
    stage.set(batch_max_accounts=4)
    report = stage.sweep(progress=lambda *_: stage.clock.forward(minutes=6))
    ended = lane(report, Scope.ALL)
    assert (ended.accounts, ended.stop_reason) == (4, StopReason.WAITING)


def test_an_interrupted_lane_goes_on_with_its_approval(
    stage: Stage, crowd: list[AccountIds]
) -> None:
    """A pause in the middle: the same approval covers the rest, and no more."""
    let_go(stage)
    stage.set(batch_max_accounts=4)

    def pause(*_: object) -> None:
        pausing.pause(stage.worker, reason="deploy", actor="kim", until=None)

    first = lane(stage.sweep(progress=pause), Scope.ALL)
    assert (first.accounts, first.stop_reason) == (4, StopReason.PAUSED)
    pausing.resume(stage.worker)
    stage.clock.forward(hours=1)
    second = lane(stage.sweep(), Scope.ALL)
    assert (second.accounts, second.stop_reason) == (11, StopReason.EXHAUSTED)


def came_back(stage: Stage, accounts: list[AccountIds]) -> None:
    """The people are active again."""
    for each in accounts:
        set_last_activity(stage.conn, each.account, stage.clock.now)


def saved(stage: Stage) -> Path:
    """The plan as a person saves it."""
    path = stage.config.path / "plan.json"
    path.write_text(json.dumps(document(stage.plan())))
    return path


@pytest.fixture
def due(stage: Stage, crowd: list[AccountIds]) -> list[AccountIds]:
    """Six more that are due, and go last."""
    return [stage.account(idle_days=390, transactions=1, biometrics=False) for _ in range(6)]


@pytest.mark.parametrize("when", ["before the approval", "before the sweep", "between two batches"])
def test_others_do_not_go_in_the_place_of_those_that_came_back(
    stage: Stage, crowd: list[AccountIds], due: list[AccountIds], when: str
) -> None:
    """As many are due as were shown, but they are not the same."""

    def exchange(*_: object) -> None:
        came_back(stage, due)
        damage(stage, crowd[:6])

    shown = read_plan(stage.worker, saved(stage))
    if when == "before the approval":
        exchange()
    let_go(stage, shown)
    if when == "before the sweep":
        exchange()
    stage.set(batch_max_accounts=4)
    stage.sweep(reconcile=True, progress=exchange if when == "between two batches" else None)
    stage.clock.forward(hours=1)
    ended = lane(stage.sweep(reconcile=True), Scope.ALL)
    assert ended.stop_reason is StopReason.WAITING
    assert whole(stage, crowd)


def test_what_was_deferred_is_no_surprise(
    stage: Stage, crowd: list[AccountIds], due: list[AccountIds]
) -> None:
    """A locked account that the plan could not count does not end the approval for the others."""
    with stage.database.connect() as other, other.transaction():
        other.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", [due[0].account])
        let_go(stage)
        assert lane(stage.sweep(), Scope.ALL).accounts == 20
    let_go_again = plan_of(stage)
    assert let_go_again.stop_reason is not StopReason.WAITING


def plan_of(stage: Stage) -> LanePlan:
    """The plan of the lane of all credentials."""
    return planned(stage.plan(), Scope.ALL)


@pytest.mark.parametrize("days", [1, 3_000])
def test_a_plan_for_a_time_to_come_is_no_permission(
    stage: Stage, crowd: list[AccountIds], days: int
) -> None:
    """Nothing goes that is not due today; a plan by hand says the same."""
    path = stage.config.path / "plan.json"
    later = document(stage.plan(at=stage.clock.now + timedelta(days=days)))
    path.write_text(json.dumps(later))
    with pytest.raises(ConfigurationError, match="has not come"):
        read_plan(stage.worker, path)
    path.write_text(json.dumps(later | {"at": stage.clock.now.isoformat()}))
    with pytest.raises(ConfigurationError, match="has not come"):
        let_go(stage, read_plan(stage.worker, path))
    assert stage.count("SELECT count(*) FROM retention.approval") == 0


def test_a_plan_that_names_nobody_is_no_permission(stage: Stage, crowd: list[AccountIds]) -> None:
    """A number alone says nothing of whom a person was shown."""
    shown = [replace(each, shown=None) for each in waiting(stage.worker, "acme", None).lanes]
    with pytest.raises(ConfigurationError, match="which accounts"):
        let_go(stage, shown)


def test_at_most_refuses_what_is_more(stage: Stage, crowd: list[AccountIds]) -> None:
    """An approval that would let nothing go is not noted as one that does."""
    shown = list(waiting(stage.worker, "acme", None).lanes)
    with pytest.raises(MoreThanSaid, match="15 accounts"):
        approve(stage.worker, shown, reason="r", actor="kim", lasts=WEEK, at_most=14)
    assert stage.count("SELECT count(*) FROM retention.approval") == 0


def test_plan_says_what_the_sweep_does_with_others(
    stage: Stage, crowd: list[AccountIds], due: list[AccountIds]
) -> None:
    """By the same predicate: where others are due than were shown, both wait."""
    let_go(stage)
    came_back(stage, due)
    damage(stage, crowd[:6])
    found = plan_of(stage)
    ended = lane(stage.sweep(), Scope.ALL)
    assert (found.stop_reason, found.reason) == (ended.stop_reason, ended.reason)


def test_what_waits_behind_the_watermark_waits_until_a_person_looks(
    stage: Stage, crowd: list[AccountIds]
) -> None:
    """Sweep after sweep says so, not only those that look there."""
    let_go(stage)
    stage.sweep()
    damage(stage, crowd)
    for reconcile in (True, False, False):
        stage.clock.forward(hours=1)
        report = stage.sweep(reconcile=reconcile)
        ended = lane(report, Scope.ALL)
        assert (ended.accounts, ended.stop_reason) == (0, StopReason.WAITING)
        assert report.exit_code == 1
        stage.clock.forward(minutes=1)
        assert plan_of(stage).stop_reason is StopReason.WAITING
    assert plan_of(stage).due == 14
    let_go(stage)
    assert lane(stage.sweep(), Scope.ALL).accounts == 14
    stage.clock.forward(hours=1)
    assert lane(stage.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED
