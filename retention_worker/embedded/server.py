"""The throwaway PostgreSQL server that the demo and the tests use."""

import contextlib
import json
import re
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from retention_worker.embedded import supervisor
from retention_worker.embedded.machine import (
    PORT,
    PROGRAMS,
    EmbeddedServerError,
    can_run,
    choose_account,
    choose_temp,
    find_bindir,
    read_version,
)

SUPERUSER = "postgres"
# Fast, small and the same everywhere. What is committed survives the crash of any process; only a
# crash of the machine loses data, and then a throwaway server has no more use for it.
DEFAULTS: Mapping[str, str] = {
    "listen_addresses": "",  # the socket is the only door
    "max_connections": "100",
    "shared_buffers": "32MB",  # the demo must fit beside anything
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The default leaves segments in /dev/shm after a kill -9; files go with the data folder.
    "dynamic_shared_memory_type": "mmap",
}
# The launcher itself depends on these.
FIXED = frozenset({"data_directory", "port", "unix_socket_directories"})
NOT_STARTED = "the embedded server was not started yet"
NOT_RUNNING = "the embedded server is not running"
# Longer than the sum of what the supervisor itself allows for any command, so that its own, more
# telling error comes first; only a supervisor that hangs (a dead disk) meets this limit.
ANSWER_SECONDS = 200


class EmbeddedServer:
    """A PostgreSQL of our own: started on entering, gone without a trace on leaving.

    Its superuser is `postgres`, without a password; its only door is a Unix socket in a folder
    that nobody else may enter. Another process (the supervisor) makes everything that must not stay
    behind and removes it as soon as this object is closed or this process ends, however it ends.

    Args:
        settings: values of postgresql.conf, by name, over `DEFAULTS`.
        bindir: the folder with `initdb` and `postgres`; see `find_bindir`.

    Raises:
        EmbeddedServerError: here for a setting that cannot be; on entering for whatever keeps the
            server from starting, with the end of its log.
    """

    def __init__(
        self,
        settings: Mapping[str, str | int] | None = None,
        bindir: str | Path | None = None,
    ) -> None:
        self._configuration = _render({**DEFAULTS, **(settings or {})})
        self._wanted_bindir = bindir
        self._pipe: Pipe | None = None
        self._paths: dict[str, Path] = {}
        self._version: tuple[int, int] | None = None
        self._pid: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the server and wait until it accepts connections; nothing if it runs.

        After `stop` or `kill` it starts on the same data, after a crash with its recovery.
        """
        try:
            if self._pipe is None:
                self._create()
            self._pid = int(self._ask("start")["pid"])
        except BaseException:
            # A server that did not start, or a start that was interrupted, leaves nothing: there
            # is no __exit__ after an __enter__ that raised.
            self._hang_up()
            raise

    def stop(self) -> None:
        """Stop the server in order (open transactions are rolled back) and keep its data."""
        self._ask("stop")
        self._pid = None

    def kill(self) -> None:
        """Crash the server: SIGKILL to it and all its children; returns when they are gone."""
        self._ask("kill")
        self._pid = None

    def close(self) -> None:
        """Stop the server and remove everything; harmless when repeated."""
        try:
            if self._pipe is not None and self._pipe.open:
                self._ask("stop")
        finally:
            self._hang_up()

    def dsn(self, database: str) -> str:
        """The libpq URL of one database, for the superuser and over the Unix socket."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of `template` (to which nobody may be connected) if given.

        Raises:
            EmbeddedServerError: PostgreSQL refuses; the message is PostgreSQL's.
        """
        copied = f" TEMPLATE {_quoted(template)}" if template is not None else ""
        self._execute(f"CREATE DATABASE {_quoted(name)}{copied}")

    def drop_database(self, name: str) -> None:
        """Drop a database that exists, ending the sessions that still use it.

        Raises:
            EmbeddedServerError: PostgreSQL refuses; the message is PostgreSQL's.
        """
        self._execute(f"DROP DATABASE {_quoted(name)} WITH (FORCE)")

    @property
    def version(self) -> tuple[int, int]:
        """The major and minor version, such as (18, 6)."""
        if self._version is None:
            raise EmbeddedServerError(NOT_STARTED)
        return self._version

    @property
    def pid(self) -> int:
        """The process id of the server's first process.

        Raises:
            EmbeddedServerError: the server was not started, or was stopped or killed.
        """
        if self._pid is None:
            raise EmbeddedServerError(NOT_RUNNING)
        return self._pid

    @property
    def data_dir(self) -> Path:
        """The data folder; it belongs to the account that runs the server."""
        return self._path("data")

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket: the `host` of a connection."""
        return self._path("socket")

    @property
    def log_path(self) -> Path:
        """The server's log file."""
        return self._path("log")

    @property
    def bindir(self) -> Path:
        """The folder of the binaries in use: found ones, or our copy where root had to make it."""
        return self._path("bindir")

    def _create(self) -> None:
        bindir = find_bindir(self._wanted_bindir)
        version = read_version(bindir)
        account = choose_account()
        reachable = all(can_run(account, bindir / program) for program in PROGRAMS)
        self._pipe = Pipe()
        paths = self._ask(
            "create",
            temp=str(choose_temp(account)),
            bindir=str(bindir),
            copy=not reachable,
            account=asdict(account) if account else None,
            superuser=SUPERUSER,
            configuration=self._configuration,
        )
        self._paths = {name: Path(path) for name, path in paths.items()}
        self._version = version

    def _ask(self, command: str, **details: object) -> dict[str, Any]:
        if self._pipe is None:
            raise EmbeddedServerError(NOT_RUNNING)
        return self._pipe.ask(command, **details)

    def _hang_up(self) -> None:
        pipe, self._pipe, self._pid = self._pipe, None, None
        if pipe is not None:
            pipe.close()

    def _path(self, name: str) -> Path:
        if name not in self._paths:
            raise EmbeddedServerError(NOT_STARTED)
        return self._paths[name]

    def _execute(self, statement: str) -> None:
        # Imported when first needed: a Python without the driver can still start a server.
        import psycopg  # noqa: PLC0415

        try:
            with psycopg.connect(self.dsn("postgres"), autocommit=True) as conn:
                conn.execute(statement.encode())
        except psycopg.Error as exc:
            raise EmbeddedServerError(" ".join(str(exc).split())) from exc


