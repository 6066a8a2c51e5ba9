"""The portal's cookies: their names, flags, and whether the browser speaks https to us."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from retention_worker.settings import WorkerSettings
from retention_worker.web.parts import given

SESSION = "retention-session"
FORM = "retention-form"
PROVIDER = "retention-provider"

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def base_url(request: Request, settings: WorkerSettings) -> str:
    """The address by which browsers reach this process, without a slash at its end."""
    return (settings.web_url or str(request.base_url)).rstrip("/")


def read(request: Request, name: str) -> str | None:
    """A cookie of ours."""
    return request.cookies.get(_full_name(request, name))


def keep(
    request: Request, response: Response, name: str, value: str, *, max_age: int | None = None
) -> None:
    """Set a cookie that no script reads and no other site's form sends; until the browser ends."""
    response.set_cookie(
        _full_name(request, name),
        value,
        max_age=max_age,
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop(request: Request, response: Response, name: str) -> None:
    """Remove a cookie."""
    response.delete_cookie(
        _full_name(request, name),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _full_name(request: Request, name: str) -> str:
    """With `__Host-` browsers refuse one that another host, or one without TLS, has set."""
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    """A proxy ends TLS, so the request itself does not say; only a loopback does without."""
    settings = given(request).context.settings
    if settings.web_url is not None:
        return settings.web_url.startswith("https:")
    return request.url.hostname not in _LOOPBACK
