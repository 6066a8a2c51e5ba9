"""POST /oauth2/token: an access token for a client's secret (RFC 6749, client credentials)."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.security import HTTPBasic
from fastapi.security.base import SecurityBase
from pydantic import BaseModel, Field

from retention_worker import metrics
from retention_worker.domain.access.permission import Permission, parse_permissions
from retention_worker.service.access import tokens
from retention_worker.web.parts import Given, Parts
from retention_worker.web.problems import ProblemError
from retention_worker.web.responses import problems

router = APIRouter(tags=["tokens"])

_GRANT = "client_credentials"
# Ids are UUIDs. What fails is remembered by its name for a while, so a name must not be large.
_MAX_CLIENT_ID = 100
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="retention-worker"'}


class AccessToken(BaseModel):
    """What a client gets; it is sent as `Authorization: Bearer TOKEN`."""

    access_token: str = Field(description="Shown once, kept nowhere.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds.", examples=[3600])
    scope: str = Field(description="The permissions, with a space between.")


# For the document alone: the header is read below, so that each fault has an answer of its own.
_BASIC: SecurityBase = HTTPBasic(scheme_name="client", auto_error=False)


@router.post(
    "/oauth2/token",
    operation_id="token",
    responses=problems(400, 401, 429, 503),
    openapi_extra={"security": [{"client": []}]},
)
def token(
    request: Request,
    response: Response,
    parts: Given,
    grant_type: Annotated[str | None, Form(description=f"`{_GRANT}`")] = None,
    scope: Annotated[
        str | None, Form(description="Fewer permissions than the client has; else all.")
    ] = None,
) -> AccessToken:
    """Give a token for an hour, for the client's id and secret by HTTP Basic."""
    response.headers["Cache-Control"] = "no-store"
    if grant_type != _GRANT:
        error = "invalid_request" if grant_type is None else "unsupported_grant_type"
        raise _refused(HTTPStatus.BAD_REQUEST, error, f"grant_type is not {_GRANT}.")
    try:
        wanted = parse_permissions(scope.split()) if scope and scope.strip() else None
    except ValueError:
        raise _no_scope() from None
    issued = _issue(parts, _address(request), request.headers.get("Authorization"), wanted)
    metrics.TOKENS.labels("issued").inc()
    return AccessToken(
        access_token=issued.token,
        expires_in=int(tokens.LIFETIME.total_seconds()),
        scope=" ".join(sorted(issued.permissions)),
    )


def _issue(
    parts: Parts, address: str, authorization: str | None, wanted: frozenset[Permission] | None
) -> tokens.Token:
    client_id, secret = _client(authorization)
    # By the address too: who guesses from elsewhere does not lock the client out.
    name = (address, client_id)
    if (seconds := parts.failures.wait(name)) is not None:
        metrics.TOKENS.labels("limited").inc()
        detail = "Too many wrong secrets: wait before the next."
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(seconds)})
    try:
        issued = tokens.issue(parts.context, client_id, secret, wanted)
    except tokens.WrongClient:
        parts.failures.note(name)
        metrics.TOKENS.labels("refused").inc()
        raise _no_client() from None
    except tokens.NotGranted:
        raise _no_scope() from None
    except tokens.TooManyTokens as exc:
        metrics.TOKENS.labels("limited").inc()
        detail = "The client has too many tokens: use one until it expires."
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": "60"}) from exc
    parts.failures.forget(name)
    return issued


def _client(authorization: str | None) -> tuple[str, str]:
    scheme, _, given = (authorization or "").partition(" ")
    try:
        decoded = base64.b64decode(given.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _no_client() from None
    client_id, colon, secret = decoded.partition(":")
    fits = len(client_id) <= _MAX_CLIENT_ID and "\x00" not in client_id
    if scheme.lower() != "basic" or not colon or not fits:
        raise _no_client()
    return client_id, secret


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _no_client() -> ProblemError:
    detail = "The client or its secret is wrong."
    return _refused(HTTPStatus.UNAUTHORIZED, "invalid_client", detail, _CHALLENGE)


def _no_scope() -> ProblemError:
    detail = "scope has a permission that the client has not."
    return _refused(HTTPStatus.BAD_REQUEST, "invalid_scope", detail)


def _refused(
    status: HTTPStatus, error: str, detail: str, headers: dict[str, str] | None = None
) -> ProblemError:
    """With `error` as OAuth 2 names it, for libraries."""
    return ProblemError(status, detail, headers, {"error": error})
