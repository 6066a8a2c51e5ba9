"""Runs one lane of a sweep: what a person approved, then what may go without, under the guard."""

from __future__ import annotations

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
from retention_worker.service.sweep.batches import STOPPED, Batches, Ending, Progress
from retention_worker.service.sweep.lane_rules import LaneRules
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.pool import Connection, writing
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
        context: the parts.
        compiled: the data map.
        file: the tenant's policy file as it was read at the sweep's start.
        terms: what holds for the lane's batches.
        judge: the guard.
        reach: how far behind the watermark to look; everything where the map has changed.
        until: the monotonic second at which the sweep's time budget ends.
        progress: told after each batch.
    """

    context: Context
    compiled: CompiledMap
    file: PolicyFile
    terms: LaneRules
    reach: LookBack
    judge: AllowanceGuard
    until: float | None = None
    progress: Progress | None = None
    _reserved: int = 0
    _batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        self._batches = Batches(
            context=self.context,
            compiled=self.compiled,
            file=self.file,
            scope=self.terms.scope,
            until=self.until,
            progress=self.progress,
        )

    def run(self) -> Ending:
        """Run the lane to its end; only a database that stays away leaves it as an error."""
        return replace(self._to_the_end(), pace=self._batches.paced)

    def _to_the_end(self) -> Ending:
        for attempt in range(1, _RECONNECTS + 1):
            try:
                with self.context.pool.connection() as conn:
                    self._give_back(conn)  # what a connection that was lost had left
                    return self._try(conn)
            except DatabaseUnavailable as exc:
                _log.warning("connection_lost", attempt=attempt, error=str(exc))
                if attempt == _RECONNECTS:
                    raise
            except DriftError as exc:
                return Ending(stop=StopReason.REFUSED, reason=str(exc))
            except RetentionWorkerError as exc:
                return Ending(stop=StopReason.FAILED, reason=str(exc))
        raise AssertionError("the loop returns or raises")

    def _try(self, conn: Connection) -> Ending:
        try:
            return self._run(conn)
        except DatabaseUnavailable:
            raise
        except RetentionWorkerError:  # of what all lanes have together nobody else may lack it
            self._give_back(conn)
            raise

    def _run(self, conn: Connection) -> Ending:
        """First what a person has approved, then what may go without one."""
        if self.context.stop.is_set():  # before anything is counted
            return STOPPED
        self._begin(conn)
        if (approval := self._approval(conn)) is not None:
            cutoff = min(self.terms.cutoff, approval.cutoff)
            approved = replace(
                self.terms, cutoff=cutoff, approval=approval.id, shown=approval.shown
            )
            ending = self._stage(conn, approved, approval)
            if ending.stop in _ENDS_APPROVAL:
                self._end_approval(conn, _ENDS_APPROVAL[ending.stop])
            if ending.stop is not StopReason.EXHAUSTED:
                return ending
        return self._stage(conn, self.terms, None)

    def _session(self, conn: Connection) -> Session:
        return Session(conn, self.context.settings.schema_name)

    def _begin(self, conn: Connection) -> None:
        """Before a lane's first batch everything lies ahead of it, whatever the map says."""
        with writing(conn):
            session = self._session(conn)
            lane = lanes.read(session, self.terms.tenant_id, self.terms.scope)
            if lane.watermark is None and lane.map_digest != self.terms.map_digest:
                lanes.set_behind(session, lane, NOTHING_BEHIND, self.terms.map_digest)

    def _approval(self, conn: Connection) -> OpenApproval | None:
        terms = self.terms
        if self.judge.is_off:
            return None
        with writing(conn):
            return approvals.current(
                self._session(conn), terms.tenant_id, terms.scope, terms.policy_digest, terms.now
            )

    def _end_approval(self, conn: Connection, because: str) -> None:
        terms = self.terms
        with writing(conn):
            session = self._session(conn)
            lanes.lock(session, terms.tenant_id, terms.scope)
            approvals.end_open(
                session, terms.tenant_id, terms.scope, because=because, now=self.context.clock()
            )

    def _stage(self, conn: Connection, terms: LaneRules, approval: OpenApproval | None) -> Ending:
        """Look behind the watermark, ask the guard, erase, note how far was looked."""
        with writing(conn):
            lane = lanes.read(self._session(conn), terms.tenant_id, terms.scope)
        keys, end, looked = self._look_behind(conn, lane, terms)
        survey = LaneView(
            compiled=self.compiled,
            lane=lane,
            cutoff=terms.cutoff,
            now=terms.now,
            behind=keys,
            shown=terms.shown,
        )
        with writing(conn):
            session = self._session(conn)
            if not lanes.lease(session, terms.tenant_id).get():
                return Ending(stop=StopReason.BUSY, reason="another worker serves the tenant")
            # Another one may have spent of the allowance since the lane was read.
            survey = replace(survey, lane=lanes.lock(session, terms.tenant_id, terms.scope))
            verdict = self._judge(session, survey, approval)
        self._reserved = verdict.permit if verdict.total is not None else 0
        self._batches.erased = 0
        if verdict.reason is not None:
            self._keep_in_mind(conn, survey)
            return Ending(stop=StopReason.WAITING, reason=verdict.reason)
        terms = replace(terms, spends=verdict.allowance is not None)
        ending = self._batches.run(conn, terms, verdict.permit, list(keys))
        self._give_back(conn)
        if looked and ending.stop is StopReason.EXHAUSTED:
            with writing(conn):
                reconcile.record(self._session(conn), lane, end, terms.map_digest, terms.now)
        return ending

    def _keep_in_mind(self, conn: Connection, survey: LaneView) -> None:
        """What was found behind the watermark and waits is deferred.

        The next sweep does not look there again for long, and would say that nothing waits.
        """
        tenant_id, now = survey.lane.tenant_id, survey.now
        for start in range(0, len(survey.behind), _PAGE):
            keys = survey.behind[start : start + _PAGE]
            with writing(conn):
                session = self._session(conn)
                there = accounts.present(session, self.compiled, tenant_id, keys, survey.bound)
                due = [key for key in keys if (at := there.get(id_text(key))) and at.due]
                waits = [
                    Deferred(
                        key=key,
                        reason=DeferReason.NEWER_ACTIVITY,
                        active_at=there[id_text(key)].active_at,
                    )
                    for key, _ in eligible_keys(session, survey, due)
                ]
                deferred.put(session, tenant_id, survey.lane.scope, waits, now)

    def _judge(self, session: Session, survey: LaneView, approval: OpenApproval | None) -> Ruling:
        """Ask the guard, note the allowances, and reserve of the total what may go."""
        verdict = self.judge.lane(session, survey, approval)
        if verdict.allowance is not None:
            lanes.set_allowance(session, survey.lane, verdict.allowance)
        if verdict.total is not None:
            left = replace(verdict.total, accounts=verdict.total.accounts - verdict.permit)
            waits = verdict.reason is not None
            control.set_total_allowance(session, left, waits=waits)
        return verdict

    def _give_back(self, conn: Connection) -> None:
        """What was reserved of the total and not used; once, however the lane ends."""
        if self._reserved > self._batches.erased:
            with writing(conn):
                control.give_back(self._session(conn), self._reserved - self._batches.erased)
        self._reserved = 0

    def _look_behind(
        self, conn: Connection, lane: LaneState, terms: LaneRules
    ) -> tuple[tuple[Key, ...], Position | None, bool]:
        if lane.watermark is None or self.reach == LookBack():
            return (), None, False
        keys, end = reconcile.scan(
            conn,
            self.context.settings.schema_name,
            self.compiled,
            lane,
            now=terms.now,
            full=self.reach.full,
            map_digest=terms.map_digest,
        )
        return keys, end, True
