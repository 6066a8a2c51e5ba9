"""Runs one lane of a sweep: what a person approved, then what may go without, under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import DatabaseUnavailable, DriftError, RetentionWorkerError
from retention_worker.domain.lane.lane import (
    NOTHING_BEHIND,
    DeferReason,
    LaneState,
    Position,
    StopReason,
)
from retention_worker.service.context import Context
from retention_worker.service.due import reconcile
from retention_worker.service.due.lanes_with_work import LookBack
from retention_worker.service.due.survey import LaneView, eligible_keys
from retention_worker.service.guard.guard import AllowanceGuard, Ruling
from retention_worker.service.sweep.batches import Batches, Ending, Progress
from retention_worker.service.sweep.lane_rules import LaneRules
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import approvals, control, deferred, lanes
from retention_worker.store.own.approvals import OpenApproval
from retention_worker.store.own.deferred import Deferred

_log = structlog.get_logger()

# A lost connection is tried again so often before the sweep ends; the pool waits in between.
_RECONNECTS = 3
_PAGE = 500
# How a lane ends that has done what a person approved, or that is not what they were shown; however
# else it ends, the next sweep goes on with the same approval.
_ENDS_APPROVAL = {
    StopReason.EXHAUSTED: "everything that was shown is erased",
    StopReason.WAITING: "others are due than were shown",
    StopReason.POLICY_CHANGED: "the policy changed",
}


@dataclass(kw_only=True)
class LaneRun:
    """A lane in a sweep.

    Args:
        compiled: the data map.
        file: the tenant's policy file as it was read at the sweep's start.
        rules: what holds for the lane's batches.
        guard: how many may go.
        look_back: how far behind the watermark to look; everything where the map has changed.
        until: the monotonic second at which the sweep's time budget ends.
        progress: told after each batch.
    """

    context: Context
    compiled: CompiledMap
    file: PolicyFile
    rules: LaneRules
    look_back: LookBack
    guard: AllowanceGuard
    until: float | None = None
    progress: Progress | None = None
    _reserved: int = 0
    _batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        self._batches = Batches(
            context=self.context,
            compiled=self.compiled,
            file=self.file,
            scope=self.rules.scope,
            until=self.until,
            progress=self.progress,
        )

    def run(self) -> Ending:
        """Run the lane to its end; only a database that stays away leaves it as an error."""
        for attempt in range(1, _RECONNECTS + 1):
            try:
                with self._connected() as conn:
                    # Before anything is counted, reserved or said to wait.
                    ending = self._batches.interrupted()
                    for rules, approval in self._stages(conn) if ending is None else ():
                        ending = self._stage(conn, rules, approval)
                        if approval is not None and ending.stop in _ENDS_APPROVAL:
                            self._end_approval(conn, _ENDS_APPROVAL[ending.stop])
                        if ending.stop is not StopReason.EXHAUSTED:
                            break
            except DatabaseUnavailable as exc:
                _log.warning("connection_lost", attempt=attempt, error=str(exc))
                if attempt == _RECONNECTS:
                    raise
                continue
            except DriftError as exc:
                ending = Ending(stop=StopReason.REFUSED, reason=str(exc))
            except RetentionWorkerError as exc:
                ending = Ending(stop=StopReason.FAILED, reason=str(exc))
            assert ending is not None  # there is a stage, or none was to be begun
            return replace(ending, pace=self._batches.paced)
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection; what was reserved of the total for this lane and not used is given back.

        After a lost connection the next one does that, and nobody else may lack it meanwhile.
        """
        with self.context.pool.connection() as conn:
            self._give_back(conn)
            try:
                yield conn
            except DatabaseUnavailable:
                raise
            except RetentionWorkerError:
                self._give_back(conn)
                raise

    def _stages(self, conn: Connection) -> Iterator[tuple[LaneRules, OpenApproval | None]]:
        """First what a person has approved, then what may go without one."""
        self._begin(conn)
        if (approval := self._approval(conn)) is not None:
            cutoff = min(self.rules.cutoff, approval.cutoff)
            yield (
                replace(self.rules, cutoff=cutoff, approval=approval.id, shown=approval.shown),
                approval,
            )
        yield self.rules, None

    def _begin(self, conn: Connection) -> None:
        """Before a lane's first batch everything lies ahead of it, whatever the map says."""
        with self.context.writing(conn) as session:
            lane = lanes.read(session, self.rules.tenant_id, self.rules.scope)
            if lane.watermark is None and lane.map_digest != self.rules.map_digest:
                lanes.set_behind(session, lane, NOTHING_BEHIND, self.rules.map_digest)

    def _approval(self, conn: Connection) -> OpenApproval | None:
        rules = self.rules
        if self.guard.is_off:
            return None
        with self.context.writing(conn) as session:
            return approvals.current(
                session, rules.tenant_id, rules.scope, rules.policy_digest, rules.now
            )

    def _end_approval(self, conn: Connection, because: str) -> None:
        rules = self.rules
        with self.context.writing(conn) as session:
            lanes.lock(session, rules.tenant_id, rules.scope)
            approvals.end_open(
                session, rules.tenant_id, rules.scope, because=because, now=self.context.clock()
            )

    def _stage(self, conn: Connection, rules: LaneRules, approval: OpenApproval | None) -> Ending:
        """Look behind the watermark, ask the guard, erase, note how far was looked."""
        with self.context.writing(conn) as session:
            lane = lanes.read(session, rules.tenant_id, rules.scope)
        keys, end, looked = self._look_behind(conn, lane, rules)
        view = LaneView(
            compiled=self.compiled,
            lane=lane,
            cutoff=rules.cutoff,
            now=rules.now,
            behind=keys,
            shown=rules.shown,
        )
        with self.context.writing(conn) as session:
            if not lanes.lease(session, rules.tenant_id).get():
                return Ending(stop=StopReason.BUSY, reason="another worker serves the tenant")
            # Another one may have spent of the allowance since the lane was read.
            view = replace(view, lane=lanes.lock(session, rules.tenant_id, rules.scope))
            ruling = self._rule(session, view, approval)
        self._reserved = ruling.permit if ruling.total is not None else 0
        self._batches.erased = 0
        if ruling.reason is not None:
            self._keep_in_mind(conn, view)
            return Ending(stop=StopReason.WAITING, reason=ruling.reason)
        rules = replace(rules, spends=ruling.allowance is not None)
        ending = self._batches.run(conn, rules, ruling.permit, list(keys))
        self._give_back(conn)
        if looked and ending.stop is StopReason.EXHAUSTED:
            with self.context.writing(conn) as session:
                reconcile.record(session, lane, end, rules.map_digest, rules.now)
        return ending

    def _keep_in_mind(self, conn: Connection, view: LaneView) -> None:
        """What was found behind the watermark and waits is deferred.

        The next sweep does not look there again for long, and would say that nothing waits.
        """
        tenant_id, now = view.lane.tenant_id, view.now
        for start in range(0, len(view.behind), _PAGE):
            keys = view.behind[start : start + _PAGE]
            with self.context.writing(conn) as session:
                there = accounts.present(session, self.compiled, tenant_id, keys, view.bound)
                due = [key for key in keys if (at := there.get(id_text(key))) and at.due]
                waits = [
                    Deferred(
                        key=key,
                        reason=DeferReason.NEWER_ACTIVITY,
                        active_at=there[id_text(key)].active_at,
                    )
                    for key, _ in eligible_keys(session, view, due)
                ]
                deferred.put(session, tenant_id, view.lane.scope, waits, now)

    def _rule(self, session: Session, view: LaneView, approval: OpenApproval | None) -> Ruling:
        """Ask the guard, note the allowances, and reserve of the total what may go."""
        ruling = self.guard.lane(session, view, approval)
        if ruling.allowance is not None:
            lanes.set_allowance(session, view.lane, ruling.allowance)
        if ruling.total is not None:
            left = replace(ruling.total, accounts=ruling.total.accounts - ruling.permit)
            waits = ruling.reason is not None
            control.set_total_allowance(session, left, waits=waits)
        return ruling

    def _give_back(self, conn: Connection) -> None:
        """What was reserved of the total and not used; once, however the lane ends."""
        if self._reserved > self._batches.erased:
            with self.context.writing(conn) as session:
                control.give_back(session, self._reserved - self._batches.erased)
        self._reserved = 0

    def _look_behind(
        self, conn: Connection, lane: LaneState, rules: LaneRules
    ) -> tuple[tuple[Key, ...], Position | None, bool]:
        if lane.watermark is None or self.look_back is LookBack.NOTHING:
            return (), None, False
        keys, end = reconcile.scan(
            conn,
            self.context.settings.schema_name,
            self.compiled,
            lane,
            now=rules.now,
            full=self.look_back is LookBack.EVERYTHING,
            map_digest=rules.map_digest,
        )
        return keys, end, True
