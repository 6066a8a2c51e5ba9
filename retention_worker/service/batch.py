"""One batch: one database transaction that takes the lease, locks, looks again, erases, proves.

The order of its statements is what makes it safe. Each is a statement of its own, so that it sees
what was committed after the locks were taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from retention_worker.domain.chain import SWEEP, BatchRecord
from retention_worker.domain.errors import IncompleteErasure
from retention_worker.domain.lane import DeferReason, LaneState, Position, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.decide import block, has_credentials, retry_time
from retention_worker.service.pace import Pacing
from retention_worker.store import (
    accounts,
    approvals,
    control,
    credentials,
    deferred,
    lanes,
    ledger,
    pace,
)
from retention_worker.store.accounts import Candidate, Found, Locked
from retention_worker.store.answers import Later
from retention_worker.store.control import Pause
from retention_worker.store.credentials import Counts, Erasing, Part
from retention_worker.store.deferred import Activity, Deferred
from retention_worker.store.keys import Key, id_text
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.session import Session

__all__ = ["Batch", "Outcome", "Source", "Terms"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for all batches of a lane in one sweep.

    `cutoff` is the latest activity that is due; `now` the sweep's start; `approval` what the
    accounts are counted against, and where there is none `spends` says whether the lane's allowance
    is: the guard may be turned off. `source` goes into the ledger: a `replay` belongs to no sweep,
    and names the policy under which it was erased before, whichever is applied now.
    """

    sweep: int | None
    tenant_id: str
    scope: Scope
    cutoff: datetime
    now: datetime
    policy_digest: str
    map_digest: str
    approval: int | None = None
    spends: bool = False
    source: str = SWEEP


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where candidates come from: after the watermark, deferred, or given keys behind it."""

    name: str
    keys: tuple[Key, ...] = ()

    FRONTIER = "frontier"
    DEFERRED = "deferred"
    BEHIND = "behind"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a committed batch did.

    `processed` counts the candidates that need no further look in this sweep, in their order;
    `stop` where the lane must end, `more` where candidates remain, `partial` where a part of a
    large account was erased. `wait`: nothing was done, all streams are running or pausing, and so
    many seconds are left of the shortest pause.
    """

    candidates: int = 0
    processed: int = 0
    accounts: int = 0
    rows: int = 0
    more: bool = False
    partial: bool = False
    stop: StopReason | None = None
    reason: str | None = None
    wait: float | None = None


