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
    since = scene.now - scene.context.settings.overdue_after
    rows = session.rows(
        scene.looks.overdue(scope),
        {
            "tenants": list(cutoffs),
            "values": [scene.values[tenant_id] for tenant_id in cutoffs],
            "cutoffs": list(cutoffs.values()),
            "scope": scope,
            "since": since,
        },
    )
    stopped = _Stopped(
        everything=own_tables.paused(session, since),
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
    """Lanes in which nothing is erased, or was until lately, with a person's knowledge."""

    everything: bool
    waiting: set[tuple[str, Scope]]

    def excuse(self, policy: Policy, scope: Scope) -> str:
        """Under which heading accounts go that are neither on hold nor deferred."""
        if policy.paused or self.everything:
            return "paused"
        return "waiting" if (policy.tenant_id, scope) in self.waiting else "overdue"


def _cutoff(scene: Moment, period: Period | None) -> datetime | None:
    """The latest activity whose due date is past by more than is allowed."""
    if period is None:
        return None
    return period.cutoff(scene.now - scene.context.settings.overdue_after)


def _lane(
    policy: Policy, scope: Scope, cutoff: datetime, row: dict[str, Any], stopped: _Stopped
) -> LaneLeft:
    period = policy.period(scope)
    assert period is not None
    return LaneLeft(
        tenant=policy.tenant,
        scope=scope,
        cutoff=cutoff,
        on_hold=row["on_hold"],
        deferred=row["deferred"],
        oldest=period.due_at(row["oldest"]) if row["overdue"] else None,
        examples=tuple(row["examples"] or ()),
        **{stopped.excuse(policy, scope): row["overdue"]},
    )
