"""The application: its routes, and what stands around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from retention_worker import __version__
from retention_worker.service.context import Context
from retention_worker.service.request.background import Errands
from retention_worker.web import api, document, problems, status
from retention_worker.web.boundary import BodyLimit, Boundary
from retention_worker.web.failures import Failures
from retention_worker.web.parts import Parts
from retention_worker.web.portal import router as portal

_STATIC = Path(__file__).parent / "static"
# Threads for requests. Most of them wait for the end of a deletion at the worst, and a thread that
# waits costs next to nothing; the connections to the database are bounded by their pool.
_THREADS = 100


def application(context: Context) -> FastAPI:
    """The application for a worker, whose pool it opens with the first request that needs it."""
    app = FastAPI(
        title="retention-worker",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # Nobody is sent on with a token, to wherever the Host header says.
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.parts = Parts(
        context=context, errands=Errands(context), failures=Failures(context.monotonic)
    )
    app.include_router(status.router)
    app.include_router(api.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.include_router(document.router)
    app.include_router(portal)
    document.complete(app)
    problems.handle_in(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit)
    app.add_middleware(Boundary, monotonic=context.monotonic)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
    await anyio.to_thread.run_sync(app.state.parts.errands.close)
