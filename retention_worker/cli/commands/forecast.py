"""The command `forecast`: what becomes due on which day, as a bar chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson, Tenants
from retention_worker.cli.terminal.output import (
    console,
    count,
    counted,
    instant,
    print_json,
    say,
    table,
)
from retention_worker.domain.explain.forecast import Forecast, LaneForecast
from retention_worker.domain.scope import Scope

_MOST_TENANTS = 20
_DAY_WIDTH = 16
_NUMBER_WIDTH = 10
# Longer bars say no more, and the numbers at their ends lie too far from each other.
_LONGEST_BAR = 60
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STYLES = {Scope.BIOMETRICS: "cyan", Scope.ALL: "magenta"}
_HEADINGS = {Scope.BIOMETRICS: "biometrics", Scope.ALL: "all credentials"}


def forecast(
    days: Annotated[
        int, typer.Option("--days", min=1, max=1_100, help="How many days, from today on.")
    ] = 90,
    tenant: Tenants = None,
    as_json: AsJson = False,
) -> None:
    """Show how many accounts become due on which day, if none becomes active."""
    from retention_worker.service.plan.forecast import forecast as make_forecast

    with open_context() as context:
        found = make_forecast(context, tenants=tenant or (), days=days)
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(found.exit_code)


def _show(found: Forecast) -> None:
    say(
        f"Accounts that become due in {counted(found.days, 'day')} from {instant(found.at)}", "bold"
    )
    if any(_any(lane) for lane in found.lanes):
        _chart(found, console())
    else:
        say("None.")
    _tenants(found)
    say(
        "At most so many, and not sooner: counted by the accounts' own last activity, as if none "
        "became active again. An account counts in both scopes. Holds, pauses, newer credentials "
        "and credentials that are gone already make it fewer; `plan` says what goes now."
    )
    for name, reason in found.broken.items():
        say(f"{name} is not in it: {reason}", "bold red")
    for each in found.warnings:
        say(each.message, "bold red")


def _chart(found: Forecast, out: Console) -> None:
    scopes = [s for s in Scope if any(lane.scope is s and _any(lane) for lane in found.lanes)]
    width = min(max((out.width - _DAY_WIDTH) // len(scopes) - _NUMBER_WIDTH, 8), _LONGEST_BAR)
    calendar = found.calendar()
    most = max(found.on(day, scope) for day in calendar for scope in scopes)
    most = most or max(found.now(scope) for scope in scopes)
    heading = Text(" " * _DAY_WIDTH, style="bold")
    for scope in scopes:
        heading.append(f"{_HEADINGS[scope]:<{width + _NUMBER_WIDTH}}")
    _line(out, heading)
    plain = out.options.ascii_only
    numbers = {scope: found.now(scope) for scope in scopes}
    _line(out, _bars("now", numbers, most, width, plain=plain))
    empty: list[date] = []
    for day in calendar:
        numbers = {scope: found.on(day, scope) for scope in scopes}
        if not any(numbers.values()):
            empty.append(day)
            continue
        _skip(out, empty)
        label = f"{day.isoformat()} {day:%a}"
        _line(out, _bars(label, numbers, most, width, plain=plain))
    _skip(out, empty)


def _line(out: Console, line: Text) -> None:
    line.rstrip()
    out.print(line, no_wrap=True, crop=False, overflow="ignore")


def _skip(out: Console, empty: list[date]) -> None:
    """Days with nothing due are a number, not lines."""
    if empty:
        _line(out, Text(f"{'…':<{_DAY_WIDTH}}{counted(len(empty), 'day')} without", style="dim"))
        empty.clear()


def _bars(label: str, numbers: Mapping[Scope, int], most: int, width: int, *, plain: bool) -> Text:
    line = Text(f"{label:<{_DAY_WIDTH}}")
    for scope, number in numbers.items():
        drawn = bar(number, most, width, plain=plain)
        line.append(drawn, style=_STYLES[scope])
        text = f" {count(number)}" if number else ""
        line.append(f"{text:<{width - len(drawn) + _NUMBER_WIDTH}}")
    return line


def bar(number: int, most: int, width: int, *, plain: bool = False) -> str:
    """A bar of up to `width` characters, in eighths of one; what is more than `most` ends in »."""
    if number > most:
        return ("#" if plain else "█") * (width - 1) + (">" if plain else "»")
    eighths = -(-number * width * 8 // most) if most else 0
    if plain:
        return "#" * -(-eighths // 8)
    rest = eighths % 8
    return "█" * (eighths // 8) + (_EIGHTHS[rest] if rest else "")


def _tenants(found: Forecast) -> None:
    """A line a lane, those with the most first; one tenant alone has its numbers in the chart."""
    lanes = [lane for lane in found.lanes if _any(lane) or lane.on_hold]
    tenants = sorted(
        {lane.tenant for lane in lanes},
        key=lambda name: (-max(_total(lane, found) for lane in lanes if lane.tenant == name), name),
    )
    if not tenants:
        return
    shown = tenants[:_MOST_TENANTS]
    spans = [days for days in (7, 30) if days < found.days]
    numbers = ["now", *(f"{days} days" for days in spans), f"all {found.days} days"]
    kept = any(lane.on_hold or lane.paused for lane in lanes)
    table(
        ("tenant", "scope", *numbers, *(["kept back"] if kept else [])),
        (
            _row(lane, found, spans, kept=kept)
            for name in shown
            for lane in lanes
            if lane.tenant == name
        ),
        numbers=numbers,
    )
    if len(tenants) > len(shown):
        more = counted(len(tenants) - len(shown), "tenant")
        say(f"… and {more} more with fewer: --json has them all.")


def _any(lane: LaneForecast) -> bool:
    return bool(lane.now or lane.days)


def _total(lane: LaneForecast, found: Forecast) -> int:
    return lane.within(found.at, found.days)


def _row(
    lane: LaneForecast, found: Forecast, spans: Sequence[int], *, kept: bool
) -> tuple[str, ...]:
    back = ", ".join(
        part
        for part in (
            "paused" if lane.paused else "",
            f"{count(lane.on_hold)} more on hold" if lane.on_hold else "",
        )
        if part
    )
    return (
        lane.tenant,
        lane.scope,
        count(lane.now),
        *(count(lane.within(found.at, days)) for days in spans),
        count(_total(lane, found)),
        *([back] if kept else []),
    )
