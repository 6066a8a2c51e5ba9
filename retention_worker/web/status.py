"""The routes for who watches the process: /health, /ready, /metrics."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from retention_worker import __version__, metrics
from retention_worker.service.schema import ready
from retention_worker.web.parts import Given
from retention_worker.web.responses import problems

router = APIRouter(tags=["status"])


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(BaseModel):
    """The database can be reached and its schema is the one that this version knows."""

    status: Literal["ready"] = "ready"


@router.get("/health", operation_id="health")
@router.head("/health", include_in_schema=False)
def health() -> Health:
    """Whether the process lives. Says nothing of the database: it may restart by itself."""
    return Health(version=__version__)


@router.get("/ready", operation_id="ready", responses=problems(503))
@router.head("/ready", include_in_schema=False)
def is_ready(parts: Given) -> Ready:
    """Whether requests can be answered: the database is reached and its schema is known."""
    ready(parts.context)
    return Ready()


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def show_metrics() -> Response:
    """Numbers of this process for Prometheus."""
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)
