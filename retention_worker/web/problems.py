"""Errors as answers: `{"title", "status", "detail"}`, and never what is inside the server."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from retention_worker.domain.errors import (
    BatchTimeout,
    ConfigurationError,
    DatabaseUnavailable,
    GuardRefused,
    InProgress,
    OnHold,
    RetentionWorkerError,
    UnknownSubject,
)

_log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
# A lock or a database that restarts passes within seconds.
_RETRY_SECONDS = 5
# The first that fits counts, so what is more special comes first. The texts are fixed: a message of
# ours may name an id, a file or a table, which is for the log and not for a client.
_ANSWERS: tuple[tuple[type[RetentionWorkerError], HTTPStatus, str], ...] = (
    (UnknownSubject, HTTPStatus.NOT_FOUND, "There is nothing here that this client may see."),
    (
        OnHold,
        HTTPStatus.LOCKED,
        "The account is on a legal hold: nothing is erased while it lasts.",
    ),
    (
        InProgress,
        HTTPStatus.CONFLICT,
        "Something is still in progress: nothing was erased. Ask again when it has ended, or with "
        "in_progress.",
    ),
    (
        BatchTimeout,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The account is locked by somebody else at the moment: ask again.",
    ),
    (
        DatabaseUnavailable,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database cannot be reached at the moment: ask again.",
    ),
    (
        GuardRefused,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A guard refuses it at the moment: the operator's log says which.",
    ),
    (
        ConfigurationError,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is not configured rightly: the operator's log says what is wrong.",
    ),
)
_INTERNAL = "An error inside the server: the operator's log says where."


class Problem(BaseModel):
    """What went wrong, in the form of RFC 9457."""

    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What it means here, and what to do.")


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers, self.more = headers, more

    def response(self) -> JSONResponse:
        """The answer."""
        return problem(self.status, self.detail, self.headers, self.more)


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A problem as an answer; `more` are members before the three that each has."""
    body = {**(more or {}), "title": _title(status), "status": int(status), "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def response_of(exc: RetentionWorkerError) -> JSONResponse:
    """What a client is told of an error of ours."""
    found = next((each for each in _ANSWERS if isinstance(exc, each[0])), None)
    status, detail = found[1:] if found else (HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request_failed", error=type(exc).__name__, detail=str(exc).splitlines()[:1])
    again = {"Retry-After": str(_RETRY_SECONDS)}
    return problem(status, detail, again if status == HTTPStatus.SERVICE_UNAVAILABLE else None)


def internal() -> JSONResponse:
    """The fixed answer to a defect."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)


def handle_in(app: FastAPI) -> None:
    """Answer every error of the application's routes with a problem."""
    app.add_exception_handler(ProblemError, _of_ours)
    app.add_exception_handler(RetentionWorkerError, _of_service)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)


def _of_ours(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, ProblemError)
    return exc.response()


def _of_service(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, RetentionWorkerError)
    return response_of(exc)


def _of_validation(_: Request, exc: Exception) -> Response:
    """What is wrong where, without the value: it may be somebody's name."""
    assert isinstance(exc, RequestValidationError)
    faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors()]
    # A name that the client sent may hold half of a surrogate pair, which no answer can.
    detail = "; ".join(faults[:10]).encode(errors="replace").decode()
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _of_http(_: Request, exc: Exception) -> Response:
    """What the framework refuses: an unknown path, a method, a body that is no JSON."""
    assert isinstance(exc, HTTPException)
    return problem(exc.status_code, _title(exc.status_code) + ".", exc.headers)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase
