"""The documentation can't drift: every command, setting and stop reason stands in it."""

import re
from collections.abc import Iterator
from pathlib import Path

from typer.main import get_command

from retention_worker.cli.app import app
from retention_worker.domain.lane.lane import StopReason
from retention_worker.metrics import REGISTRY
from retention_worker.settings import known_variables

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")


def commands(group: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the program, as its words."""
    for name, command in getattr(group, "commands", {}).items():
        words = (*above, name)
        if getattr(command, "commands", None):
            yield from commands(command, words)
        else:
            yield words


def test_every_command_is_in_the_readme() -> None:
    """Each command, and each word below it, stands in the table of commands."""
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    found = [re.sub(r"\\\|", " ", row.split(" | ")[0]) for row in rows]
    for words in commands(get_command(app)):
        assert any(all(re.search(rf"\b{w}\b", row) for w in words) for row in found), words


def test_the_readme_names_no_command_that_is_not_there() -> None:
    """The first word of each row is a command."""
    known = {words[0] for words in commands(get_command(app))}
    for row in re.findall(r"^\| (`.*?) \|", README, re.MULTILINE):
        for name in re.findall(r"`(\w+)", row):
            assert name in known, name


def test_every_setting_is_documented_and_no_other() -> None:
    """The table of settings has exactly the variables that are read."""
    rows = re.findall(r"^\| `(RETENTION_\w+)`", SETTINGS, re.MULTILINE)
    assert sorted(rows) == sorted(known_variables())


def test_every_stop_reason_is_explained() -> None:
    """Operations finds each reason, and whether it makes the exit code 1."""
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([01]) \|$", OPERATIONS, re.MULTILINE))
    assert rows == {str(reason): str(int(reason.needs_person)) for reason in StopReason}


def test_every_metric_is_explained() -> None:
    """Operations has a row for each metric, by the name under which Prometheus shows it."""
    rows = "\n".join(re.findall(r"^\| (`retention_.*?) \|", OPERATIONS, re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", rows))
    counters = {f"{m.name}_total" for m in REGISTRY.collect() if m.type == "counter"}
    others = {m.name for m in REGISTRY.collect() if m.type != "counter"}
    assert named == counters | others


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and the docs is a file."""
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
