"""Approvals: a person lets waiting lanes go, for the accounts that were shown and no others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import ConfigurationError, NeedsPerson
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan, PlanReport
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.service.plan.plan import plan
from retention_worker.service.tenants import tenant_id_of
from retention_worker.store.connection.session import Session
from retention_worker.store.own import approvals, lanes
from retention_worker.store.own.approvals import Grant

T = TypeVar("T")

# Lanes whose locks are held together: a batch of such a lane waits no longer than for these.
_AT_ONCE = 100


class MoreThanSaid(NeedsPerson):
    """More accounts are due than the person said may go: nothing would."""


class ChangedSince(NeedsPerson):
    """The lane has moved, waits no more, or by another policy: what was shown would not go."""


@dataclass(frozen=True, kw_only=True)
class NotedApproval:
    """An approval that was noted."""

    id: int
    tenant: str
    scope: Scope
    cutoff: datetime
    at_most: int
    expires_at: datetime


def waiting(context: Context, tenant: str, scope: Scope | None) -> PlanReport:
    """The tenant's lanes that wait for a person, with what is due in them."""
    report = plan(context, tenants=[tenant])
    found = [
        lane
        for lane in report.lanes
        if lane.stop_reason is StopReason.WAITING and scope in {None, lane.scope}
    ]
    return PlanReport(at=report.at, lanes=tuple(found))


def read_plan(context: Context, path: Path) -> list[LanePlan]:
    """The waiting lanes of a plan that was saved with `plan --json`.

    Raises:
        ConfigurationError: the file is missing, or is no such plan, or one of a time that has not
            come; nothing was approved.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        at = datetime.fromisoformat(content["at"])
        lanes = [LanePlan.from_json(each) for each in content["lanes"]]
        to_come = at > _latest(context)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"{path}: no plan: save one with `plan --json > FILE`") from exc
    if to_come:
        raise ConfigurationError(f"{path}: {_to_come(at)}")
    return [lane for lane in lanes if lane.stop_reason is StopReason.WAITING]


def _latest(context: Context) -> datetime:
    """The latest instant that is not to come, as far as clocks agree."""
    return context.clock() + timedelta(seconds=context.settings.max_clock_skew_seconds)


def _to_come(at: datetime) -> str:
    return (
        f"a plan for {at:%Y-%m-%d %H:%M} UTC, which has not come: nothing was approved; save one "
        "of now with `plan --json`"
    )


def approve(
    context: Context,
    shown: Sequence[LanePlan],
    *,
    reason: str,
    actor: str,
    lasts: timedelta,
    at_most: int | None = None,
) -> list[NotedApproval]:
    """Let lanes go: the accounts that each plan has shown, up to its cutoff, under its policy.

    Args:
        shown: the lanes as a plan showed them.
        reason: why, for the record.
        actor: who.
        lasts: how long the approval counts.
        at_most: refuse where more accounts of a lane are due.

    Raises:
        ConfigurationError: nothing was shown that could be approved, or only for a time to come.
        MoreThanSaid: more than `at_most` accounts of a lane are due; nothing was approved.
        ChangedSince: a lane is not as it was shown; those that are, were approved.
    """
    lanes_shown = [lane for lane in shown if lane.scope and lane.cutoff and lane.due]
    if not lanes_shown:
        raise ConfigurationError("nothing waits for an approval")
    for lane in lanes_shown:
        if lane.shown is None:
            raise ConfigurationError(
                f"the plan of tenant {lane.tenant!r} does not say which accounts are due: save it "
                "again with `plan --json`"
            )
        if at_most is not None and lane.due > at_most:
            raise MoreThanSaid(
                f"{lane.due} accounts of tenant {lane.tenant!r} are due ({lane.scope}), more than "
                f"the {at_most} that may go: nothing was approved"
            )
    settings, now = context.settings, context.clock()
    policies = load_policies(settings.config_dir, settings.bounds)
    grants = [
        (
            lane,
            Grant(
                tenant_id=tenant_id_of(policies, lane.tenant, single=False),
                scope=_known(lane.scope),
                policy_digest=_known(lane.policy_digest),
                cutoff=_come(context, policies, lane),
                at_most=at_most or lane.due,
                actor=actor,
                reason=reason,
                now=now,
                expires_at=now + lasts,
                shown=_known(lane.shown),
            ),
        )
        for lane in lanes_shown
    ]
    # In one order, so that two people who approve at once cannot deadlock.
    grants.sort(key=lambda each: (each[1].tenant_id, each[1].scope))
    found: list[NotedApproval] = []
    with context.pool.connection() as conn:
        context.check_schema(conn)
        for start in range(0, len(grants), _AT_ONCE):
            with context.writing(conn) as session:
                for lane, grant in grants[start : start + _AT_ONCE]:
                    found += _note(session, lane, grant)
    changed = len(grants) - len(found)
    if changed:
        rest = "; the others were approved" if found else ""
        raise ChangedSince(f"{changed} of the lanes shown are not as they were{rest}: look again")
    return found


def given(
    context: Context, file: PolicyFile, scope: Scope | None, *, actor: str, reason: str
) -> list[NotedApproval]:
    """What the same person approved for the same reason a moment ago, and no sweep has used yet.

    Then the lanes wait no more, and asking again is not another approval.
    """
    policy = file.policy
    with context.reading() as session:
        rows = approvals.given(
            session,
            policy.tenant_id,
            policy_digest=policy.digest,
            actor=actor,
            reason=reason,
            now=context.clock(),
        )
    found = [
        NotedApproval(tenant=policy.tenant, **row | {"scope": Scope(row["scope"])}) for row in rows
    ]
    return [each for each in found if scope in {None, each.scope}]


def _known(value: T | None) -> T:
    """A lane that was shown as due has a scope, a cutoff and a policy."""
    assert value is not None
    return value


def _come(context: Context, policies: PolicySet, lane: LanePlan) -> datetime:
    """The cutoff that was shown, if it is one of today's.

    Raises:
        ConfigurationError: by the policy that is in effect it is not.
    """
    cutoff, file = _known(lane.cutoff), policies.files.get(lane.tenant)
    if file is None or file.policy.digest != lane.policy_digest:
        return cutoff  # counts for nothing until that policy is in effect
    latest = cutoff_of(file, _known(lane.scope), _latest(context), context.settings.bounds)
    if latest is None or cutoff > latest:
        raise ConfigurationError(_to_come(cutoff))
    return cutoff


def _note(session: Session, lane: LanePlan, grant: Grant) -> list[NotedApproval]:
    """Under the lane's lock; nothing where it has moved since it was shown."""
    lanes.register(session, [grant.tenant_id])
    state = lanes.lock(session, grant.tenant_id, grant.scope)
    if lane.place is not None and state.place != lane.place:
        return []
    number, expires_at = approvals.add(session, grant)
    return [
        NotedApproval(
            id=number,
            tenant=lane.tenant,
            scope=grant.scope,
            cutoff=grant.cutoff,
            at_most=grant.at_most,
            expires_at=expires_at,
        )
    ]
