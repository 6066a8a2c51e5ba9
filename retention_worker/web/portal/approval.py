"""The page on which a second person lets a waiting lane go."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from retention_worker.domain.scope import Scope
from retention_worker.service.access.approving import (
    SamePerson,
    ShownLane,
    approve_shown,
    causer,
    lanes_waiting,
)
from retention_worker.service.explain.data_settings import data_settings
from retention_worker.service.plan.approve import ChangedSince
from retention_worker.service.tenants import Tenant
from retention_worker.web.portal.account import Reason
from retention_worker.web.portal.page import PageRoute, go, render
from retention_worker.web.portal.visitor import Approver, Confirmed, Visitor
from retention_worker.web.problems import ProblemError

router = APIRouter(route_class=PageRoute)


@router.get("/approve")
def ask(request: Request, visitor: Approver) -> Response:
    """The lanes that wait now, why, and how many accounts would go."""
    return _page(request, visitor)


def _page(
    request: Request, visitor: Visitor, *, status: int = HTTPStatus.OK, wrong: str | None = None
) -> Response:
    tenant = _tenant(visitor)
    lanes = lanes_waiting(visitor.context, tenant.name) if tenant.file else []
    return render(
        request,
        "approve",
        status=status,
        wrong=wrong,
        tenant=tenant,
        lanes=[
            (lane, causer(visitor.context, tenant.tenant_id, lane.policy_digest, visitor.name))
            for lane in lanes
        ],
    )


def _tenant(visitor: Visitor) -> Tenant:
    return data_settings(visitor.context, visitor.tenant).tenant


@router.post("/approve", dependencies=[Confirmed])
def approve(  # noqa: PLR0913, PLR0917 - the fields of a form
    request: Request,
    visitor: Approver,
    scope: Annotated[Scope, Form()],
    digest: Annotated[str, Form(max_length=64)],
    cutoff: Annotated[datetime, Form()],
    due: Annotated[int, Form(ge=1)],
    place: Annotated[str, Form(max_length=2_000)] = "",
    accounts: Annotated[str, Form(max_length=64)] = "",
    typed: Annotated[str, Form(max_length=300)] = "",
    reason: Reason = "",
) -> Response:
    """Note the approval; the next sweep goes by it."""
    tenant = _tenant(visitor)
    if not reason or typed.strip() != tenant.name or cutoff.tzinfo is None:
        wrong = "Nothing was approved: write why, and type the tenant's name as it is shown."
        return _page(request, visitor, status=HTTPStatus.UNPROCESSABLE_ENTITY, wrong=wrong)
    try:
        approve_shown(
            visitor.context,
            tenant.name,
            tenant.tenant_id,
            ShownLane(
                scope=scope,
                digest=digest,
                cutoff=cutoff,
                due=due,
                place=place,
                accounts=accounts,
            ),
            reason=reason,
            actor=visitor.name,
        )
    except ChangedSince:
        wrong = "Nothing was approved: it is not as it was shown any more. Look again."
        return _page(request, visitor, status=HTTPStatus.CONFLICT, wrong=wrong)
    except SamePerson as exc:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "You caused that this waits: a second person has to approve it."
        ) from exc
    return go("settings")
