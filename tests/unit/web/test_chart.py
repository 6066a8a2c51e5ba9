"""The forecast as bars: every number is in the drawing, and in the table beside it."""

from datetime import UTC, date, datetime, timedelta

from retention_worker.domain.explain.forecast import Forecast, LaneForecast
from retention_worker.domain.scope import Scope
from retention_worker.web.portal.chart import charts

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TODAY = date(2026, 6, 1)


def made(days: dict[date, int], now: int = 0) -> Forecast:
    """The forecast of one lane."""
    lane = LaneForecast(tenant="acme", scope=Scope.ALL, now=now, days=days)
    return Forecast(at=NOW, days=90, lanes=(lane,), broken={})


def test_bars_are_in_proportion_and_inside() -> None:
    """Twice as many, twice as high; the last day is still in the drawing."""
    last = TODAY + timedelta(days=89)
    (chart,) = charts(made({TODAY: 20, TODAY + timedelta(days=1): 40, last: 1}, now=7))
    low, high, least = chart.bars
    assert round(high.height / low.height, 1) == 2.0
    assert least.day == last
    assert all(bar.x >= chart.left and bar.x + bar.width <= chart.width for bar in chart.bars)
    assert all(bar.y >= 0 and bar.y + bar.height <= chart.bottom + 0.01 for bar in chart.bars)
    assert (chart.now, chart.total, chart.days) == (7, 61, 90)


def test_the_table_has_the_same_sum() -> None:
    """By weeks, the first one from today."""
    (chart,) = charts(made({TODAY + timedelta(days=n): n for n in range(90)}))
    assert chart.weeks[0] == (TODAY, 0 + 1 + 2 + 3 + 4 + 5 + 6)
    assert sum(number for _, number in chart.weeks) == chart.total
    assert len(chart.weeks) == 13


def test_nothing_due_is_an_empty_chart() -> None:
    """No bars and no division by zero; a lane that the forecast has not has no chart."""
    (chart,) = charts(made({}))
    assert (chart.bars, chart.total) == ((), 0)
    assert [tick.text for tick in chart.vertical] == ["0", "1"]
