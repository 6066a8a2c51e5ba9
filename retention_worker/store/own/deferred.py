"""Deferred accounts: due, behind the watermark, and to be looked at again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.lane.lane import DeferReason
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.keys import Key, Part, array_literal, id_text
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class Deferred:
    """An account to look at again.

    `retry_at`, or `active_at` (compared with the cutoff of then), says when: instants as text,
    in ISO 8601 or the database's own, None for never by itself.
    """

    key: Key
    reason: DeferReason
    retry_at: str | None = None
    active_at: str | None = None
    detail: str | None = None
    attempts: int = 0
    done: Part | None = None


@dataclass(frozen=True, kw_only=True)
class RememberedActivity:
    """An account's own last activity, and its newest credential: instants as text, or None."""

    key: Key
    at: str | None
    credential_at: str | None


def remember(
    session: Session,
    tenant_id: str,
    scopes: Sequence[Scope],
    seen: Sequence[RememberedActivity],
    now: datetime,
) -> None:
    """Keep in mind, for the lanes of these scopes, credentials that are newer than activity."""
    newer = [each for each in seen if each.credential_at is not None]
    if newer:
        session.send(
            "deferred.remember",
            {
                "tenant": tenant_id,
                "scopes": [str(scope) for scope in scopes],
                "ids": [id_text(each.key) for each in newer],
                "keys": [json.dumps(list(each.key)) for each in newer],
                "activities": [each.at for each in newer],
                "credentials": [each.credential_at for each in newer],
                "now": now,
            },
        )


def ready(
    session: Session,
    tenant_id: str,
    scope: Scope,
    *,
    cutoff: datetime,
    now: datetime,
    limit: int,
) -> list[Deferred]:
    """Deferred accounts whose time has come; half erased ones first."""
    rows = session.rows(
        "deferred.ready",
        {"tenant": tenant_id, "scope": scope, "cutoff": cutoff, "now": now, "limit": limit},
    )
    return [
        Deferred(
            key=tuple(row["account_key"]),
            reason=DeferReason(row["reason"]),
            attempts=row["attempts"],
            done=_part(row["progress"]),
        )
        for row in rows
    ]


def count_ready(
    session: Session,
    tenant_id: str,
    scope: Scope,
    *,
    cutoff: datetime,
    now: datetime,
    limit: int,
) -> int:
    """How many are ready, counted no further than `limit`."""
    return int(
        session.value(
            "deferred.count_ready",
            {"tenant": tenant_id, "scope": scope, "cutoff": cutoff, "now": now, "limit": limit},
        )
    )


def ready_lanes(
    session: Session,
    lanes: Sequence[tuple[str, Scope]],
    cutoffs: Sequence[datetime],
    now: datetime,
) -> set[int]:
    """The indexes of the lanes that have a ready one: one statement for all."""
    rows = session.rows(
        "deferred.ready_lanes",
        {
            "tenants": [tenant for tenant, _ in lanes],
            "scopes": [str(scope) for _, scope in lanes],
            "instants": list(cutoffs),
            "now": now,
        },
    )
    return {row["position"] - 1 for row in rows}


def counts(
    session: Session, tenant_ids: Iterable[str]
) -> dict[tuple[str, Scope], dict[DeferReason, int]]:
    """How many are deferred, by lane and reason."""
    found: dict[tuple[str, Scope], dict[DeferReason, int]] = {}
    for row in session.rows("deferred.counts", {"tenants": list(tenant_ids)}):
        lane = (row["tenant_id"], Scope(row["scope"]))
        found.setdefault(lane, {})[DeferReason(row["reason"])] = row["accounts"]
    return found


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Accounts of a lane that could not be erased, and what one of them says."""

    accounts: int = 0
    detail: str | None = None


def errors(
    session: Session, tenant_ids: Iterable[str], known: Iterable[str] = ()
) -> dict[tuple[str, Scope], Errors]:
    """What could not be erased and needs somebody, by lane; `known` accounts are left out."""
    parameters = {"tenants": list(tenant_ids), "known": list(known)}
    return {
        (row["tenant_id"], Scope(row["scope"])): Errors(
            accounts=row["accounts"], detail=row["detail"]
        )
        for row in session.rows("deferred.errors", parameters)
    }


def kept_beyond(session: Session, tenant_ids: Sequence[str], latest: datetime) -> set[str]:
    """Tenants among these with an account that an activity after an instant keeps."""
    rows = session.rows("deferred.kept_beyond", {"tenants": list(tenant_ids), "latest": latest})
    return {row["tenant_id"] for row in rows}


def tried_again(session: Session, tenant_id: str, scope: Scope, ids: Sequence[str]) -> set[str]:
    """Which of these accounts have a time of their own at which they are tried again."""
    if not ids:
        return set()
    parameters = {"tenant": tenant_id, "scope": scope, "ids": list(ids)}
    return {row["account_id"] for row in session.rows("deferred.tried_again", parameters)}


def put(
    session: Session, tenant_id: str, scope: Scope, deferred: Sequence[Deferred], now: datetime
) -> None:
    """Defer accounts, or change what blocks them."""
    if not deferred:
        return
    content = [
        {
            "account_id": id_text(each.key),
            "account_key": list(each.key),
            "reason": each.reason,
            "detail": each.detail,
            "retry_at": each.retry_at,
            "active_at": each.active_at,
            "attempts": each.attempts,
            "progress": _progress(each.done),
        }
        for each in deferred
    ]
    session.send(
        "deferred.put",
        {"tenant": tenant_id, "scope": scope, "deferred": json.dumps(content), "now": now},
    )


def drop(session: Session, tenant_id: str, scope: Scope, ids: Sequence[str]) -> None:
    """Forget accounts that are done, or not due any more."""
    if ids:
        session.send(
            "deferred.drop", {"tenant": tenant_id, "scope": scope, "ids": array_literal(ids)}
        )


def _progress(done: Part | None) -> dict[str, Any] | None:
    if done is None:
        return None
    return {"name": done.name, "upto": list(done.upto) if done.upto else None}


def _part(progress: dict[str, Any] | None) -> Part | None:
    if progress is None:
        return None
    upto = progress["upto"]
    return Part(name=progress["name"], after=None, upto=tuple(upto) if upto else None)