class Pipe:
    """A supervisor process, and the pipe whose end tells it that we are gone.

    One JSON line asks, one answers. No wait here reads a clock: `select` counts inside the kernel,
    so that it ends in time even where a test has frozen Python's clocks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A script run without site-packages starts in a few hundredths of a second. A session of
        # its own keeps Ctrl-C of a terminal away from it, or it could not clean up after us.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(supervisor.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout

    @property
    def open(self) -> bool:
        """Whether the supervisor still listens to us."""
        return not self._questions.closed

    def ask(self, command: str, **details: object) -> dict[str, Any]:
        """Have the supervisor do `command`, wait for it, and return what it answers.

        Raises:
            EmbeddedServerError: it failed, or the supervisor is gone.
        """
        with self._lock:
            if not self.open:
                raise EmbeddedServerError("the embedded server was closed")
            try:
                self._questions.write(json.dumps({"command": command, **details}).encode() + b"\n")
                self._wait()
                answer = self._answer()
            except BaseException as exc:
                # Interrupted or broken: the next answer would belong to this question. Hanging up
                # makes the supervisor stop the server and remove everything.
                self._hang_up()
                if isinstance(exc, OSError):
                    raise EmbeddedServerError("the embedded server's supervisor is gone") from exc
                raise
        if "error" in answer:
            raise EmbeddedServerError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """Hang up and wait until the supervisor has removed everything; harmless when repeated.

        Raises:
            EmbeddedServerError: it did not end in time, or said that something was left.
        """
        if self._answers.closed:
            return
        self._hang_up()
        try:
            self._wait()
            said = self._answers.read()
        except EmbeddedServerError:
            self._process.kill()
            raise
        finally:
            self._answers.close()
            code = self._process.wait()
        if code != 0:
            raise EmbeddedServerError(
                f"the embedded server's supervisor failed ({code}): {_words(said)}"
            )

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:  # nothing, or a traceback of Python itself, after which it ends
            said = _words(line + self._answers.read())
            raise EmbeddedServerError(f"the embedded server's supervisor ended: {said}") from None
        return answer

    def _hang_up(self) -> None:
        # Said and not only done: a child that we forked may hold the pipe open for long.
        with contextlib.suppress(OSError, ValueError):  # it is gone, or we hung up before
            self._questions.write(b'{"command": "close"}\n')
        self._questions.close()

    def _wait(self) -> None:
        """Wait until there is something to read, or the supervisor has ended."""
        poll = select.poll()  # unlike select(), of any number of open files
        poll.register(self._answers, select.POLLIN)
        if not poll.poll(ANSWER_SECONDS * 1000):
            raise EmbeddedServerError(
                f"the embedded server's supervisor gave no answer for {ANSWER_SECONDS} s"
            )


def _words(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split()) or "it said nothing"


def _quoted(name: str) -> str:
    """A database's name as SQL writes any name."""
    return '"' + name.replace('"', '""') + '"'


def _render(settings: Mapping[str, str | int]) -> list[str]:
    """The lines of postgresql.conf, without a setting that is not one line or breaks the launcher.

    Raises:
        EmbeddedServerError: naming the setting.
    """
    lines = []
    for name, value in settings.items():
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII) or "\n" in str(value):
            raise EmbeddedServerError(f"setting {name!r}: not a name and value of postgresql.conf")
        if name.lower() in FIXED:
            raise EmbeddedServerError(f"setting {name!r}: the embedded server chooses it itself")
        text = str(value).replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{text}'")
    lines.append(f"port = {PORT}")
    return lines
