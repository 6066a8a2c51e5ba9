"""Finds an account or a transaction by its id."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from retention_worker.domain.errors import ConfigurationError
from retention_worker.service.details import describe
from retention_worker.service.explain import explain
from retention_worker.web.portal.page import PageRoute, go, render
from retention_worker.web.portal.visitor import Viewer

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)


@router.get("/find")
def find(request: Request, visitor: Viewer, id: str = "") -> Response:
    """Go to the transaction or the account of that id; or say that there is none."""
    wanted = id.strip()
    if not wanted:
        return render(request, "find", id="", wrong=None)
    worker, tenant = visitor.worker, visitor.tenant
    if _is_there(lambda: describe(worker, wanted, tenant=tenant)):
        return go("transaction", id=wanted)
    if _is_there(lambda: explain(worker, wanted, tenant=tenant)):
        return go("account", id=wanted)
    wrong = "There is no transaction and no account of this id in your tenant."
    return render(request, "find", status=HTTPStatus.NOT_FOUND, id=wanted, wrong=wrong)


def _is_there(look: Callable[[], object]) -> bool:
    """An id that cannot be one is as unknown as one that nobody has."""
    try:
        look()
    except ConfigurationError:
        return False
    return True
