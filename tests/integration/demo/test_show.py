"""`retention-worker demo`: what a stranger sees first, and that nothing of it stays behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.demo import months
from retention_worker.demo.show import show
from retention_worker.domain.policy.policy import PolicyBounds
from retention_worker.domain.scope import Scope
from retention_worker.service.due import lanes_with_work
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.service.plan import approve, plan
from retention_worker.service.sweep import sweep
from tests.integration.embedded.processes import python_path, soon

PROGRAM = "import sys; from retention_worker.demo.show import show; sys.exit(show())"
# What a user's shell may hold: none of it is the demo's.
FOREIGN = {
    "RETENTION_GUARD_PERCENT": "100",
    "RETENTION_SCHEMA": "mine",
    "RETENTION_DATABASE_URL": "postgresql://nowhere.invalid/production",
    "PGSERVICE": "nobody-knows-this",
    "PGHOST": "nowhere.invalid",
    "COLUMNS": "100",
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A demo that has ended, and the folder in which it made its own."""

    code: int
    output: str
    errors: str
    root: Path


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """An empty folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="rw-t-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(root: Path) -> subprocess.Popen[str]:
    """The demo as a process, its output on a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ | FOREIGN | {"TMPDIR": str(root), "PYTHONPATH": python_path()},
        start_new_session=True,
    )


def left_over(root: Path) -> list[str]:
    """What lies in the folder, and processes that know of it."""
    found = [path.name for path in root.iterdir()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # gone, or somebody else's
            continue
        if bytes(root) in known:
            found.append(process.name)
    return found


@pytest.fixture(scope="module")
def shown(root: Path) -> Shown:
    """The demo, once from beginning to end."""
    demo = start(root)
    output, errors = demo.communicate(timeout=300)
    return Shown(code=demo.returncode, output=output, errors=errors, root=root)


def test_it_ends_well(shown: Shown) -> None:
    """Every check passes, and nothing else is said: no log, no warning."""
    assert (shown.code, shown.errors) == (0, "")
    assert re.findall(r"^(PASS|FAIL)", shown.output, re.MULTILINE) == ["PASS"] * 7


def test_it_tells_the_whole_story(shown: Shown) -> None:
    """Each section is there, in its order."""
    assert re.findall(r"^(\d\. \w+)", shown.output, re.MULTILINE) == [
        "1. Policies",
        "2. Plan",
        "3. Guards",
        "4. Who",
        "5. 18",
        "6. What",
        "7. Check",
        "8. With",
    ]


def test_the_guards_hold(shown: Shown) -> None:
    """A backlog and a period that is too short wait, a wrong file is refused, nothing is lost."""
    assert "acme biometrics: waiting:" in shown.output
    assert "cedar-cars all: waiting:" in shown.output
    assert "acme: invalid_policy: config/tenants/acme.yaml:" in shown.output
    assert "Lost by the two mistakes: 0 accounts." in shown.output


def test_who_stays(shown: Shown) -> None:
    """Of three accounts the one that came back and the one on hold keep their biometrics."""
    rows = re.findall(r"^\w{8}\.{3}\s+(\D+?)\s+(\d+)\s+(\d+)$", shown.output, re.MULTILINE)
    kept = {what: (before, after) for what, before, after in rows}
    before = kept["nothing"][0]
    assert kept == {
        "authenticated": (before, before),
        "on hold": (before, before),
        "nothing": (before, "0"),
    }


def test_no_month_is_empty(shown: Shown) -> None:
    """Each of the 18 months erases of both kinds."""
    pattern = r"^[A-Z]\w\w 202\d +(\d+) +(\d+) .* rows$"
    found = re.findall(pattern, shown.output, re.MULTILINE)
    assert len(found) == months.MONTHS == 18
    assert all(int(biometrics) and int(everything) for biometrics, everything in found)


def test_it_is_plain_on_a_pipe(shown: Shown) -> None:
    """No escape sequence, no line wider than was asked for, and no path of this machine."""
    assert "\x1b" not in shown.output
    assert max(len(line) for line in shown.output.splitlines()) <= 100
    assert str(shown.root) not in shown.output


def test_nothing_stays_behind(shown: Shown) -> None:
    """No process and no folder outlives it."""
    assert left_over(shown.root) == []


@pytest.mark.parametrize("stop_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_stays_behind_when_it_is_stopped(root: Path, stop_signal: signal.Signals) -> None:
    """Ctrl-C, kill and kill -9 in the middle of a sweep leave nothing either."""
    demo = start(root)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("3. Guards"):
            break
    assert left_over(root)
    if stop_signal is signal.SIGINT:
        os.killpg(demo.pid, stop_signal)
    else:
        demo.send_signal(stop_signal)
    errors = demo.communicate(timeout=60)[1]
    assert soon(lambda: not left_over(root)), left_over(root)
    if stop_signal is signal.SIGINT:
        assert (demo.returncode, errors) == (130, "demo: interrupted; nothing is left behind\n")


def shift_cutoffs(monkeypatch: pytest.MonkeyPatch, length: timedelta) -> None:
    """A worker whose cutoffs are wrong by so much; what `verify` looks at stays right."""

    def wrong(
        file: PolicyFile, scope: Scope, now: datetime, bounds: PolicyBounds
    ) -> datetime | None:
        return cutoff_of(file, scope, now + length, bounds)

    for module in (sweep, plan, approve, lanes_with_work):
        monkeypatch.setattr(module, "cutoff_of", wrong)


def test_the_checks_find_what_is_early(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker whose periods are ten days too short fails the check, and the demo with it."""
    shift_cutoffs(monkeypatch, timedelta(days=10))
    monkeypatch.setattr(months, "MONTHS", 1)
    assert show() == 1
    output = capsys.readouterr().out
    failed = re.findall(r"^FAIL  (.*)", output, re.MULTILINE)
    # Whoever came back on the last day had lost everything by then.
    assert failed == ["Nothing went early.", "Who stays active loses nothing."]


def test_the_checks_find_what_is_overdue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker whose periods are ten days too long fails, too."""
    shift_cutoffs(monkeypatch, timedelta(days=-10))
    monkeypatch.setattr(months, "MONTHS", 1)
    assert show() == 1
    output = capsys.readouterr().out
    assert re.findall(r"^FAIL  (.*)", output, re.MULTILINE) == ["What was due is gone."]


def test_without_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line says what is missing."""
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    assert show() == 3
    errors = capsys.readouterr().err
    assert errors.startswith("demo: PG_BINDIR is")
    assert errors.count("\n") == 1
