"""The second half of a batch: erases what was sorted out, proves it, writes it into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from retention_worker.domain.errors import CameMeanwhile, IncompleteErasure
from retention_worker.domain.lane.lane import DeferReason, LaneState
from retention_worker.domain.ledger.chain import BatchRecord
from retention_worker.domain.ledger.erasure import later_of
from retention_worker.domain.scope import Scope
from retention_worker.service.due.eligibility import has_credentials, retry_time, still_there
from retention_worker.service.eraser import Eraser
from retention_worker.service.sweep.lane_rules import BatchTask, LaneRules
from retention_worker.service.sweep.triage import Sorted, Triage
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import credentials
from retention_worker.store.mapped.accounts import Candidate
from retention_worker.store.mapped.credentials import Counts
from retention_worker.store.own import approvals
from retention_worker.store.own.deferred import Deferred


@dataclass(kw_only=True)
class LaneErasing:
    """Erases accounts of one batch in the batch's transaction.

    Args:
        triage: what was locked and looked at.
        lane: as it was read under the lease.
    """

    triage: Triage
    lane: LaneState

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
        erasing = self._eraser.erase(keys)
        if self._task.prove:
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
    def _task(self) -> BatchTask:
        return self.triage.task

    @property
    def _rules(self) -> LaneRules:
        return self._task.rules

    @property
    def _session(self) -> Session:
        return self._task.session

    @cached_property
    def _eraser(self) -> Eraser:
        task = self._task
        return Eraser(
            session=task.session,
            compiled=task.compiled,
            tenant_id=task.rules.tenant_id,
            scope=task.rules.scope,
            batch=self.triage.batch,
            at=task.at,
            object_grace=task.object_grace,
            cutoff=None if self.triage.has_recreated else task.rules.cutoff,
        )

    def _erase_part(self, result: Sorted, large: Candidate) -> tuple[int, Counts]:
        task, name = self._task, id_text(large.key)
        part = credentials.next_part(
            self._session,
            task.compiled,
            self._rules.tenant_id,
            large.key,
            done=self.triage.done(large.key),
            limit=min(task.parts.get(name, task.max_units), task.max_units),
        )
        # The parts that come after this one go by what it takes along, too.
        self._remember([large.key], self._rules.scope)
        counts = self._eraser.erase([large.key], part=part).counts()
        self._refuse_newer(counts)
        self._check_activity([large.key])
        ended = part.name is None
        complete = ended and not self._eraser.left([large.key])
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
            retry_at=self._rules.now.isoformat(),
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
            retry_at=retry_time(self._rules.now, attempts),
            attempts=attempts,
        )

    def _remember(self, keys: Sequence[Key], *more: Scope) -> None:
        """For the lane of all credentials where biometrics go alone, and for `more` scopes."""
        triage = self.triage
        scopes = set(more) | ({Scope.ALL} if self._rules.scope is Scope.BIOMETRICS else set())
        self._eraser.remember(keys, triage.locked, triage.looked, scopes, self._rules.now)

    def _check(self, keys: Sequence[Key]) -> None:
        """What only the database can prove: erasing was no activity, and nothing is left."""
        self._check_activity(keys)
        if self._task.prove and (left := self._eraser.left(keys)):
            raise IncompleteErasure(still_there(left))

    def _check_evidence(self, keys: Sequence[Key], counts: Counts) -> None:
        """A batch is not committed that erased nothing of what the look had seen, or too much."""
        self._refuse_newer(counts)
        looked, scope = self.triage.looked, self._rules.scope
        if not counts.rows and any(has_credentials(looked[id_text(key)], scope) for key in keys):
            raise IncompleteErasure(
                "nothing went of what was there: a trigger or a rule keeps it: run doctor"
            )

    @staticmethod
    def _refuse_newer(counts: Counts) -> None:
        """An upload that is committed after the look is erased by statements that begin later.

        It locks its transaction, not the account. The look of the next batch finds it.
        """
        if counts.newer:
            raise CameMeanwhile("a credential came after the look: the batch is taken back")

    def _check_activity(self, keys: Sequence[Key]) -> None:
        if self._task.compiled.blanks_accounts(self._rules.scope):
            self._eraser.refuse_activity(keys, self.triage.locked)

    def _record(self, accounts_erased: int) -> BatchRecord:
        """The batch as it is known before what it erased is counted."""
        rules = self._rules
        return BatchRecord(
            batch=self.triage.batch,
            sweep=rules.sweep,
            request=None,
            tenant=rules.tenant_id,
            scope=rules.scope,
            source=rules.source,
            cutoff=rules.cutoff,
            policy_digest=rules.policy_digest,
            map_digest=rules.map_digest,
            accounts=accounts_erased,
            counts={},
            objects=0,
            erased_at=self._task.at,
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
        rules = self._rules
        record = replace(record, counts=counts.rows, objects=counts.objects)
        head = ledger.write_batch(self._session, record, erasures)
        ledger.set_head(
            self._session,
            rules.tenant_id,
            rules.scope,
            batch=record.batch,
            head=head,
            spent=record.accounts if rules.spends else 0,
        )
        if rules.approval is not None and record.accounts:
            approvals.spend(self._session, rules.approval, record.accounts)
