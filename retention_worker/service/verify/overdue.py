"""What is past its due date: accounts, overdue or kept back for a reason, and people's requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from retention_worker.domain.ledger.verification import LaneLeft, Observation
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import Policy
from retention_worker.domain.scope import Scope
from retention_worker.service.verify.moment import Moment
from retention_worker.store.connection.session import Session
from retention_worker.store.verify import own_tables

_MOMENT = timedelta(microseconds=1)


def lanes_left(session: Session, scene: Moment, scope: Scope) -> list[LaneLeft]:
    """The lanes of a scope in which anything is past its due date by more than is allowed."""
    policies = scene.in_force()
    cutoffs = {
        tenant_id: cutoff
        for tenant_id, policy in policies.items()
        if tenant_id in scene.values and (cutoff := _cutoff(scene, policy.period(scope)))
    }
    if not cutoffs or not scene.datamap.entries(scope):
        return []
    # What kept an account back until then is no longer an excuse.
    allowed = scene.context.settings.overdue_after
    since = scene.now - allowed
    began, in_force = own_tables.pauses(session, scene.now, allowed)
    rows = session.rows(
        scene.looks.overdue(scope),
        {
            "tenants": list(cutoffs),
            "values": [scene.values[tenant_id] for tenant_id in cutoffs],
            "cutoffs": list(cutoffs.values()),
            "excused": [_excused(policies[each].period(scope), began, allowed) for each in cutoffs],
            "scope": scope,
            "since": since,
        },
    )
    stopped = _Stopped(
        everything=in_force,
        waiting=own_tables.waiting_lanes(session, scene.only, since),
    )
    return [
        _lane(policies[row["tenant_id"]], scope, cutoffs[row["tenant_id"]], row, stopped)
        for row in rows
    ]


def overdue(lanes: Iterable[LaneLeft], after: timedelta) -> list[Observation]:
    """What of it has no excuse."""
    return [
        Observation(
            check="overdue",
            tenant=lane.tenant,
            scope=lane.scope,
            count=lane.overdue,
            oldest=lane.oldest,
            examples=lane.examples,
            message=f"{lane.overdue} account(s) hold credentials past their due date by more than "
            f"{after}, and nothing keeps them back: run a sweep, then look at its lane",
        )
        for lane in lanes
        if lane.overdue
    ]


def requests(session: Session, scene: Moment) -> Iterator[Observation]:
    """Requests that should have been done by now."""
    for each in own_tables.requests(session, scene.only, scene.now):
        yield Observation(
            check="requests",
            tenant=scene.name(each.tenant_id),
            count=each.count,
            oldest=each.oldest,
            examples=each.examples,
            message=f"{each.count} request(s) of people are open past the day they were due",
        )


@dataclass(frozen=True, kw_only=True)
class _Stopped:
    """Lanes in which nothing is erased, with a person's knowledge; `waiting`: or until lately."""

    everything: bool
    waiting: set[tuple[str, Scope]]

    def headings(self, policy: Policy, scope: Scope, row: dict[str, Any]) -> dict[str, int]:
        """Under which heading accounts go that are neither on hold nor deferred."""
        if policy.paused or self.everything:
            return {"paused": row["paused"] + row["overdue"]}
        late = "waiting" if (policy.tenant_id, scope) in self.waiting else "overdue"
        return {"paused": row["paused"], late: row["overdue"]}


def _cutoff(scene: Moment, period: Period | None) -> datetime | None:
    """The latest activity whose due date is past by more than is allowed."""
    if period is None:
        return None
    return period.cutoff(scene.now - scene.context.settings.overdue_after)


def _excused(period: Period | None, began: datetime | None, allowed: timedelta) -> datetime | None:
    """The latest activity that was late already when a pause began; None: there was no pause."""
    if period is None or began is None:
        return None
    return period.cutoff(began - allowed - _MOMENT)


def _lane(
    policy: Policy, scope: Scope, cutoff: datetime, row: dict[str, Any], stopped: _Stopped
) -> LaneLeft:
    period = policy.period(scope)
    assert period is not None
    headings = stopped.headings(policy, scope, row)
    examples = tuple(row["examples"] or ())
    return LaneLeft(
        tenant=policy.tenant,
        scope=scope,
        cutoff=cutoff,
        on_hold=row["on_hold"],
        deferred=row["deferred"],
        oldest=period.due_at(row["oldest"]) if any(headings.values()) else None,
        # Those that are late come first.
        examples=examples[: headings.get("overdue") or None],
        **headings,
    )
