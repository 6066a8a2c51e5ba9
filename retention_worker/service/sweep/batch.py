"""A batch: the database transaction that takes the lease, locks, looks again, erases, proves.

The order of its statements is what makes it safe. Each is a statement of its own, so that it sees
what was committed after the locks were taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention_worker.domain.lane.lane import LaneState, StopReason
from retention_worker.domain.ledger.chain import SWEEP
from retention_worker.service.guard.guard import OTHERS
from retention_worker.service.pace.pace import Pacing
from retention_worker.service.sweep.erasing import LaneErasing
from retention_worker.service.sweep.lane_rules import BatchOutcome, CandidatesFrom, LaneRules
from retention_worker.service.sweep.triage import Sorted, Triage
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapped.accounts import Candidate
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import approvals, control, deferred, lanes, pace
from retention_worker.store.own.control import Pause
from retention_worker.store.own.deferred import Deferred


@dataclass(kw_only=True)
class Batch:
    """Runs one batch in a session that the caller opened and commits.

    Args:
        session: a READ COMMITTED transaction with a deadline.
        compiled: the data map.
        terms: of the lane.
        source: of the candidates.
        limit: accounts at the most.
        max_units: transactions at the most; an account with more goes in parts.
        troubled: accounts that could not be erased even alone, and why.
        parts: how many rows a part of a large account may have, by account, where that is less
            than `max_units`.
        permit: how many accounts may still be erased; beyond it the lane ends.
        prove: look once more at what was erased.
        at: the time of the batch, for the ledger.
        object_grace: how long nobody touches an object that rows share.
        pacing: the pace that replicas share; None: no stream is taken.
        counts_waiters: look who waits for this batch at its end.
    """

    session: Session
    compiled: CompiledMap
    terms: LaneRules
    source: CandidatesFrom
    limit: int
    max_units: int
    troubled: Mapping[str, Deferred]
    parts: Mapping[str, int]
    permit: int
    prove: bool
    at: datetime
    object_grace: timedelta
    pacing: Pacing | None = None
    counts_waiters: bool = False
    in_hand: Key | None = None
    _triage: Triage | None = None
    _stream: int | None = None
    _waiters: Pending[int] | None = None
    _pause: Pending[float] | None = None

    def run(self) -> BatchOutcome:
        """Do it; the caller commits.

        Raises:
            BatchTimeout: a lock, a deadlock or the deadline.
            IncompleteErasure: what was erased is still there.
        """
        terms = self.terms
        if self.pacing is not None:
            # A round trip of its own: who only waits for a stream must not look like a worker
            # that serves the tenant.
            self._stream = pace.take(self.session, self.pacing.streams).get()
            if self._stream is None:
                return BatchOutcome(more=True, wait=pace.waits(self.session, self.pacing.streams))
        # Sent together; each is a statement of its own, so the lane is read after the lease.
        leased = lanes.lease(self.session, terms.tenant_id)
        asked = lanes.ask(self.session, terms.tenant_id, terms.scope)
        paused = control.ask_paused(self.session, terms.now)
        if not leased.get():
            return BatchOutcome(stop=StopReason.BUSY, reason="another worker serves the tenant")
        lane = asked.get()
        if refused := self._refused(lane, paused.get()):
            return refused
        if self.terms.spends and lane.allowance is not None:
            # Several workers may have been allowed the same accounts.
            self.permit = min(self.permit, math.floor(lane.allowance.accounts))
        if terms.approval is not None:
            at = self.at if terms.source == SWEEP else None
            left = approvals.remaining(self.session, terms.approval, at)
            self.permit = min(self.permit, left)
        waiting = self._deferred_rows()
        found = self._candidates(lane, waiting)
        if not found:
            return BatchOutcome()
        self.in_hand = found[0].key
        self._triage = triage = self._triage_of(waiting)
        sorted_ = triage.sort(found)
        accounts_erased, counts = LaneErasing(
            triage=triage,
            lane=lane,
            prove=self.prove,
            at=self.at,
            object_grace=self.object_grace,
        ).erase(sorted_)
        self._note(lane, sorted_)
        if counts.rows or accounts_erased:
            self._release()
        waits = None
        if sorted_.other and not accounts_erased:
            waits = OTHERS
        elif self.permit < 1 and sorted_.cut:
            waits = "more accounts are due than may go: look at `plan`, then `approve`"
        return BatchOutcome(
            candidates=len(found),
            processed=sorted_.processed,
            accounts=accounts_erased,
            rows=sum(counts.rows.values()),
            more=len(found) >= self.limit or sorted_.processed < len(found),
            partial=sorted_.large is not None,
            stop=StopReason.WAITING if waits else None,
            reason=waits,
        )

    def _release(self) -> None:
        """Last of all: the pause begins with the commit, and who waits for us waits longest now."""
        if self.pacing is None or self._stream is None:
            return
        if self.counts_waiters:
            self._waiters = pace.waiting(self.session)
        self._pause = pace.release(
            self.session, self._stream, factor=self.pacing.factor, beyond=self.pacing.beyond
        )

    @property
    def waiters(self) -> int | None:
        """How many sessions waited for this batch at its end; None where nobody looked."""
        return self._waiters.get() if self._waiters is not None else None

    @property
    def pause(self) -> float | None:
        """Seconds of the pause after it, as all replicas have it; None where there is none."""
        return self._pause.get() if self._pause is not None else None

    def attempts(self, key: Key) -> int:
        """How often the account was looked at in vain before."""
        return self._triage.attempts(key) if self._triage is not None else 0

    def done(self, key: Key) -> Part | None:
        """How far a large account was erased before."""
        return self._triage.done(key) if self._triage is not None else None

    def _refused(self, lane: LaneState, pause: Pause | None) -> BatchOutcome | None:
        if pause is not None:
            return BatchOutcome(
                stop=StopReason.PAUSED, reason=f"paused by {pause.actor}: {pause.reason}"
            )
        if self.terms.source == SWEEP and lane.policy_digest != self.terms.policy_digest:
            return BatchOutcome(
                stop=StopReason.POLICY_CHANGED, reason="another replica applied another policy"
            )
        return None

    def _deferred_rows(self) -> dict[str, Deferred]:
        if self.source.name != CandidatesFrom.DEFERRED:
            return {}
        terms = self.terms
        rows = deferred.ready(
            self.session,
            terms.tenant_id,
            terms.scope,
            cutoff=terms.cutoff,
            now=terms.now,
            limit=self.limit,
        )
        found = {id_text(row.key): row for row in rows}
        if terms.shown is None:
            return found
        # The others are for what may go without a person.
        return {name: row for name, row in found.items() if name in terms.shown}

    def _candidates(self, lane: LaneState, waiting: Mapping[str, Deferred]) -> list[Candidate]:
        if self.source.name == CandidatesFrom.DEFERRED:
            return [Candidate(key=row.key, activity="") for row in waiting.values()]
        if self.source.name == CandidatesFrom.BEHIND:
            return [Candidate(key=key, activity="") for key in self.source.keys]
        return accounts.page(
            self.session,
            self.compiled,
            self.terms.tenant_id,
            self.compiled.accounts.activity.bound(self.terms.cutoff),
            after=lane.watermark,
            limit=self.limit,
        )

    def _triage_of(self, waiting: Mapping[str, Deferred]) -> Triage:
        return Triage(
            session=self.session,
            compiled=self.compiled,
            terms=self.terms,
            source=self.source,
            waiting=waiting,
            troubled=self.troubled,
            parts=self.parts,
            permit=self.permit,
            max_units=self.max_units,
        )

    def _note(self, lane: LaneState, result: Sorted) -> None:
        """Nothing is passed in silence: what is not erased is deferred, or not due."""
        terms = self.terms
        deferred.put(self.session, terms.tenant_id, terms.scope, result.defer, terms.now)
        kept = {id_text(each.key) for each in result.defer}
        gone = [name for name in result.drop if name not in kept]
        deferred.drop(self.session, terms.tenant_id, terms.scope, gone)
        if self.source.name == CandidatesFrom.FRONTIER and result.past is not None:
            lanes.advance(self.session, lane, result.past)
