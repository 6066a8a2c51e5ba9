"""The OpenAPI document, complete, and the page /docs that shows it without a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse

from retention_worker.web.problems import Problem
from retention_worker.web.responses import problems

router = APIRouter(include_in_schema=False)

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
)
_ABOUT = """\
Erases one person's credentials now, and says what is kept how long.

Tokens come from `POST /oauth2/token`, for clients that `retention-worker client create` made. Every
answer concerns the tenant of the token: what another tenant has is as unknown as what nobody has.
"""
# The framework's own form of a wrong field, which is never answered here.
_FOREIGN = ("HTTPValidationError", "ValidationError")


def complete(app: FastAPI) -> None:
    """Let the application's document say what it really answers."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in _FOREIGN:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for operation in _operations(found):
        responses = operation["responses"]
        if "requestBody" in operation:
            responses |= {str(code): each for code, each in problems(400, 413).items()}
        if "422" in responses:
            responses |= {str(code): each for code, each in problems(422).items()}
    return found


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The document as a page for people."""
    document = request.app.openapi()
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    page = _PAGES.get_template("docs.html")
    return HTMLResponse(page.render(document=document, operations=operations))
