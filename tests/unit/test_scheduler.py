"""The long-running process with sweeps that are played: when they come, and what they survive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from freezegun import freeze_time
from structlog.testing import capture_logs

from retention_worker import scheduler
from retention_worker.clock import utc_now
from retention_worker.domain.errors import (
    DatabaseUnavailable,
    GuardRefused,
    RetentionWorkerError,
    SchemaError,
)
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.objects.object import DrainReport
from retention_worker.service.context import Context

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def fires(crontab: str, after: datetime) -> datetime:
    """When a schedule fires next, its jitter left out."""
    found = scheduler.trigger(crontab)
    found.jitter = None
    return cast("datetime", found.get_next_fire_time(None, after))


@pytest.mark.parametrize(
    ("crontab", "now", "following"),
    [
        ("*/15 * * * *", "2026-06-01T12:00:01Z", "2026-06-01T12:15:00Z"),
        ("*/15 * * * *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("30 2 * * sun", "2026-06-01T12:00:00Z", "2026-06-07T02:30:00Z"),
        ("0 0 29 2 *", "2026-06-01T12:00:00Z", "2028-02-29T00:00:00Z"),
        # In Europe this hour does not exist on that day; in UTC it does.
        ("30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T02:30:00Z"),
    ],
)
def test_schedules_are_utc(
    monkeypatch: pytest.MonkeyPatch, crontab: str, now: str, following: str
) -> None:
    """Whatever the host's zone is, and over the changes of its clocks."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        with freeze_time(now):
            assert fires(crontab, utc_now()) == datetime.fromisoformat(following)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_replicas_do_not_fire_at_the_same_moment() -> None:
    """The jitter moves a sweep by seconds, never before its time by more, never to another day."""
    due = datetime(2026, 6, 1, 12, 15, tzinfo=UTC)
    found = [
        scheduler.trigger("*/15 * * * *").get_next_fire_time(None, due - timedelta(seconds=30))
        for _ in range(20)
    ]
    assert len(set(found)) > 1
    assert all(abs(each - due) <= timedelta(seconds=5) for each in found)


