"""What the machine offers: PostgreSQL's programs are found without starting any."""

import subprocess
import sys
from pathlib import Path

import pytest

from retention_worker.embedded import EmbeddedServerError, find_bindir, machine
from retention_worker.embedded.machine import choose_temp, read_version


def install(root: Path, version: str = "postgres (PostgreSQL) 18.6") -> Path:
    """Make a folder that looks like a server's bin/; its programs print `version`."""
    bindir = root / "bin"
    bindir.mkdir(parents=True)
    for name in machine.PROGRAMS:
        program = bindir / name
        program.write_text(f"#!/bin/sh\necho '{version}'\n")
        program.chmod(0o755)
    return bindir


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine without any server; returns the place of the system's packages."""
    system = tmp_path / "system"
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setattr(machine, "WHEEL", "a_wheel_that_nobody_installs")
    monkeypatch.setattr(machine, "SYSTEM_ROOT", system)
    return system


def test_says_what_to_install(bare_machine: Path) -> None:
    """Without any server the error says in one line how to get one."""
    with pytest.raises(EmbeddedServerError) as caught:
        find_bindir()
    message = str(caught.value)
    assert "pip install 'retention-worker[demo]'" in message
    assert "PG_BINDIR" in message
    assert "\n" not in message


def test_newest_system_package(bare_machine: Path) -> None:
    """Of the system's packages the highest number is taken: 15 comes after 9.6 and before 100."""
    for major in ("9.6", "15", "100", "tools"):
        install(bare_machine / major)
    assert find_bindir() == bare_machine / "100" / "bin"


def test_wheel_before_system(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The wheel comes before the system's packages, and its code is located without running."""
    install(bare_machine / "15")
    package = tmp_path / "site" / "a_wheel"
    bindir = install(package / "pginstall")
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(machine, "WHEEL", "a_wheel")
    assert find_bindir() == bindir
    assert "a_wheel" not in sys.modules


def test_what_was_asked_for_comes_first(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An argument beats PG_BINDIR, which beats everything found; an empty PG_BINDIR is none."""
    install(bare_machine / "15")
    from_environment, from_argument = install(tmp_path / "a"), install(tmp_path / "b")
    monkeypatch.setenv("PG_BINDIR", str(from_environment))
    assert find_bindir() == from_environment
    assert find_bindir(from_argument) == from_argument
    monkeypatch.setenv("PG_BINDIR", "")
    assert find_bindir() == bare_machine / "15" / "bin"


def test_no_silent_replacement(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A PG_BINDIR without a server is an error that names it, even where another server is."""
    install(bare_machine / "15")
    monkeypatch.setenv("PG_BINDIR", str(tmp_path / "wrong"))
    with pytest.raises(EmbeddedServerError, match=r"PG_BINDIR is .*/wrong, which holds no initdb"):
        find_bindir()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("postgres (PostgreSQL) 18.6", (18, 6)),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", (15, 18)),
        ("postgres (PostgreSQL) 19beta1", (19, 0)),
    ],
)
def test_version(tmp_path: Path, said: str, version: tuple[int, int]) -> None:
    """The version is read as a release, a distribution and a preview write it."""
    assert read_version(install(tmp_path, said)) == version


def test_version_of_something_else(tmp_path: Path) -> None:
    """A program that is no PostgreSQL is named, with what it said."""
    with pytest.raises(EmbeddedServerError, match="does not tell its version: hello"):
        read_version(install(tmp_path, "hello"))


def test_import_needs_no_driver() -> None:
    """The launcher imports without psycopg, so that finding a server never depends on it."""
    code = "import sys; sys.modules['psycopg'] = None; import retention_worker.embedded"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_long_temporary_folder_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A socket's path has a limit: a longer temporary folder gives way to a shorter one."""
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert choose_temp(None) == Path("/tmp")
