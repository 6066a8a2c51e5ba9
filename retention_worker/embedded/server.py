"""The throwaway PostgreSQL server that the demo and the tests use."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from retention_worker.embedded.account import PasswdEntry, can_enter, can_run, choose_account
from retention_worker.embedded.binaries import PROGRAMS, find_bindir, read_version
from retention_worker.embedded.errors import EmbeddedServerError
from retention_worker.embedded.pipe import Pipe

if TYPE_CHECKING:
    from psycopg.sql import Composed

SUPERUSER = "postgres"
# Only names the socket's file: each server has a folder of its own.
PORT = 5432
# A socket's path may have 107 bytes on Linux and 103 elsewhere.
LONGEST_SOCKET_PATH = 99
# What the keeper adds to the folder it is given: /rw-pg-xxxxxxxx/socket/.s.PGSQL.5432
SOCKET_SUFFIX_LENGTH = len("/rw-pg-xxxxxxxx/socket/.s.PGSQL.") + len(str(PORT))

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
NOT_STARTED = "the embedded server was not started yet"
# The launcher itself depends on these.
FIXED = frozenset({"data_directory", "port", "unix_socket_directories"})


class EmbeddedServer:
    """A PostgreSQL of our own: started on entering, gone without a trace on leaving.

    Its superuser is `postgres`, without a password; its only door is a Unix socket in a folder
    that nobody else may enter. Another process (the keeper) makes everything that must not stay
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
        self._channel: Pipe | None = None
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
        if self._channel is None:
            self._create()
        self._pid = int(self._ask("start")["pid"])

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
        if self._channel is None:
            return
        channel, self._channel, self._pid = self._channel, None, None
        try:
            if channel.open:
                channel.ask("stop")
        finally:
            channel.close()

    def dsn(self, database: str) -> str:
        """Return the libpq URL of one database, for the superuser and over the Unix socket."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of `template` (to which nobody may be connected) if given.

        Raises:
            EmbeddedServerError: PostgreSQL refuses; the message is PostgreSQL's.
        """
        from psycopg.sql import SQL, Identifier  # noqa: PLC0415 (see _execute)

        statement = SQL("CREATE DATABASE {}").format(Identifier(name))
        if template is not None:
            statement += SQL(" TEMPLATE {}").format(Identifier(template))
        self._execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database that exists, ending the sessions that still use it.

        Raises:
            EmbeddedServerError: PostgreSQL refuses; the message is PostgreSQL's.
        """
        from psycopg.sql import SQL, Identifier  # noqa: PLC0415 (see _execute)

        self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version, such as (18, 6)."""
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
            raise EmbeddedServerError("the embedded server is not running")
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
        self._channel = Pipe()
        paths = self._ask(
            "create",
            temp=str(_choose_temp(account)),
            bindir=str(bindir),
            copy=not reachable,
            account=asdict(account) if account else None,
            superuser=SUPERUSER,
            configuration=self._configuration,
        )
        self._paths = {name: Path(path) for name, path in paths.items()}
        self._version = version

    def _ask(self, command: str, **details: object) -> dict[str, Any]:
        if self._channel is None:
            raise EmbeddedServerError("the embedded server is not running")
        try:
            return self._channel.ask(command, **details)
        except BaseException:
            # A server that did not start, or a start that was interrupted, leaves nothing: there
            # is no __exit__ after an __enter__ that raised.
            if command in ("create", "start"):
                channel, self._channel, self._pid = self._channel, None, None
                channel.close()
            raise

    def _path(self, name: str) -> Path:
        if name not in self._paths:
            raise EmbeddedServerError(NOT_STARTED)
        return self._paths[name]

    def _execute(self, statement: "Composed") -> None:
        # Imported when first needed: a Python without the driver can still start a server.
        import psycopg  # noqa: PLC0415

        try:
            with psycopg.connect(self.dsn("postgres"), autocommit=True) as conn:
                conn.execute(statement)
        except psycopg.Error as exc:
            raise EmbeddedServerError(" ".join(str(exc).split())) from exc


def _render(settings: Mapping[str, str | int]) -> list[str]:
    """Return lines of postgresql.conf; refuses what would not stay one line or break the launcher.

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


def _choose_temp(account: PasswdEntry | None) -> Path:
    """Return the first temporary folder that the account reaches and a socket's path fits into."""
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        short = len(bytes(folder)) + SOCKET_SUFFIX_LENGTH <= LONGEST_SOCKET_PATH
        if short and folder.is_dir() and can_enter(account, folder):
            return folder
    who = account.name if account else "we"
    raise EmbeddedServerError(f"no temporary folder that {who} may enter has a short enough path")