@dataclass(kw_only=True)
class _Sorted:
    """Locked accounts, by what becomes of them."""

    erase: list[Candidate] = field(default_factory=list)
    defer: list[Deferred] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    large: Candidate | None = None
    past: Position | None = None
    cut: bool = False
    processed: int = 0


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
    terms: Terms
    source: Source
    limit: int
    max_units: int
    troubled: dict[str, Deferred]
    parts: dict[str, int]
    permit: int
    prove: bool
    at: datetime
    object_grace: timedelta
    pacing: Pacing | None = None
    counts_waiters: bool = False
    in_hand: Key | None = None
    _waiting: dict[str, Deferred] = field(default_factory=dict)
    _locked: dict[str, Locked] = field(default_factory=dict)
    _looked: dict[str, Found] = field(default_factory=dict)
    _number: Later[int] | None = None
    _stream: int | None = None
    _waiters: Later[int] | None = None

    def run(self) -> Outcome:
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
                return Outcome(more=True, wait=pace.waits(self.session, self.pacing.streams))
        # Sent together; each is a statement of its own, so the lane is read after the lease.
        leased = lanes.lease(self.session, terms.tenant_id)
        asked = lanes.ask(self.session, terms.tenant_id, terms.scope)
        paused = control.ask_paused(self.session, terms.now)
        if not leased.get():
            return Outcome(stop=StopReason.BUSY, reason="another worker serves the tenant")
        lane = asked.get()
        if refused := self._refused(lane, paused.get()):
            return refused
        if self.terms.spends and lane.allowance is not None:
            # Several workers may have been allowed the same accounts.
            self.permit = min(self.permit, math.floor(lane.allowance.accounts))
        if terms.approval is not None:
            left = approvals.remaining(self.session, terms.approval)
            self.permit = min(self.permit, left)
        self._waiting = self._deferred_rows()
        found = self._candidates(lane)
        if not found:
            return Outcome()
        self.in_hand = found[0].key
        sorted_ = self._sort(found)
        accounts_erased, counts = self._erase(lane, sorted_)
        self._note(lane, sorted_)
        if counts.rows or accounts_erased:
            self._release()
        spent = self.permit < 1 and sorted_.cut
        return Outcome(
            candidates=len(found),
            processed=sorted_.processed,
            accounts=accounts_erased,
            rows=sum(counts.rows.values()),
            more=len(found) >= self.limit or sorted_.processed < len(found),
            partial=sorted_.large is not None,
            stop=StopReason.WAITING if spent else None,
            reason="more accounts became due while the lane ran" if spent else None,
        )

    def _release(self) -> None:
        """Last of all: the pause begins with the commit, and who waits for us waits longest now."""
        if self.pacing is None or self._stream is None:
            return
        if self.counts_waiters:
            self._waiters = pace.waiting(self.session)
        pace.release(
            self.session, self._stream, factor=self.pacing.factor, beyond=self.pacing.beyond
        )

    @property
    def waiters(self) -> int | None:
        """How many sessions waited for this batch at its end; None where nobody looked."""
        return self._waiters.get() if self._waiters is not None else None

    def attempts(self, key: Key) -> int:
        """How often the account was looked at in vain before."""
        was = self._waiting.get(id_text(key))
        return was.attempts if was else 0

    def done(self, key: Key) -> Part | None:
        """How far a large account was erased before."""
        was = self._waiting.get(id_text(key))
        return was.done if was else None

    def _refused(self, lane: LaneState, pause: Pause | None) -> Outcome | None:
        if pause is not None:
            return Outcome(
                stop=StopReason.PAUSED, reason=f"paused by {pause.actor}: {pause.reason}"
            )
        if self.terms.source == SWEEP and lane.policy_digest != self.terms.policy_digest:
            return Outcome(
                stop=StopReason.POLICY_CHANGED, reason="another replica applied another policy"
            )
        return None

    def _deferred_rows(self) -> dict[str, Deferred]:
        if self.source.name != Source.DEFERRED:
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
        return {id_text(row.key): row for row in rows}

    def _candidates(self, lane: LaneState) -> list[Candidate]:
        if self.source.name == Source.DEFERRED:
            return [Candidate(key=row.key, activity="") for row in self._waiting.values()]
        if self.source.name == Source.BEHIND:
            return [Candidate(key=key, activity="") for key in self.source.keys]
        return accounts.page(
            self.session,
            self.compiled,
            self.terms.tenant_id,
            self._bound(),
            after=lane.watermark,
            limit=self.limit,
        )

    def _bound(self) -> str:
        return self.compiled.accounts.activity.bound(self.terms.cutoff)

    def _sort(self, found: Sequence[Candidate]) -> _Sorted:
        """Lock, look again in statements of their own, and part what goes from what stays."""
        keys = [each.key for each in found if id_text(each.key) not in self.troubled]
        locked, looked = self._lock(keys)
        missing = [key for key in keys if id_text(key) not in locked]
        unlocked = self._unlocked(missing)
        result = _Sorted()
        units = 0
        for each in found:
            name = id_text(each.key)
            if name in self.troubled:
                result.defer.append(self.troubled[name])
            elif name not in locked:
                self._sort_unlocked(each.key, unlocked.get(name), result)
            elif self._is_due(each, looked[name], result):
                units += max(1, looked[name].units)
                if self._is_full(each, looked[name], units, result):
                    break
                result.erase.append(each)
            result.past = each.position
            result.processed += 1
        return result

    def _lock(self, keys: Sequence[Key]) -> tuple[dict[str, Locked], dict[str, Found]]:
        """What was locked, and what decides about it.

        Sent together, and the look begins when the locks are had. It goes over those that could not
        be locked, too: what it says of them is not used.
        """
        session, terms = self.session, self.terms
        if keys:
            asked = accounts.lock(session, self.compiled, terms.tenant_id, keys, self._bound())
            looking = self._ask(keys)
            self._number = ledger.ask_batch(session)
            self._locked = asked.get()
            self._looked = looking.get()
        return self._locked, self._looked

    def _ask(self, keys: Sequence[Key]) -> Later[dict[str, Found]]:
        return accounts.ask_look(
            self.session,
            self.compiled,
            self.terms.tenant_id,
            self.terms.scope,
            keys,
            cutoff=self.terms.cutoff,
            now=self.terms.now,
            max_units=self.max_units + 1,
        )

    def _unlocked(self, keys: Sequence[Key]) -> dict[str, Locked]:
        if not keys:
            return {}
        return accounts.present(
            self.session, self.compiled, self.terms.tenant_id, keys, self._bound()
        )

    def _sort_unlocked(self, key: Key, now: Locked | None, result: _Sorted) -> None:
        """Not locked: gone, active again, or locked by somebody else."""
        if now is None:
            result.drop.append(id_text(key))
        elif now.due:
            attempts = self.attempts(key) + 1
            result.defer.append(
                Deferred(
                    key=key,
                    reason=DeferReason.LOCKED,
                    retry_at=retry_time(self.terms.now, attempts),
                    attempts=attempts,
                    done=self.done(key),
                )
            )
        elif id_text(key) in self._waiting or self.source.name == Source.BEHIND:
            # Its activity may still lie behind the watermark (a longer period): keep its time.
            result.defer.append(
                Deferred(key=key, reason=DeferReason.NEWER_ACTIVITY, active_at=now.active_at)
            )

    def _is_due(self, each: Candidate, found: Found, result: _Sorted) -> bool:
        if not has_credentials(found, self.terms.scope):
            # The last part may have been the rest; a row must still say that it is complete.
            if self.done(each.key) is not None:
                return True
            result.drop.append(found.id)
            return False
        blocked = block(each.key, found)
        if blocked is not None:
            result.defer.append(blocked)
            return False
        return True

    def _is_full(
        self,
        each: Candidate,
        found: Found,
        units: int,
        result: _Sorted,
    ) -> bool:
        """Whether the batch ends before this account, or is this account's alone."""
        if self.permit < 1:
            result.cut = True
            return True
        large = found.units > self.max_units or found.id in self.parts
        large = large or self.done(each.key) is not None
        if large and not result.erase:
            result.large, result.past = each, each.position
            result.processed += 1
            result.cut = True  # those after it on the page are still to be looked at
            return True
        result.cut = large or units > self.max_units or len(result.erase) >= self.permit
        return result.cut

    def _erase(self, lane: LaneState, result: _Sorted) -> tuple[int, Counts]:
        if result.large is not None:
            return self._erase_part(lane, result, result.large)
        if not result.erase:
            return 0, Counts(rows={}, objects=0)
        keys = [each.key for each in result.erase]
        self._remember(keys)
        erasing = self._erase_credentials(keys, None)
        if self.prove:
            erasing.counts()  # what is left is looked for after everything was erased
        self._check(keys)
        record = self._record(lane, len(keys))
        # Its answer is the last one of the round trip, so that the counts before it are here, too.
        digest = ledger.write_erasures(self.session, record, self._subjects(keys)).get()
        counts = erasing.counts()
        self._write(record, counts, digest)
        result.drop += [id_text(key) for key in keys]
        return len(keys), counts

    def _erase_part(self, lane: LaneState, result: _Sorted, large: Candidate) -> tuple[int, Counts]:
        name, done = id_text(large.key), self.done(large.key)
        limit = min(self.parts.get(name, self.max_units), self.max_units)
        part = credentials.next_part(
            self.session,
            self.compiled,
            self.terms.tenant_id,
            large.key,
            done=done,
            limit=limit,
        )
        self._remember([large.key])
        counts = self._erase_credentials([large.key], part).counts()
        self._check_activity([large.key])
        ended = part.name is None
        complete = ended and not self._is_left([large.key])
        if complete or counts.rows:
            record = self._record(lane, int(complete))
            subjects = self._subjects([large.key])
            hashing = ledger.write_erasures(self.session, record, subjects, complete=complete)
            self._write(record, counts, hashing.get())
        if complete:
            result.drop.append(name)
            return 1, counts
        result.defer.append(
            self._from_the_start(large.key)
            if ended
            else Deferred(
                key=large.key,
                reason=DeferReason.PARTIAL,
                retry_at=self.terms.now.isoformat(),
                attempts=self.attempts(large.key),
                done=part,
            )
        )
        return 0, counts

    def _from_the_start(self, key: Key) -> Deferred:
        """Rows came where the parts had been, such as those of an account that was merged."""
        attempts = self.attempts(key) + 1
        return Deferred(
            key=key,
            reason=DeferReason.ERROR,
            detail="erased in parts, and rows are there again: they came meanwhile, or are kept",
            retry_at=retry_time(self.terms.now, attempts),
            attempts=attempts,
        )

    def _remember(self, keys: Sequence[Key]) -> None:
        """A biometric that is newer than its account's activity counts as activity.

        Its erasure takes the evidence along, and the rest must not go before its time: so the lane
        of all credentials keeps it in mind.
        """
        if self.terms.scope is not Scope.BIOMETRICS:
            return
        seen = [
            Activity(
                key=key,
                at=self._locked[id_text(key)].active_at,
                credential_at=self._looked[id_text(key)].newest_credential,
            )
            for key in keys
        ]
        deferred.remember(self.session, self.terms.tenant_id, [Scope.ALL], seen, self.terms.now)

    def _erase_credentials(self, keys: Sequence[Key], part: Part | None) -> Erasing:
        return credentials.erase(
            self.session,
            self.compiled,
            self.terms.scope,
            self.terms.tenant_id,
            keys,
            batch=self._batch,
            now=self.at,
            shared_from=self.at + self.object_grace,
            part=part,
        )

    def _check(self, keys: Sequence[Key]) -> None:
        """What only the database can prove: nothing is left, and erasing was no activity."""
        self._check_activity(keys)
        if not self.prove:
            return
        if self._is_left(keys):
            raise IncompleteErasure(
                "rows that were erased are still there: a trigger or a rule keeps them: run doctor"
            )

    def _is_left(self, keys: Sequence[Key]) -> bool:
        scope = self.terms.scope
        return any(has_credentials(found, scope) for found in self._ask(keys).get().values())

    def _check_activity(self, keys: Sequence[Key]) -> None:
        if self.compiled.blanks_accounts(self.terms.scope):
            now = accounts.activity_now(self.session, self.compiled, self.terms.tenant_id, keys)
            if any(now.get(name) != self._locked[name].activity for name in map(id_text, keys)):
                raise IncompleteErasure(
                    "blanking columns of the accounts changed their last activity: a trigger "
                    "touches it: run doctor"
                )

    @property
    def _batch(self) -> int:
        assert self._number is not None  # asked for with the locks
        return self._number.get()

    def _record(self, lane: LaneState, accounts_erased: int) -> BatchRecord:
        """The batch as it is known before what it erased is counted."""
        terms = self.terms
        return BatchRecord(
            batch=self._batch,
            sweep=terms.sweep,
            request=None,
            tenant=terms.tenant_id,
            scope=terms.scope,
            source=terms.source,
            cutoff=terms.cutoff,
            policy_digest=terms.policy_digest,
            map_digest=terms.map_digest,
            accounts=accounts_erased,
            counts={},
            objects=0,
            erased_at=self.at,
            erasures="",
            previous=lane.head_hash,
        )

    def _subjects(self, keys: Sequence[Key]) -> list[tuple[str, str | None]]:
        return [(id_text(key), self._locked[id_text(key)].active_at) for key in keys]

    def _write(self, record: BatchRecord, counts: Counts, erasures: str) -> None:
        terms = self.terms
        record = replace(record, counts=counts.rows, objects=counts.objects)
        head = ledger.write_batch(self.session, record, erasures)
        ledger.set_head(
            self.session,
            terms.tenant_id,
            terms.scope,
            batch=record.batch,
            head=head,
            spent=record.accounts if terms.spends else 0,
        )
        if terms.approval is not None and record.accounts:
            approvals.spend(self.session, terms.approval, record.accounts)

    def _note(self, lane: LaneState, result: _Sorted) -> None:
        """Nothing is passed in silence: what is not erased is deferred, or not due."""
        terms = self.terms
        deferred.put(self.session, terms.tenant_id, terms.scope, result.defer, terms.now)
        kept = {id_text(each.key) for each in result.defer}
        gone = [name for name in result.drop if name not in kept]
        deferred.drop(self.session, terms.tenant_id, terms.scope, gone)
        if self.source.name == Source.FRONTIER and result.past is not None:
            lanes.advance(self.session, lane, result.past)
