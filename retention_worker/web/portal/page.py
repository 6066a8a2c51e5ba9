"""Pages: templates filled, errors as pages, and the way to the sign-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.scope import Scope
from retention_worker.web.portal.visitor import NotSignedIn
from retention_worker.web.problems import ProblemError, response_of

_NOUNS = {Scope.ALL: "all credentials", Scope.BIOMETRICS: "biometrics"}
# What the API says to programs, said to people. A page never tells an unknown id from another's.
_WORDS = {
    400: "The request could not be understood.",
    401: "You are not signed in, or your session has ended. Nothing was changed.",
    403: "Your role does not allow this. Nothing was changed.",
    404: "There is nothing here under this id in your tenant.",
    405: "This page cannot be used in that way.",
    409: "The transaction is still in progress: nothing was erased. Try again when it has ended.",
    413: "What was sent is too large.",
    422: "Something in the form is missing or wrong. Nothing was changed.",
    423: "The account is on a legal hold: nothing is erased until somebody has released it.",
    429: "Too many requests: wait a moment and try again.",
    503: "It cannot be answered at the moment. Nothing is lost: try again in a few seconds.",
}
_DEFECT = "An error inside the server: the operator's log says where."


def _instant(moment: datetime | None, missing: str = "–") -> str | Markup:
    """A time for people, in UTC and saying so, and for programs that read the page."""
    if moment is None:
        return missing
    at = moment.astimezone(UTC)
    shown = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", shown)


def _cause(text: str | None) -> str:
    """A reason as a sentence. What a person at a command line does next is no help here."""
    said = (text or "").split(": look at")[0]
    return f"{said[:1].upper()}{said[1:]}" + ("." if said else "")


def link(page: str, **query: object) -> str:
    """The address of a page of the portal."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return f"/portal/{quote(page)}" + (f"?{urlencode(given)}" if given else "")


def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["instant"] = _instant
    found.filters["count"] = lambda number: f"{number:,}"
    found.filters["noun"] = lambda scope: _NOUNS[Scope(scope)]
    found.filters["cause"] = _cause
    found.filters["words"] = lambda text: str(text).replace("_", " ")
    found.globals["link"] = link
    return found


_PAGES = _templates()


def render(
    request: Request, name: str, *, status: int = HTTPStatus.OK, **content: Any
) -> HTMLResponse:
    """A page; its template knows who looks at it."""
    visitor = getattr(request.state, "visitor", None)
    page = _PAGES.get_template(f"portal/{name}.html")
    return HTMLResponse(page.render(visitor=visitor, path=request.url.path, **content), status)


def go(page: str, **query: object) -> RedirectResponse:
    """Send the browser to another page, by GET."""
    return RedirectResponse(link(page, **query), HTTPStatus.SEE_OTHER)


def safe_next(target: str | None) -> str:
    """A page of this portal to go on with; anything else could lead a person elsewhere."""
    fine = target is not None and target.startswith("/portal/") and target.isprintable()
    return target if fine and target and "\\" not in target else "/portal/"


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, with everything that it may raise answered."""
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await original(request)
            except NotSignedIn:
                return _to_sign_in(request)
            except ProblemError as exc:
                return _error(request, exc.status, exc.detail, dict(exc.headers or {}))
            except RetentionWorkerError as exc:
                said = response_of(exc)
                again = said.headers.get("Retry-After")
                headers = {"Retry-After": again} if again else {}
                return _error(request, said.status_code, None, headers)
            except RequestValidationError:
                return _error(request, _malformed(request), None, {})
            except HTTPException as exc:
                return _error(request, exc.status_code, None, dict(exc.headers or {}))

        return handler


def _malformed(request: Request) -> HTTPStatus:
    """An address that cannot be one of ours names nothing; a form can be sent again."""
    asks = request.method in {"GET", "HEAD"}
    return HTTPStatus.NOT_FOUND if asks else HTTPStatus.UNPROCESSABLE_ENTITY


def _to_sign_in(request: Request) -> Response:
    """What was asked for comes after the sign-in; what was sent has to be sent again."""
    if request.method in {"GET", "HEAD"} and "HX-Request" not in request.headers:
        query = f"?{request.url.query}" if request.url.query else ""
        return go("sign-in", next=request.url.path + query)
    return _error(request, HTTPStatus.UNAUTHORIZED, None, {"HX-Redirect": link("sign-in")})


def _error(request: Request, status: int, text: str | None, headers: dict[str, str]) -> Response:
    answer = render(
        request,
        "error",
        status=status,
        code=int(status),
        title=HTTPStatus(status).phrase,
        text=text or _WORDS.get(status, _DEFECT),
    )
    for name, value in headers.items():
        answer.headers[name] = value
    return answer
