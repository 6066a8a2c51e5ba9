"""Runs batch after batch of a lane, at the pace, until nothing is left or it must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.configfiles.text import content_hash
from retention_worker.domain.errors import BatchTimeout, CameMeanwhile, StatementFailed
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.due.eligibility import retry_time
from retention_worker.service.guard import halts
from retention_worker.service.pace.pace import Pace, Pacing
from retention_worker.service.sweep.batch import Batch
from retention_worker.service.sweep.lane_rules import (
    BatchOutcome,
    BatchTask,
    CandidatesFrom,
    LaneRules,
)
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.pool import Connection, batching
from retention_worker.store.connection.session import Deadline, Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import pace
from retention_worker.store.own.deferred import Deferred

_log = structlog.get_logger()

Progress = Callable[[str, str, int], None]
"""Told after each batch: tenant, scope, accounts erased in it."""

# Where so many accounts in a row fail even alone, the fault is not in the accounts.
_MOST_FAILURES_IN_A_ROW = 20
# What makes a worker stop often passes soon; a sweep that would wait for ever would say nothing.
_PATIENCE_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 1.0
# An application that waits for a batch is a reason to leave it far more room.
_SLOWED_BY_WAITERS = 4.0
# What a commit takes on a common disk: part of the batch, and unknown before it.
_COMMIT_SECONDS = 0.001


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a lane ended."""

    stop: StopReason
    reason: str | None = None
    pace: str | None = None


_DONE = Ending(stop=StopReason.EXHAUSTED)
STOPPED = Ending(stop=StopReason.STOPPED, reason="the worker is stopping")


