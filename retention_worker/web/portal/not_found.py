"""Every address under /portal that is no page."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from retention_worker.web.portal.page import PageRoute
from retention_worker.web.portal.visitor import Viewer
from retention_worker.web.problems import ProblemError

router = APIRouter(route_class=PageRoute)


@router.get("/{rest:path}")
def nowhere(visitor: Viewer, rest: str) -> Response:
    """There is no such page; who is not signed in is not even told that."""
    del visitor, rest
    raise ProblemError(HTTPStatus.NOT_FOUND, "There is no such page.")
