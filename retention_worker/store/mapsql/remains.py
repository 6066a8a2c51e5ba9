"""What is left under accounts, by keys alone: the look that an erasure is complete by.

A statement that erases has the tenant in every condition. What it finds nothing of may still be
there: rows that hang on the account by their key and say another tenant, or none. Here no tenant
is asked, so that nothing found means nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.scope import Scope
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.entries import EntrySql, of_this_transaction
from retention_worker.store.mapsql.paths import Path, account_keys, hop_path, path_to
from retention_worker.store.quoting import all_of, listed, literal, table


@dataclass(frozen=True, kw_only=True)
class RemainsSql:
    """Statements over `k`, by scope; parameters: tenant, ids, k0, k1, ...

    Each returns `id`, `entry` (its name), `rows` and `unreachable`: how many of them no erasing
    statement reaches, because a table on the way says another tenant than the account's, or, those
    are `shared`, because they are another account's, too. No row where nothing is
    left. `of_transaction` takes `transaction` too, a text array.
    """

    of_account: dict[Scope, Composed]
    of_transaction: dict[Scope, Composed]


def remains_sql(datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql]) -> RemainsSql:
    """Compile the look for a map on a catalog."""
    return RemainsSql(
        of_account={
            scope: _statement(datamap, catalog, _covered(entries, scope), one=False)
            for scope in Scope
        },
        of_transaction={
            scope: _statement(
                datamap,
                catalog,
                [each for each in _covered(entries, scope) if each.of_transaction is not None],
                one=True,
            )
            for scope in Scope
        },
    )


def astray(datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql]) -> Composable:
    """Whether something under the account of `k` may be out of reach: an expression.

    A table says another tenant, or none, or a row is another account's, too. It asks less than the
    look: a row astray may hold no credential. FALSE for a map in which neither can be.
    """
    found = [
        path.exists(path.astray[-1]) for path in _paths(datamap, catalog, entries) if path.astray
    ]
    for each in entries:
        path = path_to(datamap, catalog, each.entry, by_keys=True)
        if path.shared is not None:
            found.append(path.exists(*each.changed, path.shared))
    return SQL("({})").format(listed(found, " OR ")) if found else SQL("FALSE")


def _paths(datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql]) -> Iterator[Path]:
    """To every table below the accounts that says a tenant, once."""
    names = [name for each in entries for name in datamap.ancestors(each.entry.of)]
    for name in dict.fromkeys(names):
        path = hop_path(datamap, catalog, name, by_keys=True)
        if path.hops[-1].tenant is not None:
            yield path
    for each in entries:
        if each.entry.tenant is not None:
            yield path_to(datamap, catalog, each.entry, by_keys=True)


def _covered(entries: Sequence[EntrySql], scope: Scope) -> list[EntrySql]:
    return [each for each in entries if scope.covers(each.entry.class_)]


def _statement(
    datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql], *, one: bool
) -> Composed:
    accounts = datamap.accounts
    keys = account_keys(catalog.table(accounts.table), accounts.id)
    parts = [_left_of(datamap, catalog, each, keys, one=one) for each in entries]
    if not parts:
        return SQL(
            "SELECT NULL::text AS id, NULL::text AS entry, 0 AS rows, 0 AS unreachable, "
            "0 AS shared WHERE FALSE"
        ).format()
    return listed(parts, " UNION ALL ")


def _left_of(
    datamap: DataMap, catalog: Catalog, each: EntrySql, keys: Composable, *, one: bool
) -> Composable:
    path = path_to(datamap, catalog, each.entry, by_keys=True)
    conditions = [*path.conditions, *each.changed]
    if one:
        conditions.append(of_this_transaction(catalog, path))
    lost = SQL("({})").format(listed(path.astray, " OR ")) if path.astray else SQL("FALSE")
    return SQL(
        "SELECT k.id, {name} AS entry, {counted} AS rows, "
        "{counted} FILTER (WHERE {lost} OR {shared}) AS unreachable, "
        "{counted} FILTER (WHERE {shared}) AS shared FROM {sources} WHERE {where} GROUP BY k.id"
    ).format(
        name=literal(each.entry.name),
        counted=path.counted(),
        lost=lost,
        shared=path.shared or SQL("FALSE"),
        sources=listed([*path.others(), SQL("{} AS c").format(table(path.target)), keys]),
        where=all_of(conditions),
    )
