"""The statements on one transaction: whose it is, and what of it is still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.datamap import TRANSACTION, DataMap, Transactions
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.entries import EntrySql, of_this_part
from retention_worker.store.mapsql.fragments import equal, has_values, id_text, key_of, same_key
from retention_worker.store.mapsql.paths import (
    account_keys,
    are_ones_of,
    hop_path,
    is_one_of,
    key_parameters,
    tenant_condition,
    top_path,
)
from retention_worker.store.mapsql.timecolumn import time_sql
from retention_worker.store.quoting import (
    all_of,
    column,
    identifier,
    listed,
    literal,
    table,
    type_of,
)


@dataclass(frozen=True, kw_only=True)
class TransactionSql:
    """Compiled statements; `transaction` is the key as a text array.

    `find` gives the account's and the transaction's key as text arrays, and whether it is still in
    progress; `account` (a text array, or NULL) is the account that it must be of. `show` takes the
    same and gives what may be shown of it: `metadata` and `decision` as objects, `state` as text
    and `created_at` as the text of an instant (both NULL where the map names none). `belongs`
    counts the transaction where it is of the account of `k`. `in_progress` gives the keys
    of an account's transactions that have not ended, `limit` of them. `counts` gives `name`,
    `erased` (rows that are there) and `queued` (objects that they name) of each entry; None where
    no entry is of a transaction. `newest` gives, for each `id` of `k`, when the newest transaction
    began (`at`); None where the map does not say when they begin. `erased` notes the transactions
    of the accounts of `k` as erased by `batch`, `erased_part` those of a stretch (part_after,
    part_upto); None where an id is not a transaction's alone. `owners` gives, for transactions of
    these `ids` whoever's they are, `id`, `key`, `account_key`, and `tenant` as text (NULL: none).
    `loose` counts the transaction where it has no account at all.
    """

    id_columns: tuple[str, ...]
    find: Composed
    show: Composed
    in_progress: Composed
    belongs: Composed
    counts: Composed | None
    newest: Composed | None
    erased: Composed | None
    erased_part: Composed | None
    owners: Composed
    loose: Composed


def transaction_sql(
    datamap: DataMap, catalog: Catalog, entries: tuple[EntrySql, ...], schema_name: str
) -> TransactionSql | None:
    """Compile the statements; None where the map has no transactions."""
    if datamap.transactions is None:
        return None
    return TransactionSql(
        id_columns=datamap.transactions.id,
        find=_found(datamap, catalog, []),
        show=_found(datamap, catalog, _shown(datamap, catalog)),
        in_progress=_unended(datamap, catalog),
        belongs=_belongs(datamap, catalog),
        counts=_counts(entries),
        newest=_newest(datamap, catalog),
        erased=_erased(datamap, catalog, schema_name, part=False),
        erased_part=_erased(datamap, catalog, schema_name, part=True),
        owners=_owners(datamap, catalog),
        loose=_loose(datamap, catalog),
    )


def _counts(entries: Sequence[EntrySql]) -> Composed | None:
    """All entries in one statement: a read is answered in as few round trips as can be."""
    found = [
        SQL("SELECT {} AS name, n.erased, n.queued FROM ({}) AS n").format(
            literal(each.entry.name), each.of_transaction
        )
        for each in entries
        if each.of_transaction is not None
    ]
    return listed(found, " UNION ALL ") if found else None


def _found(datamap: DataMap, catalog: Catalog, shown: Sequence[Composable]) -> Composed:
    accounts, transactions = datamap.accounts, datamap.transactions
    assert transactions is not None
    parent = transactions.parent_key or accounts.id
    above, below = catalog.table(accounts.table), catalog.table(transactions.table)
    conditions: list[Composable] = same_key(
        key_of("t", below, transactions.account), key_of("a", above, parent)
    )
    conditions.append(_is_wanted(catalog, datamap, "t"))
    conditions += are_ones_of(below, "t", transactions.where)
    wanted = has_values(
        key_of("a", above, accounts.id), key_parameters(above, accounts.id, "account")
    )
    conditions.append(SQL("(%(account)s::text[] IS NULL OR ({}))").format(all_of(wanted)))
    for alias, found in (("a", accounts), ("t", transactions)):
        if found.tenant is not None:
            conditions.append(tenant_condition(catalog, found.table, alias, found.tenant))
    return SQL("SELECT {} FROM {} AS t, {} AS a WHERE {}").format(
        listed(
            [
                SQL("{} AS account_key").format(_texts("a", accounts.id)),
                SQL("{} AS key").format(_texts("t", transactions.id)),
                SQL("{} AS in_progress").format(_in_progress(catalog, transactions)),
                *shown,
            ]
        ),
        table(transactions.table),
        table(accounts.table),
        all_of(conditions),
    )


def _unended(datamap: DataMap, catalog: Catalog) -> Composed:
    assert datamap.transactions is not None
    path = hop_path(datamap, catalog, TRANSACTION, by_keys=True)
    keys = account_keys(catalog.table(datamap.accounts.table), datamap.accounts.id)
    sources = [*path.others(), SQL("{} AS c").format(table(path.target)), keys]
    state = _in_progress(catalog, datamap.transactions, "c")
    return SQL("SELECT {} AS key FROM {} WHERE {} ORDER BY 1 LIMIT %(limit)s").format(
        _texts("c", datamap.transactions.id), listed(sources), all_of([*path.conditions, state])
    )


def _newest(datamap: DataMap, catalog: Catalog) -> Composed | None:
    assert datamap.transactions is not None
    if datamap.transactions.created_at is None:
        return None
    path = hop_path(datamap, catalog, TRANSACTION, by_keys=True)
    info, name = catalog.table(path.target), datamap.transactions.created_at
    began = time_sql(info, (name,), "transactions.created_at").instant("c")
    # One that does not say when it began may be the newest; and so may one that `where` leaves out.
    left_out = len(are_ones_of(info, "c", datamap.transactions.where))
    ties = path.conditions[: len(path.conditions) - left_out]
    return SQL(
        "SELECT k.id, max(COALESCE({}, 'infinity'))::text AS at FROM {} WHERE {} GROUP BY k.id"
    ).format(
        began,
        listed(
            [
                *path.others(),
                SQL("{} AS c").format(table(path.target)),
                account_keys(catalog.table(datamap.accounts.table), datamap.accounts.id),
            ]
        ),
        all_of(ties),
    )


def _erased(datamap: DataMap, catalog: Catalog, schema_name: str, *, part: bool) -> Composed | None:
    transactions = datamap.transactions
    assert transactions is not None
    if not catalog.table(transactions.table).proves_unique(transactions.id):
        return None
    path = top_path(datamap, catalog, TRANSACTION)
    name = id_text("c", transactions.id)
    conditions = [*path.conditions, *([of_this_part(catalog, path)] if part else [])]
    return SQL(
        "INSERT INTO {schema}.erased_transaction (transaction_id, batch_id) "
        "SELECT {name}, %(batch)s FROM {sources} WHERE {conditions}"
    ).format(
        schema=identifier(schema_name),
        name=name,
        sources=listed(
            [
                *path.others(),
                SQL("{} AS c").format(table(path.target)),
                account_keys(catalog.table(datamap.accounts.table), datamap.accounts.id),
            ]
        ),
        conditions=all_of(conditions),
    )


def _owners(datamap: DataMap, catalog: Catalog) -> Composed:
    accounts, transactions = datamap.accounts, datamap.transactions
    assert transactions is not None
    above, below = catalog.table(accounts.table), catalog.table(transactions.table)
    tied = same_key(
        key_of("t", below, transactions.account),
        key_of("a", above, transactions.parent_key or accounts.id),
    )
    tenant = SQL("NULL") if accounts.tenant is None else column("a", accounts.tenant)
    wanted: Composable = SQL("{} = ANY (%(ids)s::text[])").format(id_text("t", transactions.id))
    if len(transactions.id) == 1:  # by the id's own index
        info = below.column(transactions.id[0])
        ids = SQL("ANY (%(ids)s::text[]::{})").format(type_of(info, array=True))
        wanted = equal(column("t", info.name), ids, info.operators)
    return SQL(
        "SELECT {id} AS id, {key} AS key, {account} AS account_key, {tenant}::text AS tenant "
        "FROM {transactions} AS t, {accounts} AS a WHERE {tied} AND {wanted}"
    ).format(
        id=id_text("t", transactions.id),
        key=_texts("t", transactions.id),
        account=_texts("a", accounts.id),
        tenant=tenant,
        transactions=table(transactions.table),
        accounts=table(accounts.table),
        tied=all_of(tied),
        wanted=wanted,
    )


def _loose(datamap: DataMap, catalog: Catalog) -> Composed:
    accounts, transactions = datamap.accounts, datamap.transactions
    assert transactions is not None
    tied = same_key(
        key_of("t", catalog.table(transactions.table), transactions.account),
        key_of("a", catalog.table(accounts.table), transactions.parent_key or accounts.id),
    )
    return SQL(
        "SELECT count(*) AS found FROM {} AS t WHERE {} AND NOT EXISTS "
        "(SELECT 1 FROM {} AS a WHERE {})"
    ).format(
        table(transactions.table),
        all_of(
            [
                _is_wanted(catalog, datamap, "t"),
                *are_ones_of(catalog.table(transactions.table), "t", transactions.where),
            ]
        ),
        table(accounts.table),
        all_of(tied),
    )


def _in_progress(catalog: Catalog, transactions: Transactions, alias: str = "t") -> Composable:
    state = transactions.state
    if state is None:
        return SQL("FALSE")
    info = catalog.table(transactions.table)
    return SQL("COALESCE({}, FALSE)").format(
        is_one_of(info, alias, state.column, state.in_progress)
    )


def _shown(datamap: DataMap, catalog: Catalog) -> list[Composable]:
    transactions = datamap.transactions
    assert transactions is not None
    at, state = transactions.created_at, transactions.state
    created: Composable = SQL("NULL")
    if at is not None:
        info = catalog.table(transactions.table)
        created = time_sql(info, (at,), "transactions.created_at").instant("t")
    return [
        SQL("{} AS metadata").format(_object(transactions.metadata)),
        SQL("{} AS decision").format(_object(transactions.decision)),
        SQL("({})::text AS state").format(column("t", state.column) if state else SQL("NULL")),
        SQL("({})::text AS created_at").format(created),
    ]


def _object(names: Sequence[str]) -> Composable:
    """Columns as one JSON object, in the map's order; a function's arguments would be too many."""
    if not names:
        return SQL("'{}'::json")
    return SQL("(SELECT row_to_json(s) FROM (SELECT {}) AS s)").format(
        listed([column("t", name) for name in names])
    )


def _is_wanted(catalog: Catalog, datamap: DataMap, alias: str) -> Composable:
    assert datamap.transactions is not None
    info, key = catalog.table(datamap.transactions.table), datamap.transactions.id
    return all_of(has_values(key_of(alias, info, key), key_parameters(info, key, "transaction")))


def _belongs(datamap: DataMap, catalog: Catalog) -> Composed:
    path = top_path(datamap, catalog, TRANSACTION)
    return SQL("SELECT count(*) AS found FROM {}, {} WHERE {}").format(
        listed([*path.others(), SQL("{} AS c").format(table(path.target))]),
        account_keys(catalog.table(datamap.accounts.table), datamap.accounts.id),
        all_of([*path.conditions, _is_wanted(catalog, datamap, "c")]),
    )


def _texts(alias: str, names: Sequence[str]) -> Composable:
    return SQL("ARRAY[{}]").format(
        listed([SQL("{}::text").format(column(alias, name)) for name in names])
    )
