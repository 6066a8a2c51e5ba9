"""A data map compiled for one database: its statements, in the order in which they must run."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Composed

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.scope import Scope
from retention_worker.store import catalog as catalogs
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.accounts import AccountSql, account_sql, tops
from retention_worker.store.mapsql.entries import EntrySql, StepSql, step_sql
from retention_worker.store.mapsql.fragments import compared
from retention_worker.store.mapsql.holds import HoldSql, hold_sql
from retention_worker.store.mapsql.live import LiveSql, live_sql
from retention_worker.store.mapsql.order import children_first
from retention_worker.store.mapsql.paths import account_keys, key_parameters, top_path
from retention_worker.store.mapsql.remains import RemainsSql, remains_sql
from retention_worker.store.mapsql.transactions import TransactionSql, transaction_sql
from retention_worker.store.quoting import all_of, column, listed, table


@dataclass(frozen=True, kw_only=True)
class PartSql:
    """Walks the rows directly under one account, a stretch of keys at a time.

    `upto` gives the last key of the next `part_limit` rows after `part_after` (NULL: from the
    beginning), no row at the end.
    """

    name: str
    upto: Composed


@dataclass(frozen=True, kw_only=True)
class CompiledMap:
    """The statements of a data map; `steps`, and `entries`, have children before their parents."""

    datamap: DataMap
    catalog: Catalog
    schema_name: str
    accounts: AccountSql
    entries: tuple[EntrySql, ...]
    steps: tuple[StepSql, ...]
    parts: tuple[PartSql, ...]
    transactions: TransactionSql | None
    live: tuple[LiveSql, ...]
    remains: RemainsSql
    holds: HoldSql

    @property
    def id_width(self) -> int:
        """How many columns the id of an account has."""
        return len(self.accounts.id_columns)

    def of_scope(self, scope: Scope) -> tuple[EntrySql, ...]:
        """The entries that the scope erases, children first."""
        return tuple(each for each in self.entries if scope.covers(each.entry.class_))

    def steps_of(self, scope: Scope) -> tuple[StepSql, ...]:
        """The statements that erase the scope, children first; a step is of one class."""
        return tuple(each for each in self.steps if scope.covers(each.entries[0].entry.class_))

    def blanks_accounts(self, scope: Scope) -> bool:
        """Whether an erasure of the scope may write to the accounts table.

        An entry on it does; and a trigger that was accepted on any other table may.
        """
        target = self.datamap.accounts.table
        writes = any(each.entry.table == target for each in self.of_scope(scope))
        return writes or bool(self.datamap.accepted_triggers)


def compile_map(conn: psycopg.Connection, datamap: DataMap, schema_name: str) -> CompiledMap:
    """Compile the map against the catalog as it is now.

    Raises:
        DriftError: a table or column is missing, or a type does not fit.
    """
    catalog = catalogs.read(conn, catalogs.mapped_tables(datamap))
    return compile_on(catalog, datamap, schema_name)


def compile_on(catalog: Catalog, datamap: DataMap, schema_name: str) -> CompiledMap:
    """Compile the map against a catalog that was read.

    Raises:
        DriftError: as `compile_map`.
    """
    steps: list[StepSql] = []
    made: list[EntrySql] = []
    for step in children_first(datamap, catalog):
        steps.append(step_sql(datamap, catalog, step, schema_name, made))
        made += steps[-1].entries
    entries = tuple(made)
    holds = hold_sql(datamap, catalog, entries, schema_name)
    return CompiledMap(
        datamap=datamap,
        catalog=catalog,
        schema_name=schema_name,
        accounts=account_sql(datamap, catalog, entries, schema_name, holds.held),
        entries=entries,
        steps=tuple(steps),
        parts=tuple(_part(datamap, catalog, name) for name in tops(entries)),
        transactions=transaction_sql(datamap, catalog, entries, schema_name),
        live=live_sql(datamap, catalog),
        remains=remains_sql(datamap, catalog, entries),
        holds=holds,
    )


def _part(datamap: DataMap, catalog: Catalog, name: str) -> PartSql:
    """The last key of the next `part_limit` rows under the account: part_after, k0..., ids."""
    path = top_path(datamap, catalog, name)
    assert path.top is not None
    info = catalog.table(path.target)
    key = [column("c", each) for each in path.top.id]
    accounts = datamap.accounts
    keys = account_keys(catalog.table(accounts.table), accounts.id)
    schemas = [info.column(each).operators for each in path.top.id]
    after = SQL("(%(part_after)s::text[] IS NULL OR {})").format(
        compared(key, ">", key_parameters(info, path.top.id, "part_after"), schemas)
    )
    # Names of our own: an id column may be called anything, `key` too.
    aliases = [SQL(f"p{index}") for index in range(len(key))]
    upto = SQL(
        "SELECT texts AS key FROM (SELECT ARRAY[{texts}], {key} FROM {sources} WHERE {where} "
        "ORDER BY {key} LIMIT %(part_limit)s) AS part (texts, {aliases}) "
        "ORDER BY {latest} LIMIT 1"
    ).format(
        texts=listed([SQL("{}::text").format(each) for each in key]),
        key=listed(key),
        sources=listed([*path.others(), SQL("{} AS c").format(table(path.target)), keys]),
        where=all_of([*path.conditions, after]),
        aliases=listed(aliases),
        latest=listed([SQL("{} DESC").format(alias) for alias in aliases]),
    )
    return PartSql(name=name, upto=upto)
