"""The second half of a batch: erases what was sorted out, proves it, writes it into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from retention_worker.domain.errors import IncompleteErasure
from retention_worker.domain.lane.lane import DeferReason, LaneState
from retention_worker.domain.ledger.chain import BatchRecord
from retention_worker.domain.ledger.erasure import later_of
from retention_worker.domain.scope import Scope
from retention_worker.service.due.eligibility import has_credentials, retry_time, still_there
from retention_worker.service.sweep.triage import Sorted, Triage
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import accounts, credentials, remains, transactions
from retention_worker.store.mapped.accounts import Candidate
from retention_worker.store.mapped.credentials import Counts, Erasing
from retention_worker.store.own import approvals, deferred
from retention_worker.store.own.deferred import Deferred, RememberedActivity


@dataclass(frozen=True, kw_only=True)
class LaneErasing:
    """Erases accounts of one batch in the batch's transaction.

    Args:
        triage: what was locked and looked at.
        lane: as it was read under the lease.
        prove: look once more at what was erased.
        at: the time of the batch, for the ledger.
        object_grace: how long nobody touches an object that rows share.
    """

    triage: Triage
    lane: LaneState
    prove: bool
    at: datetime
    object_grace: timedelta

    def erase(self, result: Sorted) -> tuple[int, Counts]:
        """Erase the accounts, or a part of a large one; how many are done, and what went.

        Raises:
            IncompleteErasure: what was erased is still there, or erasing was activity.
        """
        if result.large is not None:
            return self._erase_part(result, result.large)
        if not result.erase:
            return 0, Counts(rows={}, objects=0)
        keys = [each.key for each in result.erase]
        self._remember(keys)
        erasing = self._erase_credentials(keys, None)
        if self.prove:
            erasing.counts()  # what is left is looked for after everything was erased
        self._check(keys)
        record = self._record(len(keys))
        # Its answer is the last one of the round trip, so that the counts before it are here, too.
        digest = ledger.write_erasures(self._session, record, self._subjects(keys)).get()
        counts = erasing.counts()
        self._check_evidence(keys, counts)
        self._write(record, counts, digest)
        result.drop += [id_text(key) for key in keys]
        return len(keys), counts

    @property
    def _session(self) -> Session:
        return self.triage.session

    def _erase_part(self, result: Sorted, large: Candidate) -> tuple[int, Counts]:
        triage, name = self.triage, id_text(large.key)
        part = credentials.next_part(
            self._session,
            triage.compiled,
            triage.terms.tenant_id,
            large.key,
            done=triage.done(large.key),
            limit=min(triage.parts.get(name, triage.max_units), triage.max_units),
        )
        # The parts that come after this one go by what it takes along, too.
        self._remember([large.key], triage.terms.scope)
        counts = self._erase_credentials([large.key], part).counts()
        self._check_activity([large.key])
        ended = part.name is None
        complete = ended and not self._left([large.key])
        if complete or counts.rows:
            record = self._record(int(complete))
            subjects = self._subjects([large.key])
            hashing = ledger.write_erasures(self._session, record, subjects, complete=complete)
            self._write(record, counts, hashing.get())
        if complete:
            result.drop.append(name)
            return 1, counts
        again = self._from_the_start(large.key) if ended else self._go_on(large.key, part)
        result.defer.append(again)
        return 0, counts

    def _go_on(self, key: Key, part: Part) -> Deferred:
        triage = self.triage
        return Deferred(
            key=key,
            reason=DeferReason.PARTIAL,
            retry_at=triage.terms.now.isoformat(),
            attempts=triage.attempts(key),
            done=part,
        )

    def _from_the_start(self, key: Key) -> Deferred:
        """Rows came where the parts had been, such as those of an account that was merged."""
        attempts = self.triage.attempts(key) + 1
        return Deferred(
            key=key,
            reason=DeferReason.ERROR,
            detail="erased in parts, and rows are there again: they came meanwhile, or are kept",
            retry_at=retry_time(self.triage.terms.now, attempts),
            attempts=attempts,
        )

    def _remember(self, keys: Sequence[Key], *more: Scope) -> None:
        """A biometric that is newer than its account's activity counts as activity.

        Its erasure takes the evidence along, and the rest must not go before its time: so the lane
        of all credentials keeps it in mind, and those of `more` scopes.
        """
        triage, terms = self.triage, self.triage.terms
        scopes = set(more) | ({Scope.ALL} if terms.scope is Scope.BIOMETRICS else set())
        if not scopes:
            return
        seen = [
            RememberedActivity(
                key=key,
                at=triage.locked[id_text(key)].active_at,
                credential_at=triage.looked[id_text(key)].newest_credential,
            )
            for key in keys
        ]
        deferred.remember(self._session, terms.tenant_id, sorted(scopes), seen, terms.now)

    def _erase_credentials(self, keys: Sequence[Key], part: Part | None) -> Erasing:
        transactions.note_erased(
            self._session,
            self.triage.compiled,
            self.triage.terms.tenant_id,
            keys,
            batch=self.triage.batch,
            part=part,
        )
        return credentials.erase(
            self._session,
            self.triage.compiled,
            self.triage.terms.scope,
            self.triage.terms.tenant_id,
            keys,
            batch=self.triage.batch,
            now=self.at,
            shared_from=self.at + self.object_grace,
            part=part,
        )

    def _check(self, keys: Sequence[Key]) -> None:
        """What only the database can prove: erasing was no activity, and nothing is left."""
        self._check_activity(keys)
        if self.prove and (left := self._left(keys)):
            raise IncompleteErasure(still_there(left))

    def _check_evidence(self, keys: Sequence[Key], counts: Counts) -> None:
        """A batch that erased nothing of what the look had seen is not committed."""
        looked, scope = self.triage.looked, self.triage.terms.scope
        if not counts.rows and any(has_credentials(looked[id_text(key)], scope) for key in keys):
            raise IncompleteErasure(
                "nothing went of what was there: a trigger or a rule keeps it: run doctor"
            )

    def _left(self, keys: Sequence[Key]) -> list[remains.Remains]:
        """By an independent look: what of the scope is still under the accounts."""
        terms = self.triage.terms
        return remains.of_accounts(
            self._session, self.triage.compiled, terms.tenant_id, terms.scope, keys
        )

    def _check_activity(self, keys: Sequence[Key]) -> None:
        compiled, terms, locked = self.triage.compiled, self.triage.terms, self.triage.locked
        if compiled.blanks_accounts(terms.scope):
            now = accounts.activity_now(self._session, compiled, terms.tenant_id, keys)
            if any(now.get(name) != locked[name].activity for name in map(id_text, keys)):
                raise IncompleteErasure(
                    "blanking columns of the accounts changed their last activity: a trigger "
                    "touches it: run doctor"
                )

    def _record(self, accounts_erased: int) -> BatchRecord:
        """The batch as it is known before what it erased is counted."""
        terms = self.triage.terms
        return BatchRecord(
            batch=self.triage.batch,
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
            previous=self.lane.head_hash,
        )

    def _subjects(self, keys: Sequence[Key]) -> list[tuple[str, str | None]]:
        """The accounts, each with the activity that decided: of its own row, or a later one."""
        locked, looked = self.triage.locked, self.triage.looked
        names = [id_text(key) for key in keys]
        return [
            (name, later_of(locked[name].active_at, looked[name].latest_activity)) for name in names
        ]

    def _write(self, record: BatchRecord, counts: Counts, erasures: str) -> None:
        terms = self.triage.terms
        record = replace(record, counts=counts.rows, objects=counts.objects)
        head = ledger.write_batch(self._session, record, erasures)
        ledger.set_head(
            self._session,
            terms.tenant_id,
            terms.scope,
            batch=record.batch,
            head=head,
            spent=record.accounts if terms.spends else 0,
        )
        if terms.approval is not None and record.accounts:
            approvals.spend(self._session, terms.approval, record.accounts)
