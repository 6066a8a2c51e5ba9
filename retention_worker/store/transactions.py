"""Transactions of somebody else's table: whose one is, and what of it is still there."""

from __future__ import annotations

from dataclasses import dataclass

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.scope import Scope
from retention_worker.store.keys import Key, id_text, key_parameters, parse_id
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.session import Session

__all__ = ["Owned", "find", "is_left"]


@dataclass(frozen=True, kw_only=True)
class Owned:
    """A transaction and its account, both as the database writes their ids."""

    key: Key
    account_key: Key

    @property
    def id(self) -> str:
        """The transaction's id as one text."""
        return id_text(self.key)


def find(session: Session, compiled: CompiledMap, tenant_id: str, transaction: str) -> Owned:
    """The transaction of that id and its account.

    Raises:
        UnknownSubject: the tenant has none, or the map has no transactions.
    """
    sql = compiled.transactions
    if sql is None:
        raise UnknownSubject("the data map has no transactions: erase the account")
    key = parse_id(transaction, len(sql.id_columns))
    row = session.row(sql.find, {"tenant": tenant_id, "transaction": list(key)})
    if row is None:
        raise UnknownSubject(f"tenant {tenant_id!r} has no transaction {transaction!r}")
    return Owned(key=tuple(row["key"]), account_key=tuple(row["account_key"]))


def is_left(
    session: Session, compiled: CompiledMap, tenant_id: str, owned: Owned, scope: Scope
) -> bool | None:
    """Whether credentials of the scope are there; None: it is another account's by now."""
    sql = compiled.transactions
    assert sql is not None
    found = session.value(
        sql.left[scope],
        {"tenant": tenant_id, "transaction": list(owned.key)}
        | key_parameters([owned.account_key], len(compiled.accounts.id_columns)),
    )
    return None if found is None else bool(found)
