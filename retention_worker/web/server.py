"""The process `serve`: uvicorn on one address, until it is told to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import structlog
import uvicorn

from retention_worker import __version__, stopping
from retention_worker.domain.errors import ConfigurationError
from retention_worker.service.config import prepare
from retention_worker.service.context import Context
from retention_worker.web.app import application

_log = structlog.get_logger()

# A deletion waits for seconds at the most, and Kubernetes kills after 30.
_PATIENCE_SECONDS = 20
# Longer than proxies keep a connection (nginx: 60): who closes first never meets a new request.
_KEEP_ALIVE_SECONDS = 75
# A header block is a token and an id: what is larger is somebody's mistake, or no mistake.
_MAX_HEADER_BYTES = 32 * 1024
_BACKLOG = 512


class _WebServer(uvicorn.Server):
    """Leaves the signals to us: uvicorn's own handlers end the process by the signal itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve(context: Context, host: str, port: int) -> int:
    """Answer on an address until a signal, or `context.stop`, ends it; requests in hand end first.

    Args:
        context: the parts; its pool serves all requests.
        host: a name or an address of this host.
        port: 0: any that is free; the log says which.

    Returns:
        The exit code, 0.

    Raises:
        ConfigurationError: the address cannot be had; a file or the schema is wrong.
        DatabaseUnavailable: it cannot be reached at the start.
    """
    with context.pool.connection() as conn:
        prepare(context, conn)
    with closing(_bound(host, port)) as listening, stopping.on_signals(context.stop, insist=False):
        server = _WebServer(
            uvicorn.Config(
                application(context),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                http="h11",
                ws="none",
                h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_PATIENCE_SECONDS,
                backlog=_BACKLOG,
            )
        )
        _stop_with(context.stop, server)
        _log.info("web_started", version=__version__, host=host, port=listening.getsockname()[1])
        server.run(sockets=[listening])
        context.stop.set()
        _log.info("web_stopped")
    return 0


def _bound(host: str, port: int) -> socket.socket:
    try:
        found = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_BACKLOG,
        )
    except (OSError, OverflowError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(
            f"RETENTION_WEB_HOST and RETENTION_WEB_PORT: {host}:{port} cannot be had ({reason}): "
            "write an address of this host and a free port"
        ) from exc
    # Inherited by what is accepted. Without it an answer's body waits 40 ms for the client's
    # acknowledgement of its head; asyncio turns it off only where the protocol was named.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _stop_with(stop: threading.Event, server: uvicorn.Server) -> None:
    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, name="stopping", daemon=True).start()