class Play:
    """A worker whose sweeps do what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stop = threading.Event()
        self.calls: list[bool] = []
        self.answers: list[Any] = []
        self.last = 3
        self.running = 0
        self.most_at_once = 0
        self.starts: list[Exception] = []
        self.drains: list[Any] = []
        self.drained = 0
        monkeypatch.setattr(scheduler, "sweep", self._sweep)
        monkeypatch.setattr(scheduler, "drain", self._drain)
        monkeypatch.setattr(scheduler, "prepare", self._prepare)
        monkeypatch.setattr(scheduler, "trigger", lambda _: IntervalTrigger(seconds=0.05))
        monkeypatch.setattr(scheduler, "_FIRST_WAIT_SECONDS", 0.01)
        monkeypatch.setattr(scheduler, "_LONGEST_WAIT_SECONDS", 0.02)

    def run(self) -> int:
        """The process, until the last sweep has told it to stop."""
        settings = SimpleNamespace(
            health_host="127.0.0.1",
            health_port=0,
            schedule="sweep",
            reconcile="reconcile",
            ledger_export=None,
            object_drain=True,
            object_schedule="drain",
        )
        pool = SimpleNamespace(connection=self._connection)
        worker = SimpleNamespace(
            settings=settings, pool=pool, stop=self.stop, clock=utc_now, monotonic=time.monotonic
        )
        return scheduler.run(cast("Context", worker))

    @contextmanager
    def _connection(self) -> Iterator[None]:
        yield None

    def _drain(self, _: Any) -> DrainReport:
        self.drained += 1
        if self.drains and (answer := self.drains.pop(0)) is not None:
            raise answer
        return DrainReport(drained=True, deleted=self.drained)

    def _prepare(self, *_: Any) -> None:
        if self.starts:
            raise self.starts.pop(0)

    def _sweep(self, _: Any, *, reconcile: bool) -> Any:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            time.sleep(0.02)
            self.calls.append(reconcile)
            if len(self.calls) >= self.last:
                self.stop.set()
            if self.answers and (answer := self.answers.pop(0)) is not None:
                raise answer
            return SweepReport(sweep_id=1, started_at=NOW, finished_at=NOW, lanes=())
        finally:
            self.running -= 1


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """A process whose clockwork is fast."""
    return Play(monkeypatch)


def test_sweeps_and_reconciles_take_turns(play: Play) -> None:
    """Both run, the first sweep at once, and never two at the same time."""
    play.last = 12
    assert play.run() == 0
    assert play.calls[0] is False
    assert set(play.calls) == {False, True}
    assert play.most_at_once == 1


def test_a_sweep_that_fails_does_not_end_it(play: Play) -> None:
    """Refused, failed or a defect: it is logged by a static name, and the next one comes."""
    play.last = 5
    play.answers = [
        GuardRefused("the clocks differ"),
        RetentionWorkerError("anything"),
        ZeroDivisionError("a name and a number of a document"),
        SystemExit(7),
    ]
    with capture_logs() as logs:
        assert play.run() == 0
    said = [(each["event"], each.get("error")) for each in logs if each["log_level"] == "error"]
    assert said == [
        ("sweep_refused", "the clocks differ"),
        ("sweep_refused", "anything"),
        ("sweep_crashed", "ZeroDivisionError"),
        ("sweep_crashed", "SystemExit"),
    ]
    assert "document" not in str([each for each in logs if each["log_level"] != "debug"])


def test_a_database_that_is_away_is_asked_again(play: Play) -> None:
    """At the start and in a sweep alike: said, waited for with patience, and the process stays."""
    play.starts = [DatabaseUnavailable("no route"), GuardRefused("the database is a standby")]
    play.answers = [DatabaseUnavailable("gone"), DatabaseUnavailable("gone")]
    with capture_logs() as logs:
        assert play.run() == 0
    events = [each["event"] for each in logs]
    assert events.count("database_unavailable") == 4
    assert len(play.calls) == 3


def test_a_drain_that_hangs_never_keeps_a_sweep(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects have a thread of their own: sweeps come while a store does not answer."""
    play.last = 5
    began = threading.Event()

    def hang(_: Any) -> DrainReport:
        began.set()
        play.stop.wait(30)
        return DrainReport(drained=True)

    monkeypatch.setattr(scheduler, "drain", hang)
    assert play.run() == 0
    assert began.is_set()
    assert len(play.calls) == 5


def test_a_drain_that_fails_comes_again(play: Play) -> None:
    """Whatever hinders one is said, and the next one is tried."""
    play.last = 12
    play.drains = [RetentionWorkerError("the data map does not fit")]
    with capture_logs() as logs:
        assert play.run() == 0
    said = [each["error"] for each in logs if each["event"] == "objects_not_drained"]
    assert said == ["the data map does not fit"]
    assert play.drained > 1


def test_a_wrong_schema_at_the_start_ends_it(play: Play) -> None:
    """What only a person can mend is not waited for."""
    play.starts = [SchemaError("run migrate")]
    with pytest.raises(SchemaError):
        play.run()
    assert play.calls == []


def test_told_to_stop_while_the_database_is_away(play: Play) -> None:
    """A process that still waits for its database ends in order, too."""
    play.starts = [DatabaseUnavailable("no route")] * 1000
    threading.Timer(0.1, play.stop.set).start()
    assert play.run() == 0
    assert play.calls == []


def test_a_sweep_that_hangs_is_left_after_a_while(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, after a bounded time, and it is said."""
    monkeypatch.setattr(scheduler, "_PATIENCE_SECONDS", 0.1)
    go_on, began = threading.Event(), threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        began.set()
        go_on.wait(30)
        return SweepReport(sweep_id=1, started_at=NOW, finished_at=NOW, lanes=())

    monkeypatch.setattr(scheduler, "sweep", hang)

    def stop() -> None:
        began.wait(30)
        play.stop.set()

    threading.Thread(target=stop).start()
    with capture_logs() as logs:
        assert play.run() == 1
    go_on.set()
    assert "sweep_hangs" in [each["event"] for each in logs]
