"""A transaction as it may be shown: what is kept, what is there, what was erased and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retention_worker.domain.explain.explanation import OpenRequest, PastErasure
from retention_worker.domain.scope import CredentialClass, Scope


@dataclass(frozen=True, kw_only=True)
class EntryShown:
    """An entry of the data map, of this transaction.

    `objects` are named by rows that are there; `pending` are those of erased rows that are not
    deleted yet, by state.
    """

    name: str
    class_: CredentialClass
    rows: int
    objects: int
    pending: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TransactionShown:
    """A transaction at one instant.

    `metadata` and `decision` are the columns that the data map names, in its order, as JSON values
    (times as ISO 8601 texts). `state` is None where the map names none; then nothing is
    `in_progress`. `erasures` are those that took it along, the first one first; `requests` those
    that are not finished.
    """

    tenant: str
    tenant_id: str
    id: str
    account: str
    at: datetime
    metadata: Mapping[str, Any]
    decision: Mapping[str, Any]
    state: str | None
    in_progress: bool
    created_at: datetime | None
    entries: tuple[EntryShown, ...]
    erasures: tuple[PastErasure, ...]
    requests: tuple[OpenRequest, ...]

    def rows(self, scope: Scope) -> int:
        """How many rows an erasure of that scope would take."""
        return sum(each.rows for each in self.entries if scope.covers(each.class_))

    @property
    def objects_pending(self) -> int:
        """Objects of erased rows that are not deleted yet."""
        return self.pending(Scope.ALL)

    def pending(self, scope: Scope) -> int:
        """Objects not deleted yet, of the entries that an erasure of the scope takes."""
        covered = (each for each in self.entries if scope.covers(each.class_))
        return sum(number for each in covered for number in each.pending.values())

    def erased_at(self, scope: Scope) -> datetime | None:
        """Since when everything of that scope is erased; an erasure of all covers biometrics."""
        times = [each.erased_at for each in self.erasures if each.scope in {scope, Scope.ALL}]
        return min(times, default=None)

    def complete_at(self, scope: Scope) -> datetime | None:
        """When the scope's erasure was complete; None while objects or rows are still there."""
        if self.rows(scope) or self.pending(scope):
            return None
        return self.erased_at(scope)
