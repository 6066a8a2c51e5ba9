"""Bars, and the chart around them at every width."""

from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.cli.commands import forecast
from retention_worker.cli.commands.forecast import bar
from retention_worker.domain.explain.forecast import Forecast, LaneForecast
from retention_worker.domain.scope import Scope

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, ""), (8, "██████████"), (4, "█████"), (9, "█████████»"), (1, "█▎")],
)
def test_a_bar_is_drawn_in_eighths(number: int, expected: str) -> None:
    """In proportion to the most; what is more than that says so."""
    assert bar(number, 8, 10) == expected


def test_something_is_never_drawn_as_nothing() -> None:
    """One of a million is seen, and where only ASCII can be printed a bar is too."""
    assert bar(1, 1_000_000, 10) == "▏"
    assert bar(1, 1_000_000, 10, plain=True) == "#"
    assert bar(2_000_000, 1_000_000, 10, plain=True) == "#########>"


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_chart_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """No line of the chart is wider than the terminal; days with nothing are one line."""
    monkeypatch.setenv("COLUMNS", str(width))
    today = NOW.date()
    days = {today + timedelta(days=n): 10**n for n in (0, 1, 5)}
    lanes = [
        LaneForecast(tenant="acme", scope=scope, now=3_000_000, days=days, on_hold=2)
        for scope in Scope
    ]
    forecast._show(Forecast(at=NOW, days=40, lanes=tuple(lanes), broken={"birch": "line 3"}))
    out = capsys.readouterr().out
    lines = out.splitlines()
    chart = [line for line in lines if line.startswith(("now", "2026", "…"))]
    assert len(chart) == 1 + 3 + 2
    assert all(len(line) <= width for line in chart)
    assert "3 days without" in out
    assert "34 days without" in out
    assert "3,000,000" in chart[0]
    assert "birch is not in it: line 3" in out
    assert "At most so many" in out


def test_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """No chart and no table of nothing."""
    lane = LaneForecast(tenant="acme", scope=Scope.ALL)
    forecast._show(Forecast(at=NOW, days=40, lanes=(lane,), broken={}))
    assert "None." in capsys.readouterr().out.splitlines()
