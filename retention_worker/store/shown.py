"""One transaction as it may be shown, read without a lock or a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retention_worker.domain.errors import UnknownSubject
from retention_worker.store.explain import Erased, erased_of
from retention_worker.store.keys import Key, id_text, key_parameters
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.shown import shown_sql
from retention_worker.store.session import Session

__all__ = ["Row", "counts", "erasures", "objects", "transaction"]

# The first ones decide since when something is gone; the ledger has them all.
_MOST_ERASURES = 50


@dataclass(frozen=True, kw_only=True)
class Row:
    """A transaction's row: what the data map shows of it, by column; times as texts."""

    key: Key
    account_key: Key
    metadata: Mapping[str, Any]
    decision: Mapping[str, Any]
    in_progress: bool | None
    created_at: str | None

    @property
    def id(self) -> str:
        """Its id as one text."""
        return id_text(self.key)

    @property
    def account(self) -> str:
        """The account's id as one text."""
        return id_text(self.account_key)


def transaction(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key, account: Key | None
) -> Row | None:
    """The transaction; None where the tenant (or the account, where one is given) has none.

    Raises:
        UnknownSubject: the map has no transactions.
        StatementFailed: class 22 where a key cannot be an id.
    """
    sql, mapped = shown_sql(compiled), compiled.datamap.transactions
    if sql is None or mapped is None:
        raise UnknownSubject("the data map has no transactions: look at the account")
    row = session.row(
        sql.transaction,
        {
            "tenant": tenant_id,
            "transaction": list(key),
            "account": list(account) if account is not None else None,
        },
    )
    if row is None:
        return None
    return Row(
        key=tuple(row["key"]),
        account_key=tuple(row["account_key"]),
        metadata=dict(zip(mapped.metadata, row["metadata"], strict=True)),
        decision=dict(zip(mapped.decision, row["decision"], strict=True)),
        in_progress=row["in_progress"],
        created_at=row["created_at"],
    )


def counts(
    session: Session, compiled: CompiledMap, tenant_id: str, found: Row
) -> dict[str, tuple[int, int]]:
    """Rows of the transaction that are there, and objects that they name, by entry."""
    parameters = {"tenant": tenant_id, "transaction": list(found.key)} | key_parameters(
        [found.account_key], len(compiled.accounts.id_columns)
    )
    counted: dict[str, tuple[int, int]] = {}
    for each in compiled.entries:
        if each.of_transaction is None:
            continue
        row = session.row(each.of_transaction.count, parameters)
        assert row is not None
        counted[each.entry.name] = (row["erased"], row["queued"])
    return counted


def erasures(session: Session, tenant_id: str, found: Row) -> list[Erased]:
    """Complete erasures that took the transaction along, the first one first."""
    parameters = _subject(tenant_id, found) | {
        "created_at": found.created_at,
        "limit": _MOST_ERASURES,
    }
    return [erased_of(row) for row in session.rows("shown.erasures", parameters)]


def objects(session: Session, tenant_id: str, found: Row) -> dict[str, dict[str, int]]:
    """Objects that are still to be deleted: how many in each state, by entry."""
    pending: dict[str, dict[str, int]] = {}
    for row in session.rows("shown.objects", _subject(tenant_id, found)):
        pending.setdefault(row["entry"], {})[row["state"]] = row["objects"]
    return pending


def _subject(tenant_id: str, found: Row) -> dict[str, Any]:
    return {"tenant": tenant_id, "account": found.account, "transaction": found.id}
