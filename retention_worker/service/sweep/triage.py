"""Locks candidates, looks again, and parts what goes from what stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from retention_worker.domain.lane.lane import DeferReason, Position
from retention_worker.service.due.eligibility import block, has_credentials, retry_time
from retention_worker.service.sweep.lane_rules import BatchTask, CandidatesFrom
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import accounts, remains
from retention_worker.store.mapped.accounts import Candidate, Found, Locked
from retention_worker.store.own.deferred import Deferred


@dataclass(kw_only=True)
class Sorted:
    """Locked accounts, by what becomes of them.

    `large` goes alone, in parts; `past` is the last candidate that was decided about, `cut` that
    some on the page were not, `other` that the first of those is not among the accounts that a
    person was shown.
    """

    erase: list[Candidate] = field(default_factory=list)
    defer: list[Deferred] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    large: Candidate | None = None
    past: Position | None = None
    cut: bool = False
    other: bool = False
    processed: int = 0


@dataclass(kw_only=True)
class Triage:
    """Decides about the candidates of one batch.

    Args:
        task: the batch's.
        waiting: what is remembered of those that were deferred, by account.
        permit: how many accounts may still be erased, as the batch has found it.

    `has_recreated`: newer credentials are there that are no activity, because they were erased
    before and are back.
    """

    task: BatchTask
    waiting: Mapping[str, Deferred]
    permit: int
    locked: Mapping[str, Locked] = field(default_factory=dict)
    looked: dict[str, Found] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    has_recreated: bool = False
    _number: Pending[int] | None = None

    @property
    def batch(self) -> int:
        """The number of the batch."""
        assert self._number is not None  # asked for with the locks
        return self._number.get()

    def attempts(self, key: Key) -> int:
        """How often the account was looked at in vain before."""
        was = self.waiting.get(id_text(key))
        return was.attempts if was else 0

    def done(self, key: Key) -> Part | None:
        """How far a large account was erased before."""
        was = self.waiting.get(id_text(key))
        return was.done if was else None

    def sort(self, found: Sequence[Candidate]) -> Sorted:
        """Lock, look again in statements of their own, and part what goes from what stays."""
        keys = [each.key for each in found if id_text(each.key) not in self.task.troubled]
        self._lock(keys)
        unlocked = self._unlocked([key for key in keys if id_text(key) not in self.locked])
        result = Sorted()
        units = 0
        for each in found:
            name = id_text(each.key)
            if name in self.task.troubled:
                result.defer.append(self.task.troubled[name])
            elif name not in self.locked:
                self._sort_unlocked(each.key, unlocked.get(name), result)
            elif self._is_due(each, self.looked[name], result):
                units += max(1, self.looked[name].units)
                if self._is_full(each, self.looked[name], units, result):
                    break
                result.erase.append(each)
            result.past = each.position
            result.processed += 1
        return result

    def _lock(self, keys: Sequence[Key]) -> None:
        """What was locked, and what decides about it.

        Sent together, and the look begins when the locks are had. It goes over those that could not
        be locked, too: what it says of them is not used.
        """
        if not keys:
            return
        rules, session, compiled = self.task.rules, self.task.session, self.task.compiled
        asked = accounts.lock(session, compiled, rules.tenant_id, keys, self._bound)
        looking = self.ask(keys)
        self._number = ledger.ask_batch(session)
        self.locked = asked.get()
        seen = looking.get()
        self.looked = accounts.living(session, compiled, rules.tenant_id, seen, cutoff=rules.cutoff)
        self.has_recreated = any(
            each.credential_is_newer and not self.looked[name].credential_is_newer
            for name, each in seen.items()
        )
        self.looked |= {
            name: replace(self.looked[name], hold=rules.held[name])
            for name in rules.held.keys() & self.looked.keys()
            if self.looked[name].hold is None
        }
        locked = [key for key in keys if id_text(key) in self.locked]
        self.lost = remains.lost(
            session,
            compiled,
            rules.tenant_id,
            rules.scope,
            looked=self.looked,
            keys=locked,
        )

    @property
    def _bound(self) -> str:
        return self.task.compiled.accounts.activity.bound(self.task.rules.cutoff)

    def ask(self, keys: Sequence[Key]) -> Pending[dict[str, Found]]:
        """What is there of accounts, and what decides about them, as of now."""
        return accounts.ask_look(
            self.task.session,
            self.task.compiled,
            self.task.rules.tenant_id,
            self.task.rules.scope,
            keys,
            cutoff=self.task.rules.cutoff,
            now=self.task.rules.now,
            max_units=self.task.max_units + 1,
        )

    def _unlocked(self, keys: Sequence[Key]) -> dict[str, Locked]:
        if not keys:
            return {}
        return accounts.present(
            self.task.session, self.task.compiled, self.task.rules.tenant_id, keys, self._bound
        )

    def _sort_unlocked(self, key: Key, now: Locked | None, result: Sorted) -> None:
        """Not locked: gone, active again, or locked by somebody else."""
        if now is None:
            result.drop.append(id_text(key))
        elif now.due:
            attempts = self.attempts(key) + 1
            result.defer.append(
                Deferred(
                    key=key,
                    reason=DeferReason.LOCKED,
                    retry_at=retry_time(self.task.rules.now, attempts),
                    attempts=attempts,
                    done=self.done(key),
                )
            )
        elif id_text(key) in self.waiting or self.task.source.name == CandidatesFrom.BEHIND:
            # Its activity may still lie behind the watermark (a longer period): keep its time.
            result.defer.append(
                Deferred(key=key, reason=DeferReason.NEWER_ACTIVITY, active_at=now.active_at)
            )

    def _is_due(self, each: Candidate, found: Found, result: Sorted) -> bool:
        blocked = block(each.key, found)
        if found.id in self.lost:
            # Erased in part it would be called erased; what blocks it anyway is said first.
            result.defer.append(blocked or self._out_of_reach(each.key, self.lost[found.id]))
            return False
        if not has_credentials(found, self.task.rules.scope):
            # The last part may have been the rest; a row must still say that it is complete.
            if self.done(each.key) is not None:
                return True
            result.drop.append(found.id)
            return False
        if blocked is not None:
            result.defer.append(blocked)
            return False
        return True

    def _out_of_reach(self, key: Key, words: str) -> Deferred:
        attempts = self.attempts(key) + 1
        return Deferred(
            key=key,
            reason=DeferReason.ERROR,
            detail=words,
            retry_at=retry_time(self.task.rules.now, attempts),
            attempts=attempts,
            done=self.done(key),
        )

    def _is_full(self, each: Candidate, found: Found, units: int, result: Sorted) -> bool:
        """Whether the batch ends before this account, or is this account's alone."""
        shown = self.task.rules.shown
        result.other = shown is not None and found.id not in shown
        if self.permit < 1 or result.other:
            result.cut = True
            return True
        large = found.units > self.task.max_units or found.id in self.task.parts
        large = large or self.done(each.key) is not None
        if large and not result.erase:
            result.large, result.past = each, each.position
            result.processed += 1
            result.cut = True  # those after it on the page are still to be looked at
            return True
        result.cut = large or units > self.task.max_units or len(result.erase) >= self.permit
        return result.cut
