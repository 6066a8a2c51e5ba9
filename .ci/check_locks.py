"""Check, without a network, that both lock files fit pyproject.toml and name no host.

It reads the metadata of what is installed, so it runs in the virtual environment that was made with
`pip install -c constraints.txt -e '.[dev]'`.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "retention-worker"
# A lock with a host or a path in it works on one machine only.
HOST = re.compile(r"[a-z+]+://|(^|\s)(-i|-f|--find-links|--(extra-)?index-url)\b|\s@\s|^\s*/", re.M)


class Pin(NamedTuple):
    """One line of a lock file."""

    version: str
    applies: bool
    hashed: bool


def pins(lock: Path) -> dict[str, Pin]:
    """What a lock file pins, by canonical name."""
    found: dict[str, Pin] = {}
    for line in lock.read_text().replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *hashes = line.split(" --hash=")
        requirement = Requirement(text.strip())
        (specifier,) = requirement.specifier
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate()
        if name not in found or applies:  # one name may stand there once for each marker
            found[name] = Pin(specifier.version, applies, bool(hashes))
    return found


def installed(name: str) -> str | None:
    """The version that is installed, if any is."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def needed(roots: list[Requirement]) -> Iterator[Requirement]:
    """Everything that the roots need here, as installed, themselves included."""
    todo, seen = list(roots), set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name != PROJECT:
            yield requirement
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in (requires(name) or []) if installed(name) else []:
                child = Requirement(text)
                if child.marker is None or child.marker.evaluate({"extra": extra}):
                    todo.append(child)


def problems(lock: Path, roots: list[Requirement], *, hashed: bool) -> Iterator[str]:
    """What is wrong with one lock file."""
    hosts = [
        f"{lock.name}:{number}: names a host or a path: {line.strip()}"
        for number, line in enumerate(lock.read_text().splitlines(), 1)
        if HOST.search(line)
    ]
    if hosts:
        yield from hosts
        return
    pinned = pins(lock)
    wanted = {}
    for requirement in needed(roots):
        name = canonicalize_name(requirement.name)
        wanted[name] = requirement
        if name not in pinned:
            yield f"{lock.name}: {requirement} is not pinned"
        elif not requirement.specifier.contains(pinned[name].version, prereleases=True):
            yield f"{lock.name}: {name}=={pinned[name].version} does not fit {requirement}"
        elif installed(name) != pinned[name].version:
            yield f"{lock.name}: {name}=={pinned[name].version}, but installed: {installed(name)}"
    if hashed:
        for pinned_name, pin in pinned.items():
            if not pin.hashed:
                yield f"{lock.name}: {pinned_name} has no hash"
            if pin.applies and pinned_name not in wanted:
                yield f"{lock.name}: {pinned_name} is pinned, but nothing needs it"


def main() -> int:
    """Print what is wrong, and say so in the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    production = [Requirement(text) for text in project["dependencies"]]
    everything = production + [
        Requirement(text) for extra in project["optional-dependencies"].values() for text in extra
    ]
    found = [
        *problems(ROOT / "constraints.txt", everything, hashed=False),
        *problems(ROOT / "requirements.lock", production, hashed=True),
    ]
    for problem in dict.fromkeys(found):
        print(problem, file=sys.stderr)
    if found:
        print("the locks do not fit pyproject.toml: run `bash .ci/lock`", file=sys.stderr)
    else:
        print("both locks fit pyproject.toml")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
