"""Sign-in by an OpenID Connect provider: away to it, and back."""

from __future__ import annotations

import json
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from retention_worker.web.parts import Given
from retention_worker.web.portal import cookies
from retention_worker.web.portal.page import PageRoute, safe_next
from retention_worker.web.portal.signin import welcome
from retention_worker.web.problems import ProblemError

router = APIRouter(route_class=PageRoute)

_log = structlog.get_logger()

_MINUTES = 10
_REFUSED = "Your organisation's sign-in did not let you in, or gave you no tenant or role here."


@router.get("/provider")
def away(request: Request, parts: Given, next: str | None = None) -> Response:
    """Send the browser to the provider; what it has to bring back is in a cookie of its own."""
    from retention_worker.service.access import provider  # noqa: PLC0415 - only where configured

    settings = parts.context.settings
    if settings.oidc_issuer is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no such page.")
    try:
        begun = provider.begin(settings, _back(request, parts))
    except provider.NotLetIn as exc:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "The sign-in does not answer.") from exc
    answer = RedirectResponse(begun.url, HTTPStatus.SEE_OTHER)
    kept = json.dumps([begun.state, begun.nonce, begun.verifier, safe_next(next)])
    cookies.keep(request, answer, cookies.PROVIDER, kept.encode().hex(), max_age=_MINUTES * 60)
    return answer


@router.get("/provider/back")
def back(request: Request, parts: Given, state: str = "", code: str = "") -> Response:
    """Take whom the provider sent back."""
    from retention_worker.service.access import provider  # noqa: PLC0415 - only where configured

    if parts.context.settings.oidc_issuer is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no such page.")
    try:
        kept = json.loads(bytes.fromhex(cookies.read(request, cookies.PROVIDER) or ""))
        first, nonce, verifier, target = map(str, kept)
        begun = provider.SignInStart(url="", state=first, nonce=nonce, verifier=verifier)
        token, _ = provider.finish(
            parts.context, begun, state=state, code=code, redirect_uri=_back(request, parts)
        )
    except (ValueError, TypeError, provider.NotLetIn) as exc:
        _log.info("sign_in_failed", provider=True, why=str(exc))
        raise ProblemError(HTTPStatus.FORBIDDEN, _REFUSED) from exc
    answer = welcome(request, parts, token, target)
    cookies.drop(request, answer, cookies.PROVIDER)
    return answer


def _back(request: Request, parts: Given) -> str:
    return f"{cookies.base_url(request, parts.context.settings)}/portal/provider/back"
