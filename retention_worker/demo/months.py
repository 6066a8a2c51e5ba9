"""Section 5: a year and a half of sweeps, with people who come and go in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from retention_worker.demo.play import Play
from retention_worker.demo.tenants import START
from retention_worker.demo.traffic import Traffic
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.embedded.tables import insert_rows

MONTHS = 18
# Who was active so shortly before the start is a regular user.
_REGULAR = timedelta(days=10)
# About the most erasures of a month.
_MOST = 170


def show_months(play: Play) -> Traffic:
    """Simulate the months and print a line for each; returns who came and went."""
    play.screen.section(f"{MONTHS} months of sweeps, twice a month")
    play.screen.say(
        "Regular users come back every month, some stop, new ones arrive, and a few return after "
        "long: rows that the product inserts, whose activity the schema's own triggers note. In "
        "production a sweep runs every 15 minutes."
    )
    play.screen.say(
        "\nAccounts erased in each month: [cyan]biometrics[/], then [magenta]all credentials[/]\n"
    )
    traffic = Traffic(
        book=play.book,
        random=Random(7),  # noqa: S311 (sample data)
        active_since=START - _REGULAR,
    )
    approvals = play.approvals
    total: Counter[str] = Counter()
    for month, ends in _months():
        erased: Counter[str] = Counter()
        for number, end in ends:
            erased += _half_month(play, traffic, number, end)
        _print_month(play, month, erased)
        total += erased
    asked = play.approvals - approvals
    play.screen.say(
        f"\n{total['sweeps']} sweeps: {total['biometrics']:,} erasures of biometrics, "
        f"{total['all']:,} of all credentials, {total['rows']:,} rows. "
        f"{f'{asked} times a lane waited' if asked else 'No lane had to wait'} for a person."
    )
    return traffic


def _months() -> Iterator[tuple[str, list[tuple[int, datetime]]]]:
    """Each month's name, and the number and time of its two sweeps: on the 15th and at its end."""
    for number in range(MONTHS):
        year, month = divmod(START.month - 1 + number, 12)
        first = START.replace(year=START.year + year, month=month + 1, day=1)
        end = (first + timedelta(days=31)).replace(day=1)
        yield f"{first:%b %Y}", [(2 * number, first.replace(day=15)), (2 * number + 1, end)]


def _half_month(play: Play, traffic: Traffic, number: int, end: datetime) -> Counter[str]:
    play.scene.clock.now = end
    insert_rows(play.scene.dsn, play.book.noting(traffic.half_month(number, end)))
    report = play.sweep()
    erased = _erased(report)
    if play.approve_what_waits(report):
        erased += _erased(play.sweep())
    return erased


def _erased(report: SweepReport) -> Counter[str]:
    found: Counter[str] = Counter(sweeps=1)
    for lane in report.lanes:
        found["rows"] += sum(lane.rows.values())
        if lane.scope is not None:
            found["all" if lane.scope is Scope.ALL else "biometrics"] += lane.accounts
    return found


def _print_month(play: Play, month: str, erased: Counter[str]) -> None:
    biometrics, everything = erased["biometrics"], erased["all"]
    bars = play.screen.bars(biometrics, everything, _MOST)
    play.screen.say(
        f"{month}  [cyan]{biometrics:>4}[/] [magenta]{everything:>4}[/]  {bars}"
        f" [dim]{erased['rows']:,} rows[/]"
    )
