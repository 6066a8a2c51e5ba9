"""Everything that is known about one account, read without a lock or a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.explain.explanation import OpenRequest, PastErasure
from retention_worker.domain.lane.lane import DeferReason, Position, StopReason
from retention_worker.domain.objects.object import ObjectCounts
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import of_row
from retention_worker.store.connection.keys import Key, id_text, key_parameters
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.explain import ExplainSql
from retention_worker.store.mapsql.time_bound import instant, reached
from retention_worker.store.own.objects import counted

# Who has more than that is explained by the newest; the ledger has them all.
_MOST_TRANSACTIONS = 10_000
_MOST_ERASURES = 50


@dataclass(frozen=True, kw_only=True)
class AccountActivity:
    """An account's activity by source, as instants that a cutoff can be compared with.

    None: no value. `counts`: whether a period can be counted from its own activity. `own`: by
    column; `elsewhere`: by the activity tables, in the map's order; `credentials`: the newest, by
    entry.
    """

    key: Key
    counts: bool
    own: Mapping[str, datetime | None]
    elsewhere: Sequence[datetime | None]
    credentials: Mapping[str, datetime | None]


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """Why a lane looks at the account again later; without a time: not by itself.

    `known_at`: activity whose evidence was erased, and that counts all the same.
    """

    reason: DeferReason
    detail: str | None
    retry_at: datetime | None
    active_at: datetime | None
    known_at: datetime | None
    attempts: int
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Stop:
    """How a lane ended."""

    reason: StopReason | None
    text: str | None
    waiting_since: datetime | None


def known_as(session: Session, tenant: str, *, only_value: bool) -> tuple[str, str] | None:
    """The tenant_id and the file's name under which a tenant was swept, by either of them.

    `only_value`: by the tenant_id alone.
    """
    row = session.row("explain.known_as", {"tenant": str(tenant), "only_value": only_value})
    return (row["tenant_id"], row["tenant"]) if row else None


def account(
    session: Session, compiled: CompiledMap, sql: ExplainSql, tenant_id: str, key: Key
) -> AccountActivity | None:
    """The account, its key as the database writes it; None where the tenant has no such one.

    Raises:
        StatementFailed: class 22 where the key cannot be an id.
    """
    row = session.row(sql.account, _this(compiled, tenant_id, key))
    if row is None:
        return None
    own = compiled.accounts.activity
    elsewhere = compiled.accounts.newer.values()
    return AccountActivity(
        key=tuple(row["key"]),
        counts=row["counts"],
        own={
            name: reached(own, value) for name, value in zip(own.columns, row["own"], strict=True)
        },
        elsewhere=[
            reached(time, value) for time, value in zip(elsewhere, row["elsewhere"], strict=True)
        ],
        credentials={
            name: instant(value) for name, value in zip(sql.dated, row["credentials"], strict=True)
        },
    )


def passed(  # noqa: PLR0917 - the parts of one question
    session: Session,
    compiled: CompiledMap,
    sql: ExplainSql,
    tenant_id: str,
    key: Key,
    watermark: Position | None,
) -> bool:
    """Whether the watermark has passed the account."""
    if watermark is None:
        return False
    place = {"after_activity": watermark.activity, "after_id": list(watermark.key)}
    return bool(session.value(sql.passed, _this(compiled, tenant_id, key) | place))


def counts(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key
) -> dict[str, tuple[int, int]]:
    """Rows that are there, and objects that they name, by entry."""
    found: dict[str, tuple[int, int]] = {}
    for each in compiled.entries:
        row = session.row(each.count, _this(compiled, tenant_id, key))
        assert row is not None
        found[each.entry.name] = (row["erased"], row["queued"])
    return found


def transactions(
    session: Session, compiled: CompiledMap, sql: ExplainSql, tenant_id: str, key: Key
) -> list[str]:
    """The ids of the account's transactions."""
    if sql.transactions is None:
        return []
    parameters = _this(compiled, tenant_id, key) | {"limit": _MOST_TRANSACTIONS}
    return [id_text(tuple(row["key"])) for row in session.rows(sql.transactions, parameters)]


