"""The account that runs the server: ourselves, or for root somebody without rights."""

import errno
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from retention_worker.embedded.errors import EmbeddedServerError

# `nobody` first: `postgres` may own a real cluster on this machine, which a throwaway server has
# no business to be able to read.
UNPRIVILEGED = ("nobody", "postgres")


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
    """Tell whether the account reaches `program`; found by running it with `--version`.

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


def can_enter(account: PasswdEntry | None, folder: Path) -> bool:
    """Tell whether we may make something in `folder` that the account can reach."""
    if account is None:
        return os.access(folder, os.W_OK | os.X_OK)
    real = folder.resolve()
    return all(place.stat().st_mode & 0o001 for place in (real, *real.parents))
