"""Reads the worker's own tables for `verify`: what was erased, when, under which policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.session import Session

# Of one statement. A table that takes longer is looked through a tenant at a time.
_TIMEOUT = "10min"
# A hold is dated before its account is locked: within this a batch may rightly have been first.
_HOLD_MARGIN = timedelta(seconds=60)

Periods = dict[tuple[str, str, Scope], Period | None]
"""tenant_id, digest and scope of every policy that was applied, with its period."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Something of one tenant: how many, since when, and the ids of at most five."""

    tenant_id: str
    count: int
    oldest: datetime | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ErasedBatch:
    """The accounts that one batch erased: `latest` is their latest activity at the lock.

    `unknown` of them had none; `source` is None where the batch's own row is missing.
    `tenant_ids` and `scopes` have one value where the rows agree.
    """

    batch: int
    tenant_ids: frozenset[str]
    scopes: frozenset[str]
    accounts: int
    latest: datetime | None
    unknown: int
    erased_at: datetime
    example: str
    source: str | None
    policy_digest: str | None


def unhurried(session: Session) -> None:
    """Whole tables are read in this transaction, and nothing waits for them."""
    session.rows("verify.unhurried", {"timeout": _TIMEOUT})


def tenants(session: Session) -> set[str]:
    """Every tenant_id in the worker's own tables."""
    return {row["tenant_id"] for row in session.rows("verify.tenants")}


def applied_tenants(session: Session) -> dict[str, str]:
    """tenant_id and the file's name of every tenant of which a policy was ever applied."""
    return {row["tenant_id"]: row["tenant"] for row in session.rows("verify.applied_tenants")}


def applied(session: Session, tenant_id: str | None) -> Periods:
    """The periods of every policy that was ever applied."""
    found: Periods = {}
    for row in session.rows("verify.applied", {"tenant": tenant_id}):
        for scope, text in ((Scope.ALL, "all_credentials"), (Scope.BIOMETRICS, "biometrics")):
            period = Period.parse(row[text]) if row[text] else None
            found[row["tenant_id"], row["digest"], scope] = period
    return found


def waiting_lanes(
    session: Session, tenant_id: str | None, since: datetime
) -> set[tuple[str, Scope]]:
    """Lanes that a person must let go, or let go after an instant."""
    rows = session.rows("verify.stopped_lanes", {"tenant": tenant_id, "since": since})
    return {(row["tenant_id"], Scope(row["scope"])) for row in rows}


def pauses(session: Session, now: datetime, allowed: timedelta) -> tuple[datetime | None, bool]:
    """Since when everything is paused, or was until less than `allowed` ago; whether it is now."""
    row = session.row("verify.pauses", {"now": now, "allowed": allowed})
    return (row["began"], row["in_force"]) if row else (None, False)


def erased_batches(
    session: Session, tenant_id: str | None, *, after: int, limit: int
) -> list[ErasedBatch]:
    """The next batches after one, by number."""
    rows = session.rows(
        "verify.erased_batches", {"tenant": tenant_id, "after": after, "limit": limit}
    )
    return [
        ErasedBatch(
            batch=row["batch_id"],
            tenant_ids=frozenset({row["tenant_id"], row["last_tenant_id"]}),
            scopes=frozenset({row["scope"], row["last_scope"]}),
            accounts=row["accounts"],
            latest=row["latest"],
            unknown=row["unknown"],
            erased_at=row["erased_at"],
            example=row["example"],
            source=row["source"] if row["has_batch"] else None,
            policy_digest=row["policy_digest"],
        )
        for row in rows
    ]


def held_erasures(session: Session, tenant_id: str | None, *, alone: bool) -> list[Counted]:
    """Accounts that were erased although a hold was active.

    `alone`: an account's id tells it from all others without a tenant.
    """
    parameters = {"tenant": tenant_id, "margin": _HOLD_MARGIN, "alone": alone}
    rows = session.rows("verify.held_erasures", parameters)
    return list(_counted(rows, "accounts"))


def objects(
    session: Session, tenant_id: str | None, now: datetime, *, alone: bool
) -> list[tuple[str, Counted]]:
    """Objects that are not deleted, with their state; examples are the stores' errors."""
    rows = session.rows("verify.objects", {"tenant": tenant_id, "now": now, "alone": alone})
    for row in rows:
        row["examples"] = [each for each in row["examples"] if each]
    states = [row["state"] for row in rows]
    return list(zip(states, _counted(rows, "objects"), strict=True))


def objects_astray(session: Session, tenant_id: str | None) -> list[Counted]:
    """Batches whose objects are neither queued nor gone; examples are their numbers."""
    rows = session.rows("verify.objects_astray", {"tenant": tenant_id})
    return list(_counted(rows, "batches"))


def requests(session: Session, tenant_id: str | None, now: datetime) -> list[Counted]:
    """Requests that are open past their day."""
    rows = session.rows("verify.requests", {"tenant": tenant_id, "now": now})
    return list(_counted(rows, "requests"))


def _counted(rows: Sequence[dict[str, Any]], number: str) -> Iterator[Counted]:
    for row in rows:
        yield Counted(
            tenant_id=row["tenant_id"],
            count=row[number],
            oldest=row.get("oldest"),
            examples=tuple(row.get("examples") or ()),
        )
