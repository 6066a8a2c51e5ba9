"""Around every request: headers, the access log, metrics, no trace to a client, a size at most."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from pathlib import PurePath
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retention_worker import metrics
from retention_worker.clock import Monotonic
from retention_worker.web.problems import internal, problem

_log = structlog.get_logger()

# Pages bring their own script and style from this host alone; nothing is ever inline.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    # Browsers heed it where the proxy in front speaks TLS, and nowhere else.
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# An answer may hold what only its reader may see, so nobody keeps it, unless a route says so.
_NO_STORE = "no-store"
# A reason and a few names: nothing that is sent here is larger.
MAX_BODY_BYTES = 64 * 1024
_DETAIL = f"The body is larger than {MAX_BODY_BYTES // 1024} KB."


class Boundary:
    """The outermost ring of the application."""

    def __init__(self, app: ASGIApp, monotonic: Monotonic) -> None:
        self._app = app
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                _add_headers(message)
            await send(message)

        with metrics.HTTP_IN_HAND.track_inprogress():
            try:
                await self._app(scope, receive, answer)
            except Exception as exc:
                _tell(exc)
                if not status:
                    await internal()(scope, receive, answer)
        _note(scope, status or 500, self._monotonic() - began)


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", _NO_STORE)


def _tell(exc: Exception) -> None:
    """A defect. The message stays out: it may quote what is in the database."""
    place = traceback.extract_tb(exc.__traceback__)[-1]
    _log.error(
        "request_crashed",
        error=type(exc).__name__,
        at=f"{PurePath(place.filename).name}:{place.lineno}",
    )


def _note(scope: Scope, status: int, seconds: float) -> None:
    """The route's template, never the path: it has ids of people in it."""
    route = _template(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.HTTP_REQUESTS.labels(method, route, str(status)).inc()
    metrics.HTTP_SECONDS.labels(route).observe(seconds)
    more: dict[str, Any] = {}
    if client := scope.get("state", {}).get("client"):
        more["client"] = client
    _log.info(
        "http_request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        **more,
    )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def _template(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unknown"


class BodyLimit:
    """Refuses a body that is too large, by its announced length or once it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((v for name, v in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or int(announced) > MAX_BODY_BYTES:
            await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _DETAIL)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                # The one error that the framework does not take for a body that is malformed.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, counted, send)
