"""Approvals: a person lets waiting lanes go, for the accounts that were shown and no others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.lane import StopReason
from retention_worker.domain.report import LanePlan, PlanReport
from retention_worker.domain.scope import Scope
from retention_worker.service.plan import plan
from retention_worker.service.prepare import tenant_id_of
from retention_worker.service.worker import Worker
from retention_worker.store import approvals, lanes
from retention_worker.store.migrations import check
from retention_worker.store.pool import writing
from retention_worker.store.session import Session

__all__ = ["Approved", "approve", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Approved:
    """An approval that was noted."""

    id: int
    tenant: str
    scope: Scope
    cutoff: datetime
    at_most: int
    expires_at: datetime


def waiting(worker: Worker, tenant: str, scope: Scope | None) -> PlanReport:
    """The tenant's lanes that wait for a person, with what is due in them."""
    report = plan(worker, tenants=[tenant])
    found = [
        lane
        for lane in report.lanes
        if lane.stop_reason is StopReason.WAITING and scope in {None, lane.scope}
    ]
    return PlanReport(at=report.at, lanes=tuple(found))


def read_plan(path: Path) -> list[LanePlan]:
    """The waiting lanes of a plan that was saved with `plan --json`.

    Raises:
        ConfigurationError: the file is missing, or is no such plan; nothing was approved.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        lanes = [LanePlan.from_json(each) for each in content["lanes"]]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"{path}: no plan: save one with `plan --json > FILE`") from exc
    return [lane for lane in lanes if lane.stop_reason is StopReason.WAITING]


def approve(
    worker: Worker,
    shown: Sequence[LanePlan],
    *,
    reason: str,
    actor: str,
    lasts: timedelta,
    at_most: int | None = None,
) -> list[Approved]:
    """Let lanes go: the accounts with activity up to each plan's cutoff, under its policy.

    Args:
        worker: the parts.
        shown: the lanes as a plan showed them.
        reason: why, for the record.
        actor: who.
        lasts: how long the approval counts.
        at_most: how many accounts a lane; where it is None, as many as were due.

    Raises:
        ConfigurationError: nothing was shown that could be approved.
    """
    lanes_shown = [lane for lane in shown if lane.scope and lane.cutoff and lane.due]
    if not lanes_shown:
        raise ConfigurationError("nothing waits for an approval")
    settings, now = worker.settings, worker.clock()
    policies = load_policies(settings.config_dir, settings.bounds)
    found: list[Approved] = []
    with worker.pool.connection() as conn:
        check(conn, settings.schema_name)
        with writing(conn):
            session = Session(conn, settings.schema_name)
            for lane in lanes_shown:
                assert lane.scope is not None
                assert lane.cutoff is not None
                assert lane.policy_digest is not None
                tenant_id = tenant_id_of(policies, lane.tenant, single=False)
                lanes.register(session, [tenant_id])
                number = approvals.add(
                    session,
                    tenant_id,
                    lane.scope,
                    policy_digest=lane.policy_digest,
                    cutoff=lane.cutoff,
                    at_most=at_most or lane.due,
                    actor=actor,
                    reason=reason,
                    now=now,
                    expires_at=now + lasts,
                )
                found.append(
                    Approved(
                        id=number,
                        tenant=lane.tenant,
                        scope=lane.scope,
                        cutoff=lane.cutoff,
                        at_most=at_most or lane.due,
                        expires_at=now + lasts,
                    )
                )
    return found
