"""The long-running process: sweeps and drains on schedule until it is told to stop."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from retention_worker import __version__, health, metrics, stopping
from retention_worker.domain.errors import DatabaseUnavailable, GuardRefused, RetentionWorkerError
from retention_worker.domain.instant import stamp
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import SweepReport, WarningCode
from retention_worker.domain.scope import Scope
from retention_worker.service.config import prepare
from retention_worker.service.context import Context
from retention_worker.service.ledger import export_after_sweep
from retention_worker.service.objects.drain import drain
from retention_worker.service.sweep.sweep import sweep

_log = structlog.get_logger()

# So that replicas that were started together do not always ask the database at the same moment.
_JITTER_SECONDS = 5
# A database that restarts is back in seconds; one that is away for an hour is asked once a minute.
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
# A batch and its pause end within seconds, and Kubernetes kills after 30.
_PATIENCE_SECONDS = 25.0

_SWEEP, _RECONCILE, _DRAIN = "sweep", "reconcile", "drain"


def run(context: Context) -> int:
    """Sweep on schedule until a signal, or `worker.stop`, ends it.

    Returns:
        0; 1 where a sweep did not end in time, so that its thread is still there.

    Raises:
        ConfigurationError: a file, the schema or the health address is wrong at the start. Later
            the sweep that meets it is refused and the next one tries again.
    """
    settings = context.settings
    service = _Service(context)
    with (
        stopping.on_signals(context.stop, insist=False),
        health.serving(settings.health_host, settings.health_port, service.report) as port,
    ):
        _log.info("worker_started", version=__version__, health_port=port)
        code = service.work() if service.ready() else 0
        _log.info("worker_stopped", exit=code)
        return code


def trigger(crontab: str) -> CronTrigger:
    """The trigger of five cron fields, in UTC, with a jitter."""
    found = CronTrigger.from_crontab(crontab, timezone=UTC)
    found.jitter = _JITTER_SECONDS
    return found


class _Service:
    """The jobs, and what /health says of them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started_at = context.clock()
        self._last: dict[str, Any] | None = None
        self._objects: dict[str, Any] | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._drained = threading.Event()
        self._drained.set()
        self._under_way = (self._idle, self._drained)
        self._scheduler = BackgroundScheduler(
            # One thread is the lock: a sweep and a reconcile never run at once. Objects have their
            # own: a store that is slow or down never keeps rows from going.
            executors={"default": ThreadPoolExecutor(1), _DRAIN: ThreadPoolExecutor(1)},
            # A sweep that is late is due more than ever: without None it would be dropped after a
            # second, in silence.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )

    def ready(self) -> bool:
        """Refuse what is wrong at the start, wait for the database; False: told to stop."""
        for wait in _waits():
            if self._context.stop.is_set():
                return False
            try:
                with self._context.pool.connection() as conn:
                    prepare(self._context, conn)
            except (DatabaseUnavailable, GuardRefused) as exc:  # the guard: it is a standby
                _log.error("database_unavailable", error=str(exc), retry_in_seconds=wait)
                self._context.stop.wait(wait)
                continue
            return True
        raise AssertionError("the waits have no end")

    def work(self) -> int:
        """Run the jobs until the worker is told to stop."""
        settings, scheduler = self._context.settings, self._scheduler
        _listen(scheduler)
        scheduler.add_job(
            self._job,
            trigger(settings.schedule),
            id=_SWEEP,
            kwargs={"reconcile": False},
            next_run_time=self._context.clock(),  # the first one at once
        )
        scheduler.add_job(
            self._job, trigger(settings.reconcile), id=_RECONCILE, kwargs={"reconcile": True}
        )
        if settings.object_drain:
            scheduler.add_job(
                self._drain, trigger(settings.object_schedule), id=_DRAIN, executor=_DRAIN
            )
        scheduler.start()
        self._context.stop.wait()
        _log.info("worker_stopping")
        scheduler.shutdown(wait=False)
        end = self._context.monotonic() + _PATIENCE_SECONDS
        waits = (event.wait(max(0, end - self._context.monotonic())) for event in self._under_way)
        if all(waits):
            return 0
        _log.error("sweep_hangs", waited_seconds=_PATIENCE_SECONDS)
        return 1

    def report(self) -> dict[str, Any]:
        """What /health answers."""
        job = self._scheduler.get_job(_SWEEP) if self._scheduler.running else None
        following = job.next_run_time if job is not None else None
        return {
            "status": "ok",
            "version": __version__,
            "started_at": stamp(self._started_at),
            "sweeping": not self._idle.is_set(),
            "last_sweep": self._last,
            "objects": self._objects,
            "next_sweep": stamp(following) if following is not None else None,
        }

    def _job(self, *, reconcile: bool) -> None:
        """Sweep; the database's absence is waited out, everything else is the next sweep's."""
        self._idle.clear()
        try:
            for wait in _waits():
                if self._context.stop.is_set() or self._attempt(reconcile):
                    return
                _log.info("sweep_waits_for_database", retry_in_seconds=wait)
                self._context.stop.wait(wait)
        finally:
            self._idle.set()

    def _measure(self, report: SweepReport) -> None:
        """What /metrics shows of a sweep."""
        metrics.LAST_SWEEP.set(self._context.clock().timestamp())
        ended = Counter(lane.stop_reason for lane in report.lanes)
        for reason in StopReason:
            metrics.LANES.labels(reason).set(ended[reason])
        for scope in Scope:
            failed = sum(lane.errors for lane in report.lanes if lane.scope is scope)
            metrics.NOT_ERASED.labels(scope).set(failed)
        metrics.REQUESTS_UNFINISHED.set(len(report.unfinished))
        metrics.HOLDS_ASTRAY.set(len(report.holds_astray))
        codes = Counter(each.code for each in report.warnings)
        for code in WarningCode:
            metrics.WARNINGS.labels(code).set(codes[code])
        for lane in report.lanes:
            if lane.scope is not None:
                metrics.ROWS_ERASED.labels(lane.scope).inc(sum(lane.rows.values()))

    def _drain_soon(self) -> None:
        """What a sweep has just queued need not wait for the next minute."""
        if self._scheduler.get_job(_DRAIN) is not None:
            self._scheduler.modify_job(_DRAIN, next_run_time=self._context.clock())

    def _drain(self) -> None:
        """Delete queued objects once; whatever hinders is the next minute's."""
        self._drained.clear()
        try:
            self._objects = drain(self._context).to_json()
        except RetentionWorkerError as exc:
            _log.warning("objects_not_drained", error=str(exc))
        finally:
            self._drained.set()

    def _attempt(self, reconcile: bool) -> bool:
        """Sweep once; False where the database was not there."""
        started = self._context.clock()
        code = 1  # what /health says of a defect
        try:
            report = sweep(self._context, reconcile=reconcile)
            code = report.exit_code
            self._measure(report)
            self._drain_soon()
            if export_after_sweep(self._context) is not None:
                code = max(code, 1)
        except DatabaseUnavailable as exc:
            code = exc.exit_code
            _log.error("database_unavailable", error=str(exc))
            return False
        except RetentionWorkerError as exc:
            code = exc.exit_code
            _log.error("sweep_refused", error=str(exc), exit=code)
        finally:
            metrics.SWEEPS.labels(code).inc()
            self._last = {
                "started_at": stamp(started),
                "finished_at": stamp(self._context.clock()),
                "reconcile": reconcile,
                "exit": code,
            }
        return True


def _waits() -> Iterator[float]:
    """Seconds to wait, doubled each time within bounds, without end."""
    wait = _FIRST_WAIT_SECONDS
    while True:
        yield wait
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def _listen(scheduler: BackgroundScheduler) -> None:
    """Say what the scheduler would pass over in silence."""
    listeners: dict[int, Callable[[Any], None]] = {
        EVENT_JOB_MISSED: _missed,
        EVENT_JOB_ERROR: _crashed,
        EVENT_JOB_MAX_INSTANCES: _still_running,
    }
    for mask, listener in listeners.items():
        scheduler.add_listener(listener, mask)


def _missed(event: Any) -> None:
    _log.warning("sweep_missed", job=event.job_id, due_at=_shown(event.scheduled_run_time))


def _crashed(event: Any) -> None:
    """A defect. The message stays out: it may quote what is in the database."""
    _log.error("sweep_crashed", job=event.job_id, error=type(event.exception).__name__)
    _log.debug("sweep_crashed_at", job=event.job_id, traceback=event.traceback)


def _still_running(event: Any) -> None:
    if event.job_id == _DRAIN:  # the first drain after a backlog takes longer than a minute
        return
    _log.warning("sweep_still_running", job=event.job_id)


def _shown(moment: datetime | None) -> str | None:
    return stamp(moment) if moment is not None else None
