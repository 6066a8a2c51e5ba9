"""The transaction details page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from retention_worker.domain.scope import Scope
from retention_worker.service.explain.details import describe
from retention_worker.service.explain.explain import explain
from retention_worker.service.request.consequences import hold_of
from retention_worker.web.portal.page import PageRoute, render
from retention_worker.web.portal.visitor import Viewer

router = APIRouter(route_class=PageRoute)


@router.get("/transaction")
def transaction(request: Request, visitor: Viewer, id: str) -> Response:
    """What is kept, what is there, what was erased when; and the two actions."""
    found = describe(visitor.context, id, tenant=visitor.tenant)
    whole = explain(visitor.context, found.account, tenant=visitor.tenant)
    return render(
        request,
        "transaction",
        found=found,
        hold=hold_of(whole),
        gone={scope: found.erased_at(scope) for scope in Scope},
        there={scope: found.rows(scope) for scope in Scope},
    )
