"""What people look at: pending objects, open requests, pages of the ledger; one tenant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from retention_worker.domain.scope import Scope
from retention_worker.store.connection.session import Session

_MOST_REQUESTS = 100


@dataclass(frozen=True, kw_only=True)
class UnfinishedRequest:
    """An ad-hoc erasure that is not finished."""

    deletion: UUID
    kind: str
    subject_id: str
    scope: Scope
    requested_at: datetime
    due_by: datetime
    actor: str


@dataclass(frozen=True, kw_only=True)
class LedgerBatch:
    """A batch of the ledger; actor, reason and deletion where somebody asked for it."""

    id: int
    scope: Scope
    source: str
    accounts: int
    counts: Mapping[str, int]
    objects: int
    erased_at: datetime
    policy_digest: str | None
    cutoff: datetime | None
    actor: str | None
    reason: str | None
    deletion: UUID | None

    @property
    def rows(self) -> int:
        """How many rows it erased."""
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class LedgerErasure:
    """An account or transaction of a batch; not complete: a part of a large account."""

    id: int
    kind: str
    subject_id: str
    scope: Scope
    complete: bool
    erased_at: datetime


def objects(session: Session, tenant_id: str) -> dict[str, int]:
    """Objects whose rows are gone, by state."""
    rows = session.rows("pages.objects", {"tenant": tenant_id})
    return {row["state"]: row["objects"] for row in rows}


def requests(session: Session, tenant_id: str) -> list[UnfinishedRequest]:
    """Ad-hoc erasures that are not finished, the oldest first, a hundred at the most."""
    rows = session.rows("pages.requests", {"tenant": tenant_id, "limit": _MOST_REQUESTS})
    return [UnfinishedRequest(**row | {"scope": Scope(row["scope"])}) for row in rows]


def batches(
    session: Session, tenant_id: str, *, before: int | None, limit: int
) -> list[LedgerBatch]:
    """A page of the ledger, newest first, from before a batch on."""
    rows = session.rows("pages.batches", {"tenant": tenant_id, "before": before, "limit": limit})
    return [LedgerBatch(**row | {"scope": Scope(row["scope"])}) for row in rows]


def erased(
    session: Session, tenant_id: str, batch: int, *, after: int, limit: int
) -> list[LedgerErasure]:
    """A page of a batch's accounts and transactions."""
    rows = session.rows(
        "pages.erased", {"tenant": tenant_id, "batch": batch, "after": after, "limit": limit}
    )
    return [LedgerErasure(**row | {"scope": Scope(row["scope"])}) for row in rows]
