"""Sign-in by a password, and sign-out."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from retention_worker.service.access import sessions
from retention_worker.service.access.signin import TooManyAttempts, WrongPassword, sign_in
from retention_worker.web.parts import Given
from retention_worker.web.portal import cookies
from retention_worker.web.portal.page import PageRoute, go, render, safe_next
from retention_worker.web.portal.visitor import Confirmed, Viewer, refuse_forged

router = APIRouter(route_class=PageRoute)

_FORM_BYTES = 32


@router.get("/sign-in")
def form(request: Request, parts: Given, next: str | None = None) -> Response:
    """The form, with a token that only this browser has."""
    return _form(request, parts, next)


def _form(
    request: Request,
    parts: Given,
    target: str | None,
    *,
    status: int = HTTPStatus.OK,
    wrong: str | None = None,
    name: str = "",
) -> Response:
    token = cookies.read(request, cookies.FORM) or secrets.token_urlsafe(_FORM_BYTES)
    page = render(
        request,
        "sign_in",
        status=status,
        csrf=token,
        next=safe_next(target),
        wrong=wrong,
        user=name,
        provider=parts.context.settings.oidc_issuer is not None,
    )
    cookies.keep(request, page, cookies.FORM, token)
    return page


@router.post("/sign-in")
def take(  # noqa: PLR0917 - the fields of a form
    request: Request,
    parts: Given,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    """Sign in, or say that it failed, and no more than that."""
    refuse_forged(request, csrf, cookies.read(request, cookies.FORM))
    try:
        token, _ = sign_in(parts.context, name.strip(), password)
    except WrongPassword:
        wrong = "The name or the password is wrong."
        status = HTTPStatus.UNAUTHORIZED
        return _form(request, parts, next, status=status, wrong=wrong, name=name)
    except TooManyAttempts as exc:
        seconds = max(1, int(exc.retry_after.total_seconds()))
        wrong = f"This name was tried too often: wait {seconds // 60 + 1} minutes."
        status = HTTPStatus.TOO_MANY_REQUESTS
        page = _form(request, parts, next, status=status, wrong=wrong, name=name)
        page.headers["Retry-After"] = str(seconds)
        return page
    return welcome(request, parts, token, next)


def welcome(request: Request, parts: Given, token: str, target: str | None) -> Response:
    """Give the browser its session; one that it had before ends."""
    if before := cookies.read(request, cookies.SESSION):
        sessions.close(parts.context, before)
    answer = go("")
    answer.headers["Location"] = safe_next(target)
    cookies.keep(request, answer, cookies.SESSION, token)
    cookies.drop(request, answer, cookies.FORM)
    return answer


@router.post("/sign-out", dependencies=[Confirmed])
def leave(request: Request, visitor: Viewer) -> Response:
    """End the session, here and in the database."""
    if token := cookies.read(request, cookies.SESSION):
        sessions.close(visitor.context, token)
    answer = go("sign-in")
    cookies.drop(request, answer, cookies.SESSION)
    return answer
