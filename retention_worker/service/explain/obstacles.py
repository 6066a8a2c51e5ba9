"""Finds what keeps one account's due credentials of one scope from going."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.explain import obstacle
from retention_worker.domain.explain.explanation import Obstacle
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.guard import halts
from retention_worker.service.tenants import Tenant
from retention_worker.store.connection.keys import id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.explain import explain as store
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.explain import ExplainSql
from retention_worker.store.own import approvals, control, holds, lanes

# How a lane ends where no later sweep goes on by itself.
_STUCK = frozenset({StopReason.FAILED, StopReason.REFUSED})
_FAILURES = frozenset(
    {DeferReason.LOCKED, DeferReason.TIMEOUT, DeferReason.ERROR, DeferReason.PARTIAL}
)


@dataclass(frozen=True, kw_only=True)
class AccountScope:
    """An account and a scope; `refusal`: why no sweep would start at all.

    `lost`: which rows of the account no erasing statement reaches, None where it reaches all.
    """

    context: Context
    session: Session
    compiled: CompiledMap
    sql: ExplainSql
    tenant: Tenant
    account: store.AccountActivity
    scope: Scope
    deferral: store.Deferral | None
    now: datetime
    refusal: str | None
    lost: str | None = None


def obstacles_of(case: AccountScope) -> list[Obstacle]:
    """What is in the way, the weightiest first; some of it only once the account is due."""
    return [
        *_holds(case),
        *(
            halt.obstacle
            for halt in halts.of_people(control.paused(case.session, case.now), case.tenant.file)
        ),
        *([obstacle.refused(case.refusal)] if case.refusal is not None else []),
        *_stopped(case),
        *([obstacle.out_of_reach(case.lost)] if case.lost is not None else []),
        *_deferred(case),
        *(halt.obstacle for halt in halts.of_operator(case.context.settings, case.now)),
    ]


def _holds(case: AccountScope) -> Iterator[Obstacle]:
    tenant_id, key = case.tenant.tenant_id, case.account.key
    for hold in holds.of_account(case.session, case.compiled, tenant_id, key, case.now):
        yield obstacle.held(
            number=hold.id,
            placed_at=hold.placed_at,
            by=hold.placed_by,
            reason=hold.reason,
            until=hold.until,
        )


def _stopped(case: AccountScope) -> Iterator[Obstacle]:
    """How the lane's last sweep ended, where that still stands."""
    stop = store.stops(case.session, case.tenant.tenant_id).get(case.scope)
    if stop is None:
        return
    if stop.reason is StopReason.WAITING and stop.waiting_since and not _is_approved(case):
        yield obstacle.waiting(since=stop.waiting_since, reason=stop.text)
    elif stop.reason in _STUCK:
        assert stop.reason is not None
        yield obstacle.stopped(stop.reason, stop.text)


def _is_approved(case: AccountScope) -> bool:
    """Whether an approval that counts lets this account go."""
    file = case.tenant.file
    if file is None:
        return False
    approval = approvals.current(
        case.session, case.tenant.tenant_id, case.scope, file.policy.digest, case.now
    )
    ats = [at for at in case.account.own.values() if at]
    if approval is None or id_text(case.account.key) not in approval.shown:
        return False
    return bool(ats) and max(ats) <= approval.cutoff


def _deferred(case: AccountScope) -> Iterator[Obstacle]:
    """Tried again at a time of its own, or passed by the watermark without a note."""
    found = case.deferral
    if found is not None and found.reason is DeferReason.HOLD:
        return  # the hold itself says so; what it kept is not behind anything
    if found is None or (found.retry_at is None and found.active_at is None):
        if _is_behind(case):
            yield obstacle.behind()
    elif found.reason in _FAILURES and found.retry_at and found.retry_at > case.now:
        yield obstacle.deferred(
            found.reason, attempts=found.attempts, retry_at=found.retry_at, detail=found.detail
        )


def _is_behind(case: AccountScope) -> bool:
    tenant_id = case.tenant.tenant_id
    states = lanes.of_tenants(case.session, [tenant_id])
    lane = next((each for each in states if each.scope is case.scope), None)
    if lane is None or lane.watermark is None:
        return False
    if lane.map_digest != case.compiled.datamap.digest(case.scope):
        return False  # the next sweep looks through everything
    return store.passed(
        case.session, case.compiled, case.sql, tenant_id, case.account.key, lane.watermark
    )
