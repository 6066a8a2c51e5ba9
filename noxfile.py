"""What a developer runs: `nox` is what is quick, `nox -s NAME` one session, `nox -l` lists them.

Sessions run in the environment that nox itself is in, which `pip install -e '.[dev]'` has filled:
nothing is installed a second time. What stands after `--` goes to the program of the session.
"""

import sys
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "unit"]
nox.options.default_venv_backend = "none"

PROGRAMS = Path(sys.executable).parent


def run(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of this environment, whichever other one is first on the path."""
    session.run(str(PROGRAMS / program), *arguments, external=True)


@nox.session
def test(session: nox.Session) -> None:
    """Every test; needs nothing but this environment, and chromium for the portal's."""
    run(session, "python", "-m", "pytest", *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """The tests that need no database."""
    run(session, "python", "-m", "pytest", "tests/unit", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, the order of the rooms, the Dockerfile, and whether the locks fit."""
    run(session, "ruff", "check")
    run(session, "ruff", "format", "--check")
    run(session, "lint-imports")
    run(session, "hadolint", "Dockerfile")
    run(session, "python", ".ci/check_locks.py")


@nox.session
def types(session: nox.Session) -> None:
    """The types of the product and of its tests."""
    run(session, "mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Whether the documents say what the code does."""
    run(session, "python", "-m", "pytest", "-n", "0", "tests/unit/test_docs.py", *session.posargs)
    run(session, "python", "-m", "pytest", "-n", "0", "tests/unit/test_house.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job on a throwaway PostgreSQL."""
    run(session, "retention-worker", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The worker beside its alternatives, in one run; `-- --quick` for a first look."""
    run(session, "python", "-m", "tests.benchmarks", *session.posargs)
