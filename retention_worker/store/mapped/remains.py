"""What is left under accounts by an independent look, and what of it cannot be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg.sql import Composed

from retention_worker.domain.scope import Scope
from retention_worker.store.connection.keys import Key, id_text, key_parameters
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped.accounts import Found
from retention_worker.store.mapped.transactions import Owned
from retention_worker.store.mapsql import CompiledMap


@dataclass(frozen=True, kw_only=True)
class Remains:
    """Rows of an entry that are there.

    `unreachable` of them no erasing statement reaches: `shared` are another account's, too, the
    rest say another tenant, or none.
    """

    account: str
    entry: str
    rows: int
    unreachable: int
    shared: int


def of_accounts(
    session: Session, compiled: CompiledMap, tenant_id: str, scope: Scope, keys: Sequence[Key]
) -> list[Remains]:
    """What is left of the scope under these accounts, by keys alone."""
    parameters = {"tenant": tenant_id} | key_parameters(keys, compiled.id_width)
    return _read(session, compiled.remains.of_account[scope], parameters)


def of_transaction(
    session: Session, compiled: CompiledMap, tenant_id: str, scope: Scope, owned: Owned
) -> list[Remains]:
    """What is left of the scope under one transaction."""
    parameters = {"tenant": tenant_id, "transaction": list(owned.key)} | key_parameters(
        [owned.account_key], compiled.id_width
    )
    return _read(session, compiled.remains.of_transaction[scope], parameters)


def _read(session: Session, statement: Composed, parameters: dict[str, object]) -> list[Remains]:
    return [
        Remains(
            account=row["id"],
            entry=row["entry"],
            rows=row["rows"],
            unreachable=row["unreachable"],
            shared=row["shared"],
        )
        for row in session.rows(statement, parameters)
    ]


def lost(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    scope: Scope,
    *,
    looked: Mapping[str, Found],
    keys: Sequence[Key],
) -> dict[str, str]:
    """Accounts with rows of the scope that no erasing statement reaches, and which rows those are.

    Asked only for those below which the look has seen another tenant.
    """
    astray = [key for key in keys if looked[id_text(key)].is_astray]
    if not astray:
        return {}
    found: dict[str, list[Remains]] = {}
    for each in of_accounts(session, compiled, tenant_id, scope, astray):
        found.setdefault(each.account, []).append(each)
    told = {name: unreachable(rows) for name, rows in found.items()}
    return {name: words for name, words in told.items() if words is not None}


def unreachable(found: Iterable[Remains]) -> str | None:
    """In words what no erasing statement reaches; None where all can be reached."""
    left = list(found)
    said = []
    if lost := _counted((each.entry, each.unreachable - each.shared) for each in left):
        said.append(
            f"rows that cannot be reached: {lost}: they or their parents say another tenant than "
            "the account, or none: correct the tenant columns"
        )
    if shared := _counted((each.entry, each.shared) for each in left):
        said.append(f"rows that are another account's, too: {shared}: let each lead to one account")
    return "; ".join(said) or None


def _counted(numbers: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{entry} ({rows})" for entry, rows in numbers if rows)
