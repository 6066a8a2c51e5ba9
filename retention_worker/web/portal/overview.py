"""The first page: the tenant at a glance, and where an id leads."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from retention_worker.domain.errors import UnknownSubject
from retention_worker.service.explain.details import describe
from retention_worker.service.explain.explain import explain
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


@router.get("/find")
def find(request: Request, visitor: Viewer, id: str = "") -> Response:
    """Go to the transaction or the account of that id; or say that there is none, or both."""
    wanted = id.strip()
    if not wanted:
        return render(request, "find", id="", found=[])
    context, tenant = visitor.context, visitor.tenant
    looks = {
        "transaction": lambda: describe(context, wanted, tenant=tenant),
        "account": lambda: explain(context, wanted, tenant=tenant),
    }
    found = [kind for kind, look in looks.items() if _is_there(look)]
    if len(found) == 1:
        return go(found[0], id=wanted)
    status = HTTPStatus.OK if found else HTTPStatus.NOT_FOUND
    return render(request, "find", status=status, id=wanted, found=found)


def _is_there(look: Callable[[], object]) -> bool:
    """An id that cannot be one is as unknown as one that nobody has."""
    try:
        look()
    except UnknownSubject:
        return False
    return True
