"""From a credential's row up to its account: the joins, seen from the credential's side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import (
    ACCOUNT,
    TRANSACTION,
    DataMap,
    Link,
    Transactions,
)
from retention_worker.store.catalog import BUILT_IN, Catalog, Table
from retention_worker.store.quoting import all_of, column, listed, table
from retention_worker.store.verify.content import belongs
from retention_worker.store.verify.keys import equality, key_equality


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A table on the way up: `name` is transaction, a link, or account.

    `is_one`: whether a row of the table is one at all, by its `where`; it is among the conditions.
    """

    name: str
    alias: LiteralString
    table: TableName
    id: tuple[str, ...]
    tenant: str | None
    conditions: tuple[Composable, ...]
    is_one: Composable | None = None


@dataclass(frozen=True, kw_only=True)
class Climb:
    """The rungs above the row `c`, the nearest first; the last is the account, `a`."""

    rungs: tuple[Ancestor, ...]

    @property
    def account(self) -> Ancestor:
        """The account."""
        return self.rungs[-1]

    @property
    def transaction(self) -> Ancestor | None:
        """The transaction that the row belongs to."""
        return next((rung for rung in self.rungs if rung.name == TRANSACTION), None)

    def joins(self) -> Composed:
        """`JOIN … ON …` for each rung."""
        return listed(
            (
                SQL("JOIN {} AS {} ON {}").format(
                    table(rung.table), SQL(rung.alias), all_of(rung.conditions)
                )
                for rung in self.rungs
            ),
            " ",
        )

    def sources(self) -> Composed:
        """The rungs as a FROM list."""
        return listed(
            SQL("{} AS {}").format(table(rung.table), SQL(rung.alias)) for rung in self.rungs
        )

    def elsewhere(self) -> Iterator[tuple[Ancestor, Composable]]:
        """Whether a rung that the row leads to is none of the map's, by its `where`."""
        for index, rung in enumerate(self.rungs):
            if rung.is_one is None:
                continue
            below = self.rungs[: index + 1]
            ties = [each for r in below for each in r.conditions if each is not rung.is_one]
            left_out = SQL("EXISTS (SELECT 1 FROM {} WHERE {} AND NOT COALESCE({}, FALSE))").format(
                listed(SQL("{} AS {}").format(table(r.table), SQL(r.alias)) for r in below),
                all_of(ties),
                rung.is_one,
            )
            yield rung, left_out

    def conditions(self) -> Composable:
        """What ties the rungs of `sources` together, and to `c`."""
        return all_of([each for rung in self.rungs for each in rung.conditions])


def climb(
    datamap: DataMap,
    catalog: Catalog,
    child: Credential | Link,
    bottom: LiteralString = "c",
    *,
    by_keys: bool = False,
) -> Climb:
    """The way up from an entry's row, which is called `bottom`.

    Every table with a tenant column must say the same tenant as the next one that has one. Not so
    `by_keys`: where a key leads to one row alone, that is the parent, whatever the tenants say.
    """
    rungs: list[Ancestor] = []
    below: LiteralString = bottom
    key, parent_key, info = child.key, datamap.parent_key(child), catalog.table(child.table)
    told = (bottom, child.table, child.tenant) if child.tenant else None
    for index, (name, node) in enumerate(_nodes(datamap, child.of)):
        alias: LiteralString = f"above{index}"
        upper = catalog.table(node.table)
        conditions = key_equality((alias, upper, parent_key), (below, info, key))
        alone = by_keys and upper.proves_unique(parent_key)
        if told is not None and node.tenant is not None and not alone:
            conditions.append(same_tenant(catalog, (alias, node.table, node.tenant), told))
        is_one = belongs(upper, node.where, alias) if node.where else None
        rungs.append(
            Ancestor(
                name=name,
                alias=alias,
                table=node.table,
                id=node.id,
                tenant=node.tenant,
                conditions=(*conditions, *([is_one] if is_one else [])),
                is_one=is_one,
            )
        )
        told = (alias, node.table, node.tenant) if node.tenant else told
        below, key, parent_key, info = alias, node.key, node.parent_key, upper
    alone = by_keys and catalog.table(datamap.accounts.table).proves_unique(parent_key)
    lower = (below, info, key)
    account = _account(datamap, catalog, lower, parent_key, None if alone else told)
    return Climb(rungs=(*rungs, account))


Told = tuple[LiteralString, TableName, str]
"""An alias, its table and the column that says the tenant."""


def same_tenant(catalog: Catalog, upper: Told, lower: Told) -> Composable:
    """Two rows are of one tenant, whatever the types of their columns."""
    sides = [(catalog.table(name).column(tenant), alias) for alias, name, tenant in (upper, lower)]
    (mine, _), (theirs, _) = sides
    if (mine.type_schema, mine.type_name) == (theirs.type_schema, theirs.type_name):
        values = [column(alias, info.name) for info, alias in sides]
        return equality(values[0], values[1], mine.operators)
    texts = [SQL("{}::text").format(column(alias, info.name)) for info, alias in sides]
    return equality(texts[0], texts[1], BUILT_IN)


@dataclass(frozen=True, kw_only=True)
class _Node:
    table: TableName
    id: tuple[str, ...]
    key: tuple[str, ...]
    parent_key: tuple[str, ...]
    tenant: str | None
    where: Where | None


def _nodes(datamap: DataMap, of: str) -> Iterator[tuple[str, _Node]]:
    """Transactions and links between the row and the account, the nearest first."""
    for name in datamap.ancestors(of):
        found: Transactions | Link | None = datamap.links.get(name)
        if name == TRANSACTION:
            found = datamap.transactions
        assert found is not None
        own_key = found.account if isinstance(found, Transactions) else found.key
        parent = ACCOUNT if isinstance(found, Transactions) else found.of
        yield (
            name,
            _Node(
                table=found.table,
                id=found.id,
                key=own_key,
                parent_key=found.parent_key or datamap.parent_id(parent),
                tenant=found.tenant,
                where=found.where,
            ),
        )


def _account(
    datamap: DataMap,
    catalog: Catalog,
    lower: tuple[LiteralString, Table, Sequence[str]],
    parent_key: tuple[str, ...],
    told: Told | None,
) -> Ancestor:
    accounts = datamap.accounts
    upper = ("a", catalog.table(accounts.table), parent_key)
    conditions = key_equality(upper, lower)
    if told is not None and accounts.tenant is not None:
        conditions.append(same_tenant(catalog, ("a", accounts.table, accounts.tenant), told))
    return Ancestor(
        name=ACCOUNT,
        alias="a",
        table=accounts.table,
        id=accounts.id,
        tenant=accounts.tenant,
        conditions=tuple(conditions),
    )
