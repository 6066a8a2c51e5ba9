"""The statement that shows one transaction: what the data map says may be seen after an erasure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.columns import Scalar
from retention_worker.domain.datamap import Transactions
from retention_worker.store.mapsql.compiled import CompiledMap
from retention_worker.store.mapsql.fragments import (
    all_of,
    column,
    constant,
    identifier,
    listed,
    table,
    type_of,
)
from retention_worker.store.mapsql.paths import key_parameters, tenant_condition
from retention_worker.store.mapsql.timecolumn import time_sql

__all__ = ["ShownSql", "shown_sql"]


@dataclass(frozen=True, kw_only=True)
class ShownSql:
    """Compiled for `tenant`, `transaction` and `account` (text arrays; account may be NULL).

    Returns the keys `account_key` and `key` as text arrays, `metadata` and `decision` as arrays of
    JSON values in the map's order, `in_progress` (NULL where the map names no state) and
    `created_at` as an instant's text (NULL where the map has no such column).
    """

    transaction: Composed


def shown_sql(compiled: CompiledMap) -> ShownSql | None:
    """Compile it for a map that was compiled already; None where it has no transactions."""
    transactions = compiled.datamap.transactions
    return _Builder(compiled, transactions).made() if transactions is not None else None


class _Builder:
    def __init__(self, compiled: CompiledMap, transactions: Transactions) -> None:
        self.catalog = compiled.catalog
        self.accounts = compiled.datamap.accounts
        self.transactions = transactions
        self.info = compiled.catalog.table(transactions.table)

    def made(self) -> ShownSql:
        """The statement."""
        statement = SQL(
            "SELECT {account} AS account_key, {key} AS key, {metadata} AS metadata, "
            "{decision} AS decision, {in_progress} AS in_progress, {created} AS created_at "
            "FROM {transactions} AS t, {accounts} AS a WHERE {where}"
        ).format(
            account=_texts("a", self.accounts.id),
            key=_texts("t", self.transactions.id),
            metadata=self._values(self.transactions.metadata),
            decision=self._values(self.transactions.decision),
            in_progress=self._in_progress(),
            created=self._created(),
            transactions=table(self.transactions.table),
            accounts=table(self.accounts.table),
            where=all_of(self._conditions()),
        )
        return ShownSql(transaction=statement)

    def _values(self, names: Sequence[str]) -> Composable:
        """As JSON, so that every type has one form, for pages and for the API."""
        for name in names:
            self.info.column(name)
        values = [SQL("to_jsonb({})").format(column("t", name)) for name in names]
        return SQL("ARRAY[{}]::jsonb[]").format(listed(values))

    def _in_progress(self) -> Composable:
        state = self.transactions.state
        if state is None:
            return SQL("NULL::boolean")
        kind = type_of(self.info.column(state.column))
        mine = column("t", state.column)
        options = [
            SQL("{} IS NULL").format(mine)
            if value is None
            else SQL("COALESCE({} = {}::{}, FALSE)").format(mine, constant(_text(value)), kind)
            for value in state.in_progress
        ]
        return SQL("({})").format(listed(options, " OR "))

    def _created(self) -> Composable:
        created = self.transactions.created_at
        if created is None:
            return SQL("NULL::text")
        at = time_sql(self.info, (created,), "transactions.created_at")
        return SQL("({})::text").format(at.instant("t"))

    def _conditions(self) -> list[Composable]:
        accounts, transactions = self.accounts, self.transactions
        parent = transactions.parent_key or accounts.id
        found: list[Composable] = [
            SQL("{} = {}").format(column("t", mine), column("a", theirs))
            for mine, theirs in zip(transactions.account, parent, strict=True)
        ]
        found.append(
            SQL("({}) = ({})").format(
                listed([column("t", name) for name in transactions.id]),
                listed(key_parameters(self.info, transactions.id, "transaction")),
            )
        )
        found.append(
            SQL("(%(account)s::text[] IS NULL OR ({}) = ({}))").format(
                listed([column("a", name) for name in accounts.id]),
                listed(key_parameters(self.catalog.table(accounts.table), accounts.id, "account")),
            )
        )
        for alias, each in (("a", accounts), ("t", transactions)):
            if each.tenant is not None:
                found.append(tenant_condition(self.catalog, each.table, alias, each.tenant))
        return found


def _texts(alias: str, names: Sequence[str]) -> Composable:
    return SQL("ARRAY[{}]").format(
        listed([SQL("{}.{}::text").format(SQL(alias), identifier(name)) for name in names])
    )


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
