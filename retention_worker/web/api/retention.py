"""The tenant's data settings, the explanation of an account, and approvals."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.explain.explanation_json import to_json
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.explain.data_settings import DataSettings, data_settings
from retention_worker.service.explain.explain import explain
from retention_worker.service.plan import approve as approving
from retention_worker.store.own.clients import Bearer
from retention_worker.web.api.answer import Reason, RequestBody, ResponsePart
from retention_worker.web.api.bearer import REFUSALS, Reader, permitted, tenant_of
from retention_worker.web.api.idempotent import Once
from retention_worker.web.parts import Given
from retention_worker.web.problems import ProblemError
from retention_worker.web.responses import problems

router = APIRouter(prefix="/api/v1/retention", tags=["retention"])

_MAX_DAYS = 90

Approver = Annotated[Bearer, permitted(Permission.APPROVE)]


class ScopeSettings(ResponsePart):
    """The settings of a scope: its period, and how its lane ended in the last sweep."""

    scope: Scope
    period: str | None = Field(description="None: retention never erases it.")
    credentials: list[str] = Field(description="Entries of the data map.")
    stop_reason: str | None
    waiting_since: datetime | None = Field(description="Since when it waits for an approval.")


class Settings(ResponsePart):
    """The policy that is in effect for the tenant."""

    tenant: str
    tenant_id: str
    counted_from: str = "last activity of the account"
    policy_digest: str | None = Field(description="None: no valid policy, so nothing is erased.")
    policy_valid: bool
    applied_at: datetime | None = Field(description="None: no sweep has applied it yet.")
    paused: bool
    scopes: list[ScopeSettings]
    last_sweep: datetime | None
    next_sweep: datetime | None


class Approval(RequestBody):
    """Which waiting lanes may go, and why."""

    reason: Reason
    scope: Scope | None = Field(None, description="None: all that wait.")
    policy_digest: str | None = Field(
        None, max_length=64, description="Refused where another policy is in effect."
    )
    at_most: int | None = Field(
        None, ge=1, le=10**15, description="Refused where more accounts are due."
    )
    days: int = Field(7, ge=1, le=_MAX_DAYS, description="How long it counts.")


class Approved(ResponsePart):
    """An approval that was noted: for accounts with activity up to `cutoff`."""

    approval: int
    scope: Scope
    cutoff: datetime
    at_most: int
    expires_at: datetime


class Approvals(ResponsePart):
    """The approvals that were noted."""

    approvals: list[Approved]


@router.get("/data-settings", operation_id="dataSettings", responses=problems(*REFUSALS))
def settings(parts: Given, bearer: Reader) -> Settings:
    """The tenant's policy as it is in effect, and when the next sweep is."""
    return _shown(data_settings(parts.context, tenant_of(bearer)))


@router.get("/accounts/{account}", operation_id="explain", responses=problems(*REFUSALS, 404))
def explanation(account: str, parts: Given, bearer: Reader) -> dict[str, Any]:
    """Why the credentials of an account are still there and when they go; what was erased."""
    return to_json(explain(parts.context, account, tenant=tenant_of(bearer)))


@router.post(
    "/approvals",
    operation_id="approve",
    status_code=HTTPStatus.CREATED,
    responses=problems(*REFUSALS, 409),
)
def approve(approval: Approval, parts: Given, bearer: Approver, idempotent: Once) -> Approvals:
    """Let waiting lanes of the tenant go, for the accounts that are due now and no others.

    One approval a lane is open: a new one takes its place.
    """
    return idempotent.answer(
        bearer, approval, Approvals, lambda: _approve(approval, parts.context, bearer)
    )


def _approve(approval: Approval, context: Context, bearer: Bearer) -> Approvals:
    found = data_settings(context, tenant_of(bearer)).tenant
    lanes = _waiting(
        approving.waiting(context, found.name, approval.scope).lanes if found.file else ()
    )
    digests = {lane.policy_digest for lane in lanes}
    if approval.policy_digest is not None and digests != {approval.policy_digest}:
        raise _conflict("Another policy is in effect: look at the data settings again.")
    actor, reason = bearer.client_id, approval.reason
    noted = []
    if not lanes and found.file is not None:
        noted = approving.given(context, found.file, approval.scope, actor=actor, reason=reason)
    try:
        noted = noted or approving.approve(
            context,
            lanes,
            reason=reason,
            actor=actor,
            lasts=timedelta(days=approval.days),
            at_most=approval.at_most,
        )
    except ConfigurationError:
        raise _conflict("No lane waits for an approval.") from None
    except approving.MoreThanSaid as exc:
        raise _conflict(f"{exc}.") from None
    except approving.ChangedSince:
        raise _conflict("A lane has moved meanwhile: look again.") from None
    return Approvals(
        approvals=[
            Approved(
                approval=each.id,
                scope=each.scope,
                cutoff=each.cutoff,
                at_most=each.at_most,
                expires_at=each.expires_at,
            )
            for each in noted
        ]
    )


def _shown(found: DataSettings) -> Settings:
    file = found.tenant.file
    policy = file.policy if file else None
    return Settings(
        tenant=found.tenant.name,
        tenant_id=found.tenant.tenant_id,
        policy_digest=policy.digest if policy else None,
        policy_valid=policy is not None,
        applied_at=found.applied_at,
        paused=policy.paused if policy else False,
        scopes=[
            ScopeSettings(
                scope=scope,
                period=str(period)
                if policy and (period := policy.period(scope)) is not None
                else None,
                credentials=list(found.credentials[scope]),
                stop_reason=stop.reason if (stop := found.stops.get(scope)) else None,
                waiting_since=stop.waiting_since if stop else None,
            )
            for scope in (Scope.ALL, Scope.BIOMETRICS)
        ],
        last_sweep=found.last_sweep,
        next_sweep=found.next_sweep,
    )


def _waiting(lanes: tuple[LanePlan, ...]) -> list[LanePlan]:
    return [lane for lane in lanes if lane.due]


def _conflict(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, detail)
