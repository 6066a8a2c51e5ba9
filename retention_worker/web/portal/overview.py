"""The first page: the tenant at a glance."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from retention_worker.service.explain.overview import MOST_COUNTED
from retention_worker.service.explain.overview import overview as look
from retention_worker.web.portal.page import PageRoute, go, render
from retention_worker.web.portal.visitor import Viewer

router = APIRouter(route_class=PageRoute)


@router.get("")
def bare() -> Response:
    """Without the slash."""
    return go("")


@router.get("/")
def overview(request: Request, visitor: Viewer) -> Response:
    """What is overdue, pending and open."""
    found = look(visitor.context, visitor.tenant)
    return render(request, "overview", found=found, most=MOST_COUNTED)
