"""What commands print and read: numbers, times, and nothing that steers a terminal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from retention_worker.cli import app
from retention_worker.cli.terminal import options, output
from retention_worker.cli.terminal.lanes import in_words, plan_table
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.scope import Scope


def test_numbers_nouns_and_times() -> None:
    """Thousands have commas, one has no s, and a time says that it is UTC."""
    assert output.counted(1, "row") == "1 row"
    assert output.counted(12345, "row") == "12,345 rows"
    berlin = datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert output.instant(berlin) == "2026-06-01 12:00:00 UTC"
    assert output.instant(None, "never") == "never"


def test_texts_of_others_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, carriage returns and rich's own markup come out as plain text."""
    output.say("a\x1b[31mb\rc [bold]d[/]")
    assert capsys.readouterr().out == "a�[31mb�c [bold]d[/]\n"


def test_times_and_lengths_that_people_write() -> None:
    """ISO 8601 with any zone becomes UTC; everything else says what to write."""
    assert options.time("2026-06-01T14:00+02:00") == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert options.time("2026-06-01T12:00Z").tzinfo is UTC
    for text in ("2026-06-01T12:00", "2026-06-01", "now", "0001-01-01T00:00+01:00", ""):
        with pytest.raises(typer.BadParameter, match="with a zone"):
            options.time(text)
    assert options.length("7d") == timedelta(days=7)
    with pytest.raises(typer.BadParameter, match="no length of time"):
        options.length("a week")


def test_an_actor_is_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user and the host; a user without a name by number; or whoever is named."""
    assert "@" in options.actor_of(None)
    assert options.actor_of("Ada") == "Ada"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert options.actor_of(None).startswith("uid")


def test_quiet_lanes_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Of ten thousand lanes with nothing due none is shown; one that waits is, with its reason."""
    lanes = [LanePlan(tenant=f"t{i}", scope=Scope.ALL) for i in range(10_000)]
    waiting = LanePlan(
        tenant="acme",
        scope=Scope.ALL,
        due=1500,
        rows={"images": 3000},
        stop_reason=StopReason.WAITING,
        reason="too many",
    )
    plan_table([*lanes, waiting])
    shown = capsys.readouterr().out
    assert "t1" not in shown
    assert "1,500" in shown
    assert "3,000 images" in shown
    assert "acme · all: too many" in shown
    assert in_words(lanes) == "nothing"
    assert in_words([waiting]) == "3,000 rows in 1 lane"


def test_a_defect_is_one_line_without_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The class and the place; never the message, which may quote a row; the exit code is 1."""

    def break_down() -> None:
        raise ZeroDivisionError("Erika Mustermann")

    monkeypatch.setattr("retention_worker.settings.load", break_down)
    assert app.main(["policy", "check"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("internal error: ZeroDivisionError at test_output.py:")
    assert shown.err.count("\n") == 1
    assert "Mustermann" not in shown.err
    monkeypatch.setenv("RETENTION_LOG_LEVEL", "DEBUG")
    assert app.main(["policy", "check"]) == 1
    assert "Traceback" in capsys.readouterr().err
