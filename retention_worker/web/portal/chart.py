"""The forecast as bars: numbers of a drawing that a template writes as SVG, and of its table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from retention_worker.domain.explain.forecast import Forecast
from retention_worker.domain.scope import Scope

WIDTH, HEIGHT = 720, 160
_LEFT, _BOTTOM, _TOP = 48, 24, 8
# What is less than that cannot be seen.
_LEAST_HEIGHT = 2.0
_GAP = 0.25


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A day of the chart."""

    x: float
    y: float
    width: float
    height: float
    day: date
    number: int


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A scope: `now` is due already, `total` becomes due within the days, `bars` has no zeros."""

    scope: Scope
    now: int
    total: int
    days: int
    bars: tuple[Bar, ...]
    weeks: tuple[tuple[date, int], ...]
    horizontal: tuple[Tick, ...]
    vertical: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM


def charts(found: Forecast) -> list[Chart]:
    """A chart for each scope that the forecast has, the longer period first."""
    scopes = {lane.scope for lane in found.lanes}
    return [_chart(found, scope) for scope in reversed(Scope) if scope in scopes]


def _chart(found: Forecast, scope: Scope) -> Chart:
    calendar = found.calendar()
    numbers = [found.on(day, scope) for day in calendar]
    most = _rounded(max(numbers))
    step = (WIDTH - _LEFT) / len(calendar)
    room = HEIGHT - _BOTTOM - _TOP
    bars = []
    for index, (day, number) in enumerate(zip(calendar, numbers, strict=True)):
        if not number:
            continue
        height = max(_LEAST_HEIGHT, room * number / most)
        bars.append(
            Bar(
                x=round(_LEFT + step * (index + _GAP / 2), 2),
                y=round(HEIGHT - _BOTTOM - height, 2),
                width=round(step * (1 - _GAP), 2),
                height=round(height, 2),
                day=day,
                number=number,
            )
        )
    return Chart(
        scope=scope,
        now=found.now(scope),
        total=sum(numbers),
        days=found.days,
        bars=tuple(bars),
        weeks=_weeks(calendar, numbers),
        horizontal=tuple(
            Tick(at=round(_LEFT + step * index, 2), text=f"{day:%d %b}")
            for index, day in enumerate(calendar)
            if index % 15 == 0
        ),
        vertical=tuple(
            Tick(at=round(HEIGHT - _BOTTOM - room * part, 2), text=f"{int(most * part):,}")
            for part in (0, 0.5, 1)
            if most * part == int(most * part)
        ),
    )


def _weeks(calendar: list[date], numbers: list[int]) -> tuple[tuple[date, int], ...]:
    """The numbers by weeks, for the table: the first day of each, and the sum."""
    return tuple(
        (calendar[start], sum(numbers[start : start + 7])) for start in range(0, len(numbers), 7)
    )


def _rounded(most: int) -> int:
    """The next number that reads well: 1, 2, 4, 10, 20, 40, 100 and so on."""
    size = 1
    while True:
        for factor in (1, 2, 4):
            if most <= factor * size:
                return factor * size
        size *= 10
