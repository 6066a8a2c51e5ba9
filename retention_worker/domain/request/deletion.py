"""A deletion: an ad-hoc request as clients see it, complete once its last byte is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from retention_worker.domain.scope import Scope


class DeletionState(StrEnum):
    """`pending`: rows or objects are still to go. `refused`: the account itself was gone."""

    PENDING = "pending"
    COMPLETE = "complete"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class DeletionRecord:
    """What is known of one deletion.

    `rows`: those that are gone, by data-map entry. `objects`: how many were queued, by this request
    or by an earlier erasure of the same subject whose objects are still there; `objects_left`: how
    many of them are not gone, by the outbox's state.
    """

    id: UUID
    request: int
    tenant_id: str
    kind: str
    subject: str
    account: str
    scope: Scope
    source: str
    actor: str
    reason: str
    noted: str
    requested_at: datetime
    due_by: datetime
    finished_at: datetime | None
    objects_gone_at: datetime | None
    rows: Mapping[str, int]
    objects: int
    objects_left: Mapping[str, int]

    @property
    def state(self) -> DeletionState:
        """Complete is what has neither rows nor objects to go."""
        if self.noted == "refused":
            return DeletionState.REFUSED
        done = self.noted == "done" and not self.objects_left
        return DeletionState.COMPLETE if done else DeletionState.PENDING

    @property
    def completed_at(self) -> datetime | None:
        """When the last row or object was gone."""
        if self.state is not DeletionState.COMPLETE or self.finished_at is None:
            return None
        return max(self.finished_at, self.objects_gone_at or self.finished_at)
