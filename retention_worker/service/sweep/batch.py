"""A batch: the database transaction that takes the lease, locks, looks again, erases, proves.

The order of its statements is what makes it safe. Each is a statement of its own, so that it sees
what was committed after the locks were taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from retention_worker.domain.lane.lane import LaneState, StopReason
from retention_worker.domain.ledger.chain import SWEEP
from retention_worker.service.guard import halts
from retention_worker.service.guard.guard import OTHERS
from retention_worker.service.pace.pace import Pacing
from retention_worker.service.sweep.erasing import LaneErasing
from retention_worker.service.sweep.lane_rules import BatchOutcome, BatchTask, CandidatesFrom
from retention_worker.service.sweep.triage import Sorted, Triage
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.mapped import accounts
from retention_worker.store.mapped.accounts import Candidate
from retention_worker.store.own import approvals, control, deferred, lanes, pace
from retention_worker.store.own.control import Pause
from retention_worker.store.own.deferred import Deferred


@dataclass(kw_only=True)
class Batch:
    """Runs one batch in a session that the caller opened and commits.

    Args:
        task: what it has to do.
        pacing: the pace that replicas share; None: no stream is taken.
        counts_waiters: look who waits for this batch at its end.

    `in_hand` is the first candidate, whom the batch failed with where it failed.
    """

    task: BatchTask
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
        task, rules, session = self.task, self.task.rules, self.task.session
        permit = task.permit
        if self.pacing is not None:
            # A round trip of its own: who only waits for a stream must not look like a worker
            # that serves the tenant.
            self._stream = pace.take(session, self.pacing.streams).get()
            if self._stream is None:
                return BatchOutcome(more=True, wait=pace.waits(session, self.pacing.streams))
        # Sent together; each is a statement of its own, so the lane is read after the lease.
        leased = lanes.lease(session, rules.tenant_id)
        asked = lanes.ask(session, rules.tenant_id, rules.scope)
        paused = control.ask_paused(session, rules.now)
        if not leased.get():
            return BatchOutcome(stop=StopReason.BUSY, reason="another worker serves the tenant")
        lane = asked.get()
        if refused := self._refused(lane, paused.get()):
            return refused
        if rules.spends and lane.allowance is not None:
            # Several workers may have been allowed the same accounts.
            permit = min(permit, math.floor(lane.allowance.accounts))
        if rules.approval is not None:
            at = task.at if rules.source == SWEEP else None
            left = approvals.remaining(session, rules.approval, at)
            permit = min(permit, left)
        waiting = self._deferred_rows()
        found = self._candidates(lane, waiting)
        if not found:
            return BatchOutcome()
        self.in_hand = found[0].key
        self._triage = triage = Triage(task=task, waiting=waiting, permit=permit)
        sorted_ = triage.sort(found)
        accounts_erased, counts = LaneErasing(triage=triage, lane=lane).erase(sorted_)
        self._note(lane, sorted_)
        if counts.rows or accounts_erased:
            self._release()
        waits = None
        if sorted_.other and not accounts_erased:
            waits = OTHERS
        elif permit < 1 and sorted_.cut:
            waits = "more accounts are due than may go: look at `plan`, then `approve`"
        return BatchOutcome(
            candidates=len(found),
            processed=sorted_.processed,
            accounts=accounts_erased,
            rows=sum(counts.rows.values()),
            more=len(found) >= task.limit or sorted_.processed < len(found),
            partial=sorted_.large is not None,
            stop=StopReason.WAITING if waits else None,
            reason=waits,
        )

    def _release(self) -> None:
        """Last of all: the pause begins with the commit, and who waits for us waits longest now."""
        if self.pacing is None or self._stream is None:
            return
        if self.counts_waiters:
            self._waiters = pace.waiting(self.task.session)
        self._pause = pace.release(
            self.task.session, self._stream, factor=self.pacing.factor, beyond=self.pacing.beyond
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
        for halt in halts.of_people(pause, None):  # a sweep has asked the file before
            return BatchOutcome(stop=halt.stop, reason=halt.reason)
        if self.task.rules.source == SWEEP and lane.policy_digest != self.task.rules.policy_digest:
            return BatchOutcome(
                stop=StopReason.POLICY_CHANGED, reason="another replica applied another policy"
            )
        return None

    def _deferred_rows(self) -> dict[str, Deferred]:
        """Deferred accounts whose time has come; of an approval, the accounts that were shown.

        The others are for what may go without a person, and must not hide any behind them.
        """
        task, rules = self.task, self.task.rules
        if task.source.name != CandidatesFrom.DEFERRED:
            return {}
        limit = task.limit
        while True:
            rows = deferred.ready(
                task.session,
                rules.tenant_id,
                rules.scope,
                cutoff=rules.cutoff,
                now=rules.now,
                limit=limit,
            )
            found = {id_text(row.key): row for row in rows}
            if rules.shown is not None:
                found = {name: row for name, row in found.items() if name in rules.shown}
            if len(found) >= task.limit or len(rows) < limit:
                return dict(islice(found.items(), task.limit))
            limit *= 4

    def _candidates(self, lane: LaneState, waiting: Mapping[str, Deferred]) -> list[Candidate]:
        if self.task.source.name == CandidatesFrom.DEFERRED:
            return [Candidate(key=row.key, activity="") for row in waiting.values()]
        if self.task.source.name == CandidatesFrom.BEHIND:
            return [Candidate(key=key, activity="") for key in self.task.source.keys]
        return accounts.page(
            self.task.session,
            self.task.compiled,
            self.task.rules.tenant_id,
            self.task.compiled.accounts.activity.bound(self.task.rules.cutoff),
            after=lane.watermark,
            limit=self.task.limit,
        )

    def _note(self, lane: LaneState, result: Sorted) -> None:
        """Nothing is passed in silence: what is not erased is deferred, or not due."""
        rules = self.task.rules
        deferred.put(self.task.session, rules.tenant_id, rules.scope, result.defer, rules.now)
        kept = {id_text(each.key) for each in result.defer}
        gone = [name for name in result.drop if name not in kept]
        deferred.drop(self.task.session, rules.tenant_id, rules.scope, gone)
        if self.task.source.name == CandidatesFrom.FRONTIER and result.past is not None:
            lanes.advance(self.task.session, lane, result.past)
