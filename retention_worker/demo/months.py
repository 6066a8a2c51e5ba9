"""Section 5: a year and a half of sweeps, with people who come and go in between."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from retention_worker.demo.scene import DemoScene
from retention_worker.demo.screen import Screen
from retention_worker.demo.tenants import START
from retention_worker.demo.traffic import Traffic
from retention_worker.domain.scope import Scope

MONTHS = 18
# About the most erasures of a month.
_MOST = 170


def show_months(scene: DemoScene, screen: Screen) -> Traffic:
    """Simulate the months and print a line for each; returns who came and went."""
    screen.section(f"{MONTHS} months of sweeps, twice a month")
    screen.say(
        "Regular users come back every month, some stop, new ones arrive, and a few return after "
        "long: rows that the product inserts, whose activity the schema's own triggers note. In "
        "production a sweep runs every 15 minutes."
    )
    screen.say(
        "\nAccounts erased in each month: [cyan]biometrics[/], then [magenta]all credentials[/]\n"
    )
    traffic = Traffic(scene, Random(7))  # noqa: S311 (sample data)
    total = Counter[str]()
    first = START.replace(day=1, hour=0)
    for month in range(MONTHS):
        end = (first + timedelta(days=31)).replace(day=1)
        erased = _half_month(scene, traffic, 2 * month, first.replace(day=15))
        erased += _half_month(scene, traffic, 2 * month + 1, end)
        _print_month(screen, first, erased)
        total += erased
        first = end
    waited = total["waited"]
    screen.say(
        f"\n{total['sweeps']} sweeps: {total['biometrics']:,} erasures of biometrics, "
        f"{total['all']:,} of all credentials, {total['rows']:,} rows. "
        f"{f'{waited} times a lane waited' if waited else 'No lane had to wait'} for a person."
    )
    return traffic


def _half_month(scene: DemoScene, traffic: Traffic, number: int, end: datetime) -> Counter[str]:
    """What the sweep at the end of a half month erased."""
    scene.clock.now = end
    scene.insert(traffic.half_month(number, end))
    erased = Counter[str](sweeps=1)
    for lane in scene.sweep().lanes:
        erased["rows"] += sum(lane.rows.values())
        erased["all" if lane.scope is Scope.ALL else "biometrics"] += lane.accounts
        erased["waited"] += lane.stop_reason.needs_person
    return erased


def _print_month(screen: Screen, month: datetime, erased: Counter[str]) -> None:
    biometrics, everything = erased["biometrics"], erased["all"]
    bars = screen.bars(biometrics, everything, _MOST)
    screen.say(
        f"{month:%b %Y}  [cyan]{biometrics:>4}[/] [magenta]{everything:>4}[/]  {bars}"
        f" [dim]{erased['rows']:,} rows[/]"
    )
