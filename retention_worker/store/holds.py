"""Legal holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.store.session import Session

__all__ = ["Hold", "listed", "place", "release"]


@dataclass(frozen=True, kw_only=True)
class Hold:
    """An active hold."""

    id: int
    tenant_id: str
    account_id: str
    reason: str
    placed_by: str
    placed_at: datetime
    until: datetime | None


def place(
    session: Session,
    tenant_id: str,
    account: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    until: datetime | None,
) -> int:
    """Place a hold, or find the same; the caller has the account locked."""
    parameters = {
        "tenant": tenant_id,
        "account": account,
        "reason": reason,
        "actor": actor,
        "now": now,
        "until": until,
    }
    return int(session.value("holds.same", parameters) or session.value("holds.place", parameters))


def release(
    session: Session, tenant_id: str, account: str, *, reason: str, actor: str, now: datetime
) -> int:
    """End the account's active holds, let the next sweep look at it; how many there were."""
    parameters = {
        "tenant": tenant_id,
        "account": account,
        "reason": reason,
        "actor": actor,
        "now": now,
    }
    ended = session.run("holds.release", parameters)
    if ended:
        session.run("deferred.wake", parameters)
    return ended


def listed(session: Session, tenant_id: str | None, now: datetime) -> list[Hold]:
    """The active holds of a tenant, or of all."""
    rows = session.rows("holds.list", {"tenant": tenant_id, "now": now})
    return [Hold(**row) for row in rows]
