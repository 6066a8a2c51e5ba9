"""Approvals: who let a waiting lane go, up to which cutoff, for how many accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.scope import Scope
from retention_worker.store.session import Session

__all__ = ["Approval", "add", "current", "remaining", "spend"]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval that still counts."""

    id: int
    cutoff: datetime
    remaining: int


def add(  # noqa: PLR0913 - the columns of one row
    session: Session,
    tenant_id: str,
    scope: Scope,
    *,
    policy_digest: str,
    cutoff: datetime,
    at_most: int,
    actor: str,
    reason: str,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Note an approval; its number comes back."""
    return int(
        session.value(
            "approvals.add",
            {
                "tenant": tenant_id,
                "scope": scope,
                "digest": policy_digest,
                "cutoff": cutoff,
                "at_most": at_most,
                "actor": actor,
                "reason": reason,
                "now": now,
                "expires_at": expires_at,
            },
        )
    )


def current(
    session: Session, tenant_id: str, scope: Scope, policy_digest: str, now: datetime
) -> Approval | None:
    """The newest approval for the policy that is neither spent nor expired."""
    row = session.row(
        "approvals.current",
        {"tenant": tenant_id, "scope": scope, "digest": policy_digest, "now": now},
    )
    return Approval(**row) if row else None


def remaining(session: Session, approval: int) -> int:
    """How many accounts it still covers, as committed by now."""
    found = session.value("approvals.remaining", {"approval": approval})
    return int(found or 0)


def spend(session: Session, approval: int, accounts: int) -> None:
    """Count accounts that were erased under it."""
    session.send("approvals.spend", {"approval": approval, "accounts": accounts})
