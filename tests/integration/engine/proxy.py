"""A proxy before PostgreSQL's socket that cuts a connection in the middle of a COMMIT."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.server import rewrite_url

# A simple query as the driver sends it: type, length, text.
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
# The same in a pipeline: parsed without a name.
PIPELINED = b"\x00COMMIT\x00"


class Cut(Enum):
    """Where the connection breaks: the worker can't tell one from the other."""

    BEFORE = "the COMMIT never arrives"
    DURING = "the worker looks again while the COMMIT is being carried out"
    AFTER = "the COMMIT is carried out, and its answer is lost"


class CuttingProxy:
    """Listens on a socket of its own; cuts `every` so many COMMITs (0: none), `most` in all."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = conninfo_to_dict(dsn)
        self._target = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self.dsn = rewrite_url(dsn, host=str(folder), port="5432")
        self.every = 0
        self.most = sys.maxsize
        self.cut = Cut.AFTER
        self.done = 0
        self._commits = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Take no further connection, and wait until those that there were have ended."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, call: Callable[..., None], *given: object) -> threading.Thread:
        thread = threading.Thread(target=call, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._target)
            lost = threading.Event()
            back = self._start(self._answer, server, client, lost)
            self._ask(client, server, lost)
            back.join()

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        """From the worker to PostgreSQL, up to the COMMIT that is cut."""
        with suppress(OSError):
            while data := client.recv(65_536):
                if not _commits(data) or not self._is_due():
                    server.sendall(data)
                    continue
                lost.set()
                if self.cut is not Cut.BEFORE:
                    server.sendall(data)
                if self.cut is Cut.DURING:
                    client.shutdown(socket.SHUT_RDWR)
                break
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        """From PostgreSQL to the worker, unless answers get lost by now."""
        with suppress(OSError):
            while data := server.recv(65_536):
                if not lost.is_set():
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _is_due(self) -> bool:
        with self._lock:
            self._commits += 1
            if not self.every or self._commits % self.every or self.done >= self.most:
                return False
            self.done += 1
            return True


def _commits(data: bytes) -> bool:
    return data.endswith(COMMIT) or PIPELINED in data


@contextmanager
def cutting_proxy(dsn: str) -> Iterator[CuttingProxy]:
    """The proxy, in a folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="rw-x-", dir="/tmp") as folder:
        proxy = CuttingProxy(dsn, Path(folder))
        try:
            yield proxy
        finally:
            proxy.close()
