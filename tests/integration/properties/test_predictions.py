"""What the product predicts, in random worlds, against a record and against what sweeps then do.

Each world is a few accounts around the due dates of their tenants' periods, after a short history.
There every prediction is asked for; then simulated days of sweeps must do exactly that. The record
beside them shares nothing with the product: where all three agree, none of them is off by one.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from structlog.testing import capture_logs

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.lane.report import PlanReport
from retention_worker.service.checks.examination import inspect
from retention_worker.service.plan.plan import plan
from retention_worker.store.mapsql import compile_map
from tests.config_folder import ConfigFolder
from tests.database import Database, temporary_database
from tests.integration.foreign.site import template_of
from tests.integration.properties.prediction_checks import (
    Outlook,
    Promises,
    explain_all,
    forecast_all,
    receipts_all,
    report_all,
    verify_all,
)
from tests.integration.properties.prediction_play import Counts, Play, playing, said, write_policy
from tests.integration.properties.prediction_record import MICROSECOND, SCOPES
from tests.integration.properties.prediction_worlds import DATAMAP, SCHEMA, World, worlds
from tests.server import Server
from tests.snapshot import diff, snapshot

# A short look in every run, a long one where it is asked for.
LONG = bool(os.environ.get("RETENTION_TEST_LONG"))


def test_predictions_come_true(
    server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """explain, plan, forecast, report, receipts and verify say what is, and what then happens."""
    look_once(monkeypatch)
    with template_of(server, tmp_path_factory.mktemp("map"), SCHEMA, DATAMAP) as template:

        @settings(
            max_examples=2_000 if LONG else 10,
            deadline=None,
            derandomize=not LONG,
            suppress_health_check=list(HealthCheck),
        )
        @given(worlds())
        def look(world: World) -> None:
            with capture_logs(), TemporaryDirectory() as folder:
                play_world(server, template, Path(folder), world)

        look()


def look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No world changes a table or the data map: looking at them anew would be most of the time."""
    for name, function in (
        ("config.inspect", inspect),
        ("config.load_datamap", load_datamap),
        ("remembered.compile_map", compile_map),
        ("remembered.load_datamap", load_datamap),
        ("verify.moment.load_datamap", load_datamap),
        ("ledger.receipts.load_datamap", load_datamap),
    ):
        monkeypatch.setattr(f"retention_worker.service.{name}", first_answer(function))


def first_answer(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, asked once."""
    found: list[Any] = []

    def answer(*args: Any, **options: Any) -> Any:
        if not found:
            found.append(function(*args, **options))
        return found[0]

    return answer


def play_world(server: Server, template: str, folder: Path, world: World) -> None:
    """A history, what is predicted at its end, and what then happens."""
    config = config_in(folder / "config")
    with temporary_database(server, template) as database:
        with playing(database, config, world) as play:
            play.begin(world)
            for number, step in enumerate(world.steps):
                play.step(step, number)
            play.clock.now += world.rest
            before = snapshot(play.application.conn)
            predicted = Predicted.by(play, world, folder)
            assert diff(before, snapshot(play.application.conn)) == {}
        for planned in predicted.plans:
            with temporary_database(server, database.name) as copy:
                sweep_as_planned(copy, config, world, play, planned)
        with temporary_database(server, database.name) as copy:
            sweep_as_tried(copy, folder, world, play, predicted.tried)
        with playing(database, config, world, play) as went_on:
            live_through(went_on, world, predicted)


@dataclass(kw_only=True)
class Predicted:
    """Everything that was said at one instant."""

    promises: Promises
    outlook: Outlook
    plans: list[PlanReport]
    tried: PlanReport

    @classmethod
    def by(cls, play: Play, world: World, folder: Path) -> Self:
        """Ask for it, and hold it against the record."""
        now = play.clock.now
        plans = [plan(play.worker, at=now + later) for later in world.at]
        for planned in plans:
            play.compare_plan(planned, planned.at)
        file = write_policy(config_in(folder / "tried"), world.tried)
        tried = plan(play.worker, policy_file=file)
        play.compare_plan(tried, now, {world.tried.tenant: world.tried})
        verify_all(play)
        return cls(
            promises=explain_all(play),
            outlook=forecast_all(play, world.days),
            plans=plans,
            tried=tried,
        )


def config_in(folder: Path) -> ConfigFolder:
    """A folder with the data map and no policy."""
    config = ConfigFolder(folder)
    config.datamap.write_text(DATAMAP, encoding="utf-8")
    return config


def sweep_as_planned(
    copy: Database, config: ConfigFolder, world: World, of: Play, planned: PlanReport
) -> None:
    """Where nobody sweeps until then, a sweep does what `plan --at` said."""
    with playing(copy, config, world, of) as play:
        play.clock.now = planned.at
        did = play.sweep()
    assert unpaused(play, said(planned)) == unpaused(play, did), planned.at


def sweep_as_tried(
    copy: Database, folder: Path, world: World, of: Play, planned: PlanReport
) -> None:
    """Where the policy is put in its place, a sweep does what `plan --policy` said."""
    config = config_in(folder / "with_it")
    for policy in of.record.policies.values():
        write_policy(config, policy)
    with playing(copy, config, world, of) as play:
        play.write(world.tried)
        did = {key: each for key, each in play.sweep().items() if key[0] == world.tried.tenant}
    assert unpaused(play, said(planned)) == unpaused(play, did)


def unpaused(play: Play, found: Counts) -> Counts:
    """Without the lanes of paused tenants, of which a plan says what waits."""
    policies = play.record.policies
    return {key: each for key, each in found.items() if not policies[key[0]].paused}


def live_through(play: Play, world: World, predicted: Predicted) -> None:
    """Days with sweeps, then times without any, and the evidence at the end."""
    start = play.clock.now
    last, ends = datetime.min.replace(tzinfo=UTC), ends_of_days(start, world.days)
    for at in sorted({start, *ends, *probes(play, world, ends[-1])}):
        last = sweep_once(play, predicted, last, at)
    predicted.outlook.compare([end.date() for end in ends])
    for leap in world.leaps:
        play.clock.now += leap
        verify_all(play)
        last = sweep_once(play, predicted, last, play.clock.now)
    predicted.promises.left(last)
    verify_all(play)
    report_all(play, world.start)
    receipts_all(play)


def sweep_once(play: Play, predicted: Predicted, last: datetime, at: datetime) -> datetime:
    """A sweep at an instant, which takes what was promised for the time since the one before."""
    known, play.clock.now = len(play.record.erasures), at
    did = play.sweep()
    predicted.outlook.note(did, at)
    predicted.promises.kept(play.record.erasures[known:], last, at)
    return at


def ends_of_days(start: datetime, days: int) -> list[datetime]:
    """The last microseconds of so many days, today being the first."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return [midnight + timedelta(days=n + 1) - MICROSECOND for n in range(days)]


def probes(play: Play, world: World, end: datetime) -> Iterator[datetime]:
    """Due dates of some accounts before the end, and the last microsecond before each."""
    people = list(play.record.accounts.values())
    for place in world.probes:
        account = people[place % len(people)]
        for scope in SCOPES:
            due = account.due(scope, play.record.policies.get(account.tenant))
            if due is not None and play.clock.now < due - MICROSECOND and due < end:
                yield due - MICROSECOND
                yield due
