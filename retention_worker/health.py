"""Answers /health: that the process lives, when it last swept and when it will; and /metrics.

It says nothing about the database, or a restart of the database would restart the workers too; and
nothing about a person. It asks nothing of the worker, so that neither waits for the other.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from retention_worker import metrics
from retention_worker.domain.errors import ConfigurationError

Report = Callable[[], Mapping[str, Any]]
"""What /health answers: a mapping that becomes a JSON object. Must not block."""

# Who connects and sends nothing is let go.
_PATIENCE_SECONDS = 5


@contextmanager
def serving(host: str, port: int, report: Report) -> Iterator[int]:
    """Answer while inside; gives the port (for 0: the one that was free).

    Raises:
        ConfigurationError: the address cannot be had.
    """
    try:
        server = _HealthServer((host, port), _handler(report))
    except (OSError, OverflowError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(
            f"RETENTION_HEALTH_HOST and RETENTION_HEALTH_PORT: {host}:{port} cannot be had "
            f"({reason}): write an address of this host and a free port"
        ) from exc
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _HealthServer(ThreadingHTTPServer):
    daemon_threads = True  # a client that hangs does not hold the process
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for our name, which the base does and may last."""
        TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def _handler(report: Report) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS
        server_version = "retention-worker"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, kind = HTTPStatus.OK, "application/json"
            if path == "/metrics":
                kind, body = metrics.CONTENT_TYPE, metrics.exposition()
            elif path == "/health":
                body = json.dumps(report()).encode() + b"\n"
            else:
                status, body = HTTPStatus.NOT_FOUND, b'{"status": "not found"}\n'
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """A probe every few seconds is not worth a line."""

    return Handler