def stops(session: Session, tenant_id: str) -> dict[Scope, Stop]:
    """How the tenant's lanes ended."""
    return {
        Scope(row["scope"]): Stop(
            reason=StopReason(row["stop_reason"]) if row["stop_reason"] else None,
            text=row["reason"],
            waiting_since=row["waiting_since"],
        )
        for row in session.rows("explain.stops", {"tenant": tenant_id})
    }


def deferrals(session: Session, tenant_id: str, subject: str) -> dict[Scope, Deferral]:
    """What keeps the account back, by scope."""
    rows = session.rows("explain.deferrals", {"tenant": tenant_id, "account": subject})
    return {
        Scope(row["scope"]): of_row(
            Deferral,
            row,
            reason=DeferReason(row["reason"]),
            **{name: instant(row[name]) for name in ("retry_at", "active_at", "known_at")},
        )
        for row in rows
    }


def applied(session: Session, tenant_id: str, digest: str) -> datetime | None:
    """Since when that policy is applied; None where another one is, or none yet."""
    row = session.row("explain.applied", {"tenant": tenant_id})
    found = row["applied_at"] if row and row["digest"] == digest else None
    assert found is None or isinstance(found, datetime)
    return found


def erasures(
    session: Session, tenant_id: str, subject: str, transaction_ids: Sequence[str]
) -> list[PastErasure]:
    """The newest complete erasures of the account and of its transactions, newest first."""
    parameters = _subjects(tenant_id, subject, transaction_ids)
    parameters |= {"since": None, "limit": _MOST_ERASURES}
    return [_erased(row) for row in session.rows("explain.erasures", parameters)]


def erasures_of_transaction(
    session: Session, tenant_id: str, subject: str, transaction: str, created_at: datetime | None
) -> list[PastErasure]:
    """All complete erasures that took a transaction along, the first one first.

    Those of its account only if they came after the transaction was created.
    """
    parameters = _subjects(tenant_id, subject, [transaction])
    parameters |= {"since": created_at, "limit": None}
    return [_erased(row) for row in reversed(session.rows("explain.erasures", parameters))]


def _erased(row: dict[str, Any]) -> PastErasure:
    """An erasure with what the policy said then, in words."""
    scope = Scope(row["scope"])
    key = "all_credentials" if scope is Scope.ALL else "biometrics"
    period = (row["effective"] or {}).get(key)
    return of_row(
        PastErasure,
        row,
        id=row["subject_id"],
        scope=scope,
        last_activity=instant(row["last_activity"]),
        period=str(Period.parse(period)) if period else None,
        policy_applied_at=row["applied_at"],
    )


def erased_entries(
    session: Session, tenant_id: str, subject: str, transaction_ids: Sequence[str]
) -> dict[str, datetime]:
    """When rows of an entry last went in a batch that the account was part of."""
    parameters = _subjects(tenant_id, subject, transaction_ids)
    rows = session.rows("explain.erased_entries", parameters)
    return {row["name"]: row["erased_at"] for row in rows}


def requests(session: Session, tenant_id: str, subject: str) -> list[OpenRequest]:
    """Ad-hoc erasures that were asked for and are not finished."""
    rows = session.rows("explain.requests", {"tenant": tenant_id, "account": subject})
    return [
        of_row(OpenRequest, row, id=row["subject_id"], scope=Scope(row["scope"])) for row in rows
    ]


def objects(session: Session, tenant_id: str, subject: str) -> dict[str, ObjectCounts]:
    """The account's objects whose rows are gone, by entry."""
    rows = session.rows("objects.of_account", {"tenant": tenant_id, "account": subject})
    return {name: counted(rows, "entry", name) for name in {row["entry"] for row in rows}}


def _this(compiled: CompiledMap, tenant_id: str, key: Key) -> dict[str, Any]:
    return {"tenant": tenant_id} | key_parameters([key], compiled.id_width)


def _subjects(tenant_id: str, subject: str, transaction_ids: Sequence[str]) -> dict[str, Any]:
    return {"tenant": tenant_id, "account": subject, "transactions": list(transaction_ids)}