@dataclass(kw_only=True)
class Batches:
    """The batches of one lane in one sweep.

    Args:
        compiled: the data map.
        file: the tenant's policy file as it was read at the sweep's start.
        scope: of the lane.
        until: the monotonic second at which the sweep's time budget ends.
        progress: told after each batch.

    `erased` counts accounts since it was last set; `paced` is what slowed or stopped it last.
    """

    context: Context
    compiled: CompiledMap
    file: PolicyFile
    scope: Scope
    until: float | None = None
    progress: Progress | None = None
    erased: int = 0
    paced: str | None = None
    _troubled: dict[str, Deferred] = field(default_factory=dict)
    _parts: dict[str, int] = field(default_factory=dict)
    _failures: int = 0
    _last_failure: str = ""
    _slowed: float = 1.0
    _counted_at: float | None = None
    _proved: bool = False

    def __post_init__(self) -> None:
        settings = self.context.settings
        self._pace = Pace(
            settings.batch_max_accounts,
            settings.duty_cycle_percent,
            settings.batch_target_seconds,
            self.context.seconds_each.get(self.scope),
        )
        self._tables = [table.oid for table in self.compiled.catalog.tables.values()]

    def run(self, conn: Connection, rules: LaneRules, permit: int, behind: list[Key]) -> Ending:
        """Deferred accounts first, then the frontier, then what was found behind it."""
        waiting = ahead = True
        while waiting or ahead or behind:
            if (ending := self.interrupted() or self._held_up(conn)) is not None:
                return ending
            source = self._source(waiting, ahead, behind)
            outcome = self._batch(conn, rules, source, permit)
            if outcome is None:
                if self._failures > _MOST_FAILURES_IN_A_ROW:
                    return Ending(
                        stop=StopReason.FAILED,
                        reason=f"{self._failures} accounts in a row could not be erased: "
                        f"{self._last_failure}",
                    )
                continue
            if outcome.wait is not None:
                self._wait_for_stream(conn, outcome.wait)
                continue
            if outcome.stop is not None:
                return Ending(stop=outcome.stop, reason=outcome.reason)
            permit -= outcome.accounts
            self.erased += outcome.accounts
            if source.name == CandidatesFrom.BEHIND:
                behind = behind[outcome.processed :]
            elif source.name == CandidatesFrom.FRONTIER:
                ahead = outcome.more
            waiting = outcome.partial or (source.name == CandidatesFrom.DEFERRED and outcome.more)
        return _DONE

    def _source(self, waiting: bool, ahead: bool, behind: list[Key]) -> CandidatesFrom:
        if waiting:
            return CandidatesFrom(name=CandidatesFrom.DEFERRED)
        if ahead:
            return CandidatesFrom(name=CandidatesFrom.FRONTIER)
        return CandidatesFrom(name=CandidatesFrom.BEHIND, keys=tuple(behind[: self._pace.size]))

    def interrupted(self) -> Ending | None:
        """What ends a lane between two batches."""
        context = self.context
        if context.stop.is_set():
            return STOPPED
        for halt in halts.of_operator(context.settings, context.clock()):
            return Ending(stop=halt.stop, reason=halt.reason)
        if self.until is not None and context.monotonic() >= self.until:
            return Ending(stop=StopReason.TIME_BUDGET, reason="the sweep's time is used up")
        if content_hash(self.file.path) != self.file.content_hash:
            return Ending(
                stop=StopReason.POLICY_CHANGED, reason=f"{self.file.path} was changed meanwhile"
            )
        return None

    def _wait_for_stream(self, conn: Connection, pause: float) -> None:
        """Until the pause of another replica's batch ends.

        While that batch runs, about as long as one; what is looked at then is a single statement,
        because all who wait look, and the batch should not be slower for it.
        """
        settings, stop = self.context.settings, self.context.stop
        if pause == 0:
            stop.wait(self._pace.running())
            pause = pace.waits(Session(conn, settings.schema_name), settings.streams)
        if pause > 0:
            stop.wait(self._pace.behind(pause))

    def _held_up(self, conn: Connection) -> Ending | None:
        """Wait while the server has more important things to do; end the lane if that lasts."""
        context = self.context
        until: float | None = None
        while not context.stop.is_set():
            now = context.monotonic()
            pressure = context.watch.look(conn, context.settings, self._tables, now)
            if pressure.reason is not None:
                self.paced = str(pressure)
            if not pressure.stop:
                return None
            until = now + _PATIENCE_SECONDS if until is None else until
            if now >= until or context.watch.gave_up:
                context.watch.gave_up = True
                return Ending(stop=StopReason.PAUSED, reason=str(pressure))
            context.stop.wait(_LOOK_AGAIN_SECONDS)
            if (ending := self.interrupted()) is not None:
                return ending
        return STOPPED

    def _batch(
        self, conn: Connection, rules: LaneRules, source: CandidatesFrom, permit: int
    ) -> BatchOutcome | None:
        """Run a batch and pause after it; None where it failed and is to be tried smaller."""
        context = self.context
        slow = context.watch.pressure.slow * self._slowed
        started = context.monotonic()
        deadline = Deadline(context.monotonic, context.settings.batch_deadline_ms)
        task = BatchTask(
            session=Session(conn, context.settings.schema_name, deadline),
            compiled=self.compiled,
            rules=rules,
            source=source,
            limit=self._pace.size,
            max_units=context.settings.batch_max_transactions,
            permit=permit,
            # A trigger that was looked at once may do otherwise today.
            prove=not self._proved or bool(self.compiled.datamap.accepted_triggers),
            at=context.clock(),
            object_grace=context.settings.object_grace,
            troubled=self._troubled,
            parts=self._parts,
        )
        batch = Batch(
            task=task,
            pacing=Pacing(
                streams=context.settings.streams,
                factor=self._pace.factor(slow),
                beyond=_COMMIT_SECONDS,
            ),
            counts_waiters=self._counts_waiters(started),
        )
        try:
            with batching(conn):
                outcome = batch.run()
        except StatementFailed as exc:
            self._charge(conn, self._pace.pause(context.monotonic() - started, slow))
            self._smaller(batch, exc)
            return None
        if outcome.wait is None:
            self._ease(batch.waiters)
            self._after(outcome, context.monotonic() - started)
            if outcome.stop is None and batch.pause is not None:
                context.stop.wait(self._pace.after(batch.pause))
        return outcome

    def _charge(self, conn: Connection, pause: float) -> None:
        """A batch that was rolled back has taken its time, too."""
        if pause > 0:
            with self.context.writing(conn) as session:
                pace.charge(session, pause)
            self.context.stop.wait(pause)

    def _counts_waiters(self, now: float) -> bool:
        """Whether it is time to look again: now and then, because it asks for every lock."""
        if self._counted_at is not None and now - self._counted_at < _LOOK_AGAIN_SECONDS:
            return False
        self._counted_at = now
        return True

    def _ease(self, waiters: int | None) -> None:
        """Where somebody waited for us: smaller batches and longer pauses, until nobody does."""
        if waiters is None:
            return
        was, self._slowed = self._slowed, _SLOWED_BY_WAITERS if waiters else 1.0
        if waiters:
            self._pace.halve()
            self.paced = f"slowed: {waiters} sessions waited for a batch"
            if self._slowed != was:
                _log.info("pace_changed", pace=self.paced, slow=self._slowed)

    def _after(self, outcome: BatchOutcome, seconds: float) -> None:
        # The first batch also plans and proves: its time says little about the next one's.
        typical = self._proved
        self._proved = self._proved or outcome.accounts > 0
        if outcome.rows or outcome.accounts:
            self._failures = 0
            _log.info(
                "batch_committed",
                accounts=outcome.accounts,
                rows=outcome.rows,
                milliseconds=round(seconds * 1000, 1),
            )
            if self.progress is not None:
                self.progress(self.file.policy.tenant, self.scope, outcome.accounts)
        if typical:
            self._pace.took(outcome.candidates, seconds)
            if self._pace.seconds_each is not None:
                self.context.seconds_each[self.scope] = self._pace.seconds_each

    def _smaller(self, batch: Batch, failure: StatementFailed) -> None:
        """Halve; a single account goes in smaller parts, and at last is deferred."""
        _log.info("batch_rolled_back", size=self._pace.size, error=str(failure))
        self._last_failure = str(failure)
        if isinstance(failure, CameMeanwhile):  # the next look defers its account
            self._failures += 1
            return
        if self._pace.halve():
            return
        key = batch.in_hand
        if key is None:  # not even a lease or a page was to be had
            self._failures += 1
            return
        name, timeout = id_text(key), isinstance(failure, BatchTimeout)
        rows = self._parts.get(name, self.context.settings.batch_max_transactions)
        if timeout and self.compiled.parts and rows > 1:
            self._parts[name] = rows // 2
            return
        self._failures += 1
        attempts = batch.attempts(key) + 1
        self._troubled[name] = Deferred(
            key=key,
            reason=DeferReason.TIMEOUT if timeout else DeferReason.ERROR,
            detail=str(failure),
            retry_at=retry_time(batch.task.rules.now, attempts),
            attempts=attempts,
            done=batch.done(key),
        )
