"""The judgement of one scope and one entry, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.domain.explain import obstacle
from retention_worker.domain.explain.explanation import (
    Activity,
    ExplainedEntry,
    LaneExplained,
    Obstacle,
    PolicyRule,
    State,
    explain_entry,
    explain_lane,
)
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import CredentialClass, Scope

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = PolicyRule(period=Period(days=90), file="config/tenants/acme.yaml", digest="a" * 64)
HOLD = obstacle.held(number=1, placed_at=NOW, by="jo", reason="court", until=None)
PAUSE = obstacle.paused_in_file("acme.yaml")


def lane(
    idle: timedelta | None,
    *,
    scope: Scope = Scope.ALL,
    rule: PolicyRule = RULE,
    rows: int = 3,
    others: tuple[timedelta, ...] = (),
    obstacles: tuple[Obstacle, ...] = (),
) -> LaneExplained:
    """A scope of an account that was active so long ago."""
    return explain_lane(
        scope,
        rule,
        own=Activity(source="own", at=NOW - idle) if idle is not None else None,
        others=[Activity(source=f"other {ago}", at=NOW - ago) for ago in others],
        rows=rows,
        obstacles=obstacles,
        now=NOW,
        overdue_after=DAY,
    )


@pytest.mark.parametrize(
    ("idle", "state"),
    [
        (90 * DAY - timedelta(microseconds=1), State.NOT_DUE),
        (90 * DAY, State.DUE),
        (None, State.NO_ACTIVITY),
    ],
)
def test_due_at_the_microsecond(idle: timedelta | None, state: State) -> None:
    """Due from the due date on; without an activity never."""
    assert lane(idle).state is state
    assert lane(idle).due is (state is State.DUE)


def test_the_latest_activity_decides() -> None:
    """Whatever its source; without the account's own nothing is ever due."""
    found = lane(100 * DAY, others=(20 * DAY, 50 * DAY))
    assert found.activity is not None
    assert found.activity.source == f"other {20 * DAY}"
    assert found.due_at == NOW + 70 * DAY
    assert lane(None, others=(200 * DAY,)).state is State.NO_ACTIVITY


def test_nothing_there_is_nothing_due() -> None:
    """Without rows there is nothing to erase, whatever the date or the hold."""
    found = lane(100 * DAY, rows=0, obstacles=(HOLD,))
    assert (found.state, found.due) == (State.NOTHING, False)


def test_obstacles_count_once_it_is_due_and_a_hold_or_a_pause_before() -> None:
    """The weightiest gives the state, and all of them are told."""
    assert lane(10 * DAY, obstacles=(PAUSE,)).state is State.PAUSED
    assert lane(10 * DAY, obstacles=(HOLD, PAUSE)).obstacles == (HOLD, PAUSE)
    found = lane(100 * DAY, obstacles=(HOLD, PAUSE))
    assert (found.state, found.due, found.obstacles) == (State.ON_HOLD, True, (HOLD, PAUSE))


@pytest.mark.parametrize("state", [State.NO_POLICY, State.INVALID_POLICY, State.NEVER])
def test_without_a_period_there_is_no_due_date(state: State) -> None:
    """A missing value never means delete."""
    found = lane(1000 * DAY, rule=PolicyRule(state=state))
    assert (found.state, found.due_at, found.due) == (state, None, False)


@pytest.mark.parametrize(
    ("idle", "obstacles", "overdue"),
    [(91 * DAY, (), False), (92 * DAY, (), True), (92 * DAY, (PAUSE,), False)],
)
def test_overdue(idle: timedelta, obstacles: tuple[Obstacle, ...], overdue: bool) -> None:
    """Past the due date for longer than allowed, and nothing that explains it."""
    assert lane(idle, obstacles=obstacles).overdue is overdue


def test_beyond_the_calendar_is_never() -> None:
    """Infinite activity has no due date."""
    found = lane(NOW - datetime.max.replace(tzinfo=UTC))
    assert (found.state, found.due_at) == (State.NO_ACTIVITY, None)


def entry(rows: int, class_: CredentialClass, erased_at: datetime | None = None) -> ExplainedEntry:
    """An entry with so many rows."""
    return ExplainedEntry(
        name="faces", table="public.faces", class_=class_, rows=rows, erased_at=erased_at
    )


def test_an_entry_goes_with_the_first_lane_that_takes_it() -> None:
    """Biometrics by their shorter period; with all credentials where that one is not in the way."""
    short, long = lane(100 * DAY, scope=Scope.BIOMETRICS), lane(10 * DAY)
    found = explain_entry(entry(1, CredentialClass.BIOMETRIC), [short, long])
    assert (found.lane, found.state) == (short, State.DUE)
    assert explain_entry(entry(1, CredentialClass.OTHER), [short, long]).lane == long
    waits = lane(100 * DAY, scope=Scope.BIOMETRICS, obstacles=(PAUSE,))
    free = lane(95 * DAY)
    assert explain_entry(entry(1, CredentialClass.BIOMETRIC), [waits, free]).lane == free
    held = lane(100 * DAY, scope=Scope.BIOMETRICS, obstacles=(HOLD,))
    also = lane(10 * DAY, obstacles=(HOLD,))
    assert explain_entry(entry(1, CredentialClass.BIOMETRIC), [held, also]).lane == held


def test_rows_without_their_account() -> None:
    """No sweep reaches them, so nobody may be told that they go."""
    found = explain_entry(entry(1, CredentialClass.OTHER), [])
    assert (found.state, found.lane) == (State.ORPHANED, None)


def test_an_entry_without_rows() -> None:
    """Erased where rows went with the account, otherwise nothing was there."""
    gone = explain_entry(entry(0, CredentialClass.OTHER, NOW), [lane(DAY)])
    assert (gone.state, gone.lane) == (State.ERASED, None)
    assert explain_entry(entry(0, CredentialClass.OTHER), [lane(DAY)]).state is State.NOTHING
