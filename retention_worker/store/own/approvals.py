"""Approvals: who let a waiting lane go, up to which cutoff, for how many accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class OpenApproval:
    """An approval that still counts: for `remaining` of the accounts that were shown."""

    id: int
    cutoff: datetime
    remaining: int
    shown: ShownAccounts


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What an approval grants, and who gives it; `at_most` accounts up to `cutoff`.

    `shown`: which accounts; None: of a replay, which knows its own.
    """

    tenant_id: str
    scope: Scope
    policy_digest: str
    cutoff: datetime
    at_most: int
    actor: str
    reason: str
    now: datetime
    expires_at: datetime
    shown: ShownAccounts | None = None

    def parameters(self) -> dict[str, Any]:
        """The columns of its row."""
        return {
            "tenant": self.tenant_id,
            "scope": self.scope,
            "digest": self.policy_digest,
            "cutoff": self.cutoff,
            "at_most": self.at_most,
            "accounts": self.shown.to_bytes() if self.shown is not None else None,
            "actor": self.actor,
            "reason": self.reason,
            "now": self.now,
            "expires_at": self.expires_at,
        }


def add(session: Session, grant: Grant) -> tuple[int, datetime]:
    """Note an approval, in the place of whatever was open; its number and when it expires.

    The same that is open already, and of which nothing is spent, stays what it is. The caller has
    the lane locked.
    """
    parameters = grant.parameters()
    same = session.row("approvals.same", parameters)
    if same is not None:
        return same["id"], same["expires_at"]
    end_open(session, grant.tenant_id, grant.scope, because="a newer approval", now=grant.now)
    return int(session.value("approvals.add", parameters)), grant.expires_at


def given(
    session: Session,
    tenant_id: str,
    *,
    policy_digest: str,
    actor: str,
    reason: str,
    now: datetime,
) -> list[dict[str, Any]]:
    """Open approvals that somebody gave for a reason, untouched: id, scope, cutoff, at_most, ..."""
    parameters = {
        "tenant": tenant_id,
        "digest": policy_digest,
        "actor": actor,
        "reason": reason,
        "now": now,
    }
    return session.rows("approvals.given", parameters)


def add_for_replay(session: Session, grant: Grant) -> int:
    """Note who lets a replay's batches go; it counts for nothing else."""
    return int(session.value("approvals.add_for_replay", grant.parameters()))


def end_open(
    session: Session, tenant_id: str, scope: Scope, *, because: str, now: datetime
) -> None:
    """End what is open of a lane: what is left of it lets nothing else go."""
    session.run(
        "approvals.end_open",
        {"tenant": tenant_id, "scope": scope, "because": because, "now": now},
    )


def current(
    session: Session, tenant_id: str, scope: Scope, policy_digest: str, now: datetime
) -> OpenApproval | None:
    """The lane's open approval, if it is for the policy and neither spent nor expired."""
    row = session.row(
        "approvals.current",
        {"tenant": tenant_id, "scope": scope, "digest": policy_digest, "now": now},
    )
    if row is None:
        return None
    return OpenApproval(shown=ShownAccounts.from_bytes(row.pop("accounts")), **row)


def remaining(session: Session, approval: int, at: datetime | None) -> int:
    """How many accounts it still covers at an instant, as committed by now; None: of a replay."""
    if at is None:
        found = session.value("approvals.remaining_of_replay", {"approval": approval})
    else:
        found = session.value("approvals.remaining", {"approval": approval, "at": at})
    return int(found or 0)


def spend(session: Session, approval: int, accounts: int) -> None:
    """Count accounts that were erased under it."""
    session.send("approvals.spend", {"approval": approval, "accounts": accounts})
