"""Why an account's credentials are still there, and when they go: the states, a pure judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from retention_worker.domain.objects.object import ObjectCounts, ObjectState
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import CredentialClass, Scope

_NEVER = datetime.max.replace(tzinfo=UTC)  # where Period.due_at puts what has no due date


class State(StrEnum):
    """What holds for credentials of an account in one lane, or for one entry of the data map."""

    NOTHING = "nothing"
    ORPHANED = "orphaned"
    ERASED = "erased"
    NO_POLICY = "no_policy"
    INVALID_POLICY = "invalid_policy"
    NEVER = "never"
    NO_ACTIVITY = "no_activity"
    NOT_DUE = "not_due"
    DUE = "due"
    ON_HOLD = "on_hold"
    PAUSED = "paused"
    WAITING = "waiting"
    STOPPED = "stopped"
    DEFERRED = "deferred"
    OUTSIDE_WINDOW = "outside_window"
    BEHIND = "behind"

    @property
    def needs_person(self) -> bool:
        """Whether a person has to do something before it goes on."""
        return self in {State.INVALID_POLICY, State.WAITING, State.STOPPED}


# What counts before the due date, too; every other obstacle only from then on.
_FROM_THE_START = frozenset({State.ON_HOLD, State.PAUSED})


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that counts as activity: where it is written, and when it was."""

    source: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyRule:
    """What the tenant's file says about one scope.

    `state` is set where there is no period to go by: NO_POLICY, INVALID_POLICY or NEVER;
    `problems` says what is wrong with the file. `applied_at`: since when sweeps go by it, None
    where the next one is the first.
    """

    state: State | None = None
    period: Period | None = None
    file: str | None = None
    digest: str | None = None
    applied_at: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What keeps due credentials from going: in plain words, and for those who can help."""

    state: State
    text: str
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class LaneExplained:
    """An account in a scope: the activity that decides, the due date, the state, the obstacles.

    `rows` are those of all entries that the scope erases. `due` is what a sweep at that instant
    would find due, whatever is in its way; `overdue`: for too long, and nothing is in its way.
    """

    scope: Scope
    rule: PolicyRule
    state: State
    rows: int
    activity: Activity | None = None
    due_at: datetime | None = None
    due: bool = False
    overdue: bool = False
    obstacles: tuple[Obstacle, ...] = ()


def explain_lane(
    scope: Scope,
    rule: PolicyRule,
    *,
    own: Activity | None,
    others: Sequence[Activity],
    rows: int,
    obstacles: Sequence[Obstacle],
    now: datetime,
    overdue_after: timedelta,
) -> LaneExplained:
    """Judge one scope.

    Args:
        scope: of the lane.
        rule: the tenant's.
        own: the account's own last activity; None: nothing to count from, so never due.
        others: activity elsewhere that counts too, credentials among it.
        rows: how many rows the scope would erase.
        obstacles: what is in the way, the weightiest first. A hold or a pause counts before the
            due date, too; every other only from then on.
        now: when a sweep would start.
        overdue_after: how long after the due date nothing may be left without an obstacle.
    """
    activity = max((own, *others), key=lambda each: each.at) if own else None
    due_at = rule.period.due_at(activity.at) if rule.period and activity else None
    if due_at == _NEVER:
        activity, due_at = None, None
    due = rows > 0 and due_at is not None and due_at <= now
    active = tuple(each for each in obstacles if due or each.state in _FROM_THE_START)
    state = _state(rule, rows, activity, active, due=due)
    return LaneExplained(
        scope=scope,
        rule=rule,
        state=state,
        rows=rows,
        activity=activity,
        due_at=due_at,
        due=due,
        overdue=state is State.DUE and due_at is not None and now - due_at > overdue_after,
        obstacles=active,
    )


def _state(
    rule: PolicyRule,
    rows: int,
    activity: Activity | None,
    obstacles: Sequence[Obstacle],
    *,
    due: bool,
) -> State:
    if rows == 0:
        return State.NOTHING
    if rule.state is not None:
        return rule.state
    if activity is None:
        return State.NO_ACTIVITY
    if obstacles:
        return obstacles[0].state
    return State.DUE if due else State.NOT_DUE


@dataclass(frozen=True, kw_only=True)
class ExplainedEntry:
    """An entry of the data map: what is there of the account, and what went.

    `objects` are named by rows that are there; `outbox` are those of erased rows.
    `erased_at`: when rows of it last went together with the account.
    """

    name: str
    table: str
    class_: CredentialClass
    rows: int
    objects: int = 0
    outbox: ObjectCounts = field(default_factory=ObjectCounts)
    erased_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class EntryExplained:
    """An entry, its state, and the lane that takes it first."""

    entry: ExplainedEntry
    state: State
    lane: LaneExplained | None


def explain_entry(entry: ExplainedEntry, lanes: Sequence[LaneExplained]) -> EntryExplained:
    """Judge one entry: the lane that goes for it first decides; a free one before a blocked."""
    if entry.rows == 0:
        state = State.ERASED if entry.erased_at else State.NOTHING
        return EntryExplained(entry=entry, state=state, lane=None)
    covering = [lane for lane in lanes if lane.scope.covers(entry.class_)]
    if not covering:  # the account's row is gone, and what hung on it is not
        return EntryExplained(entry=entry, state=State.ORPHANED, lane=None)
    first = min(covering, key=_turn)
    return EntryExplained(entry=entry, state=first.state, lane=first)


def _turn(lane: LaneExplained) -> tuple[bool, datetime]:
    return lane.state is not State.DUE, lane.due_at or _NEVER


@dataclass(frozen=True, kw_only=True)
class PastErasure:
    """A complete erasure of the account, or of one of its transactions.

    `period` is what the policy said then, in words; None where no period decided, or the log of
    policies does not know it any more.
    """

    kind: str
    id: str
    scope: Scope
    erased_at: datetime
    source: str
    last_activity: datetime | None = None
    tenant: str | None = None
    period: str | None = None
    policy_digest: str | None = None
    policy_applied_at: datetime | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class OpenRequest:
    """An ad-hoc erasure that was asked for and is not finished."""

    kind: str
    id: str
    scope: Scope
    requested_at: datetime
    due_by: datetime


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything about one account at one instant.

    `present` False: the account's row is gone and only the ledger knows it. `activities`: every
    source that was looked at; None where it has nothing. `ahead`: those of them that lie in the
    future.
    """

    account: str
    tenant: str
    tenant_id: str
    at: datetime
    present: bool
    activities: Mapping[str, datetime | None]
    lanes: tuple[LaneExplained, ...]
    entries: tuple[EntryExplained, ...]
    erasures: tuple[PastErasure, ...]
    requests: tuple[OpenRequest, ...]
    last_sweep: datetime | None
    ahead: tuple[str, ...] = ()

    @property
    def objects_pending(self) -> int:
        """Objects of erased rows that are not deleted yet."""
        return sum(sum(each.entry.outbox.left.values()) for each in self.entries)

    @property
    def exit_code(self) -> int:
        """0, or 1 where a person has to do something before it goes on."""
        orphaned = any(entry.state is State.ORPHANED for entry in self.entries)
        waits = any(lane.overdue or lane.state.needs_person for lane in self.lanes)
        stuck = any(
            entry.entry.outbox.left.get(state)
            for entry in self.entries
            for state in ObjectState
            if state.needs_person
        )
        late = any(each.due_by < self.at for each in self.requests)
        return int(orphaned or waits or stuck or late or bool(self.ahead))
