"""Transactions of somebody else's table: whose one is, and what of it is still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.datamap.datamap import TRANSACTION
from retention_worker.domain.errors import UnknownSubject
from retention_worker.store.connection.keys import Key, Part, id_text, key_parameters, parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.time_bound import instant


@dataclass(frozen=True, kw_only=True)
class Owned:
    """A transaction and its account, both as the database writes their ids."""

    key: Key
    account_key: Key
    in_progress: bool = False

    @property
    def id(self) -> str:
        """The transaction's id as one text."""
        return id_text(self.key)


@dataclass(frozen=True, kw_only=True)
class TransactionFacts:
    """What may be shown of a transaction, whatever was erased; `state` None: the map names none."""

    owned: Owned
    metadata: Mapping[str, Any]
    decision: Mapping[str, Any]
    state: str | None
    created_at: datetime | None


def find(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    transaction: str,
    *,
    account: str | None = None,
) -> Owned:
    """The transaction of that id and its account, which must be `account` where one is named.

    Raises:
        UnknownSubject: the tenant has none, or the map has no transactions.
    """
    return _owned(_found(session, compiled, tenant_id, transaction, account, whole=False))


def show(
    session: Session, compiled: CompiledMap, tenant_id: str, transaction: str, account: str | None
) -> TransactionFacts:
    """The transaction with what the map lets be shown; of `account`, where one is named.

    Raises:
        UnknownSubject: there is none of that id, or the map has no transactions.
    """
    row = _found(session, compiled, tenant_id, transaction, account, whole=True)
    return TransactionFacts(
        owned=_owned(row),
        metadata=row["metadata"],
        decision=row["decision"],
        state=row["state"],
        created_at=instant(row["created_at"]),
    )


def _found(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    transaction: str,
    account: str | None,
    *,
    whole: bool,
) -> dict[str, Any]:
    sql = compiled.transactions
    if sql is None:
        raise UnknownSubject("the data map has no transactions: erase the account")
    parameters = {
        "tenant": tenant_id,
        "transaction": list(parse_id(transaction, len(sql.id_columns))),
        "account": None if account is None else list(parse_id(account, compiled.id_width)),
    }
    row = session.row(sql.show if whole else sql.find, parameters)
    if row is None:
        if session.value(sql.loose, {"transaction": parameters["transaction"]}):
            raise UnknownSubject(
                f"transaction {transaction!r} has no account, so that nothing reaches what hangs "
                "on it: give it its account, or delete its rows by hand; `verify` counts those"
            )
        raise UnknownSubject(f"tenant {tenant_id!r} has no transaction {transaction!r}")
    return row


def _owned(row: Mapping[str, Any]) -> Owned:
    return Owned(
        key=tuple(row["key"]),
        account_key=tuple(row["account_key"]),
        in_progress=row["in_progress"],
    )


def in_progress(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key, limit: int
) -> list[str]:
    """The ids of an account's transactions that have not ended by the map's state."""
    sql = compiled.transactions
    if sql is None or compiled.datamap.transactions is None:
        return []
    if compiled.datamap.transactions.state is None:
        return []
    parameters = {"tenant": tenant_id, "limit": limit} | key_parameters([key], compiled.id_width)
    return [id_text(tuple(row["key"])) for row in session.rows(sql.in_progress, parameters)]


def counts(
    session: Session, compiled: CompiledMap, tenant_id: str, owned: Owned
) -> dict[str, tuple[int, int]]:
    """Rows of the transaction that are there, and objects that they name, by entry."""
    parameters = {"tenant": tenant_id, "transaction": list(owned.key)} | key_parameters(
        [owned.account_key], compiled.id_width
    )
    sql = compiled.transactions
    assert sql is not None
    rows = session.rows(sql.counts, parameters) if sql.counts is not None else []
    return {row["name"]: (row["erased"], row["queued"]) for row in rows}


def newest(
    session: Session, compiled: CompiledMap, tenant_id: str, keys: Sequence[Key]
) -> dict[str, str]:
    """When the newest transaction of each account began, where the map says so."""
    sql = compiled.transactions
    if sql is None or sql.newest is None or not keys:
        return {}
    parameters = {"tenant": tenant_id} | key_parameters(keys, compiled.id_width)
    rows = session.rows(sql.newest, parameters)
    return {row["id"]: row["at"] for row in rows if row["at"] is not None}


def note_erased(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    keys: Sequence[Key],
    *,
    batch: int,
    part: Part | None = None,
) -> None:
    """Keep in mind which transactions' biometrics go with these accounts, whoever's they will be.

    With a `part`, those of its stretch.
    """
    sql = compiled.transactions
    if sql is None or sql.erased is None or sql.erased_part is None:
        return
    parameters: dict[str, Any] = {"tenant": tenant_id, "batch": batch}
    parameters |= key_parameters(keys, compiled.id_width)
    if part is None:
        session.send(sql.erased, parameters)
    elif part.name == TRANSACTION:
        parameters["part_after"] = list(part.after) if part.after else None
        parameters["part_upto"] = list(part.upto) if part.upto else None
        session.send(sql.erased_part, parameters, replan=True)


@dataclass(frozen=True, kw_only=True)
class Whose:
    """A transaction and the account that has it now, of whatever tenant."""

    owned: Owned
    tenant: str | None


def owners(session: Session, compiled: CompiledMap, ids: Sequence[str]) -> list[Whose]:
    """Whose these transactions are by now; those that are not there are left out."""
    if compiled.transactions is None or not ids:
        return []
    rows = session.rows(compiled.transactions.owners, {"ids": list(ids)})
    return [
        Whose(
            owned=Owned(key=tuple(row["key"]), account_key=tuple(row["account_key"])),
            tenant=row["tenant"],
        )
        for row in rows
    ]


def objects(session: Session, tenant_id: str, owned: Owned) -> dict[str, dict[str, int]]:
    """Objects that are still to be deleted: how many in each state, by entry."""
    pending: dict[str, dict[str, int]] = {}
    account = id_text(owned.account_key)
    parameters = {"tenant": tenant_id, "transaction": owned.id, "account": account}
    for row in session.rows("transactions.objects", parameters):
        pending.setdefault(row["entry"], {})[row["state"]] = row["objects"]
    return pending


def belongs(session: Session, compiled: CompiledMap, tenant_id: str, owned: Owned) -> bool:
    """Whether the account still has the transaction: it may have been moved to another one."""
    sql = compiled.transactions
    assert sql is not None
    found = session.value(
        sql.belongs,
        {"tenant": tenant_id, "transaction": list(owned.key)}
        | key_parameters([owned.account_key], compiled.id_width),
    )
    return bool(found)
