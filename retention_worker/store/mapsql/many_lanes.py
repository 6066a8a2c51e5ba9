"""The statements that ask for many lanes at once, whatever the number of tenants.

Arrays give the lanes: tenants, cutoffs, and their watermarks as activities and after_ids (a JSON
array of the id columns' texts); a NULL activity starts from the beginning.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.store.catalog import BUILT_IN, Catalog
from retention_worker.store.mapsql.fragments import compared, equal, operator
from retention_worker.store.mapsql.tenants import value_of
from retention_worker.store.mapsql.timecolumn import TimeSql
from retention_worker.store.quoting import all_of, column, listed, table, type_of


def due(datamap: DataMap, catalog: Catalog, activity: TimeSql) -> Composed:
    """The positions (from 1) of the lanes that have a candidate up to their cutoffs."""
    mine = [
        *_of_tenant(datamap, catalog),
        SQL("{} <= {}").format(activity.expression("a"), activity.cast(SQL("l.cutoff"))),
    ]
    found = SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format
    return SQL(
        "SELECT l.position::int AS position FROM unnest(%(tenants)s::text[], %(cutoffs)s::text[], "
        "%(activities)s::text[], %(after_ids)s::jsonb[]) WITH ORDINALITY "
        "AS l (tenant, cutoff, activity, after_id, position) "
        "WHERE CASE WHEN l.activity IS NULL THEN {} ELSE {} END"
    ).format(
        found(_accounts(datamap), all_of([*mine, activity.finite("a")])),
        # After a watermark all is finite: saying so would have the index scan begin at the oldest.
        found(_accounts(datamap), all_of([*mine, _after(datamap, catalog, activity)])),
    )


def without_accounts(datamap: DataMap, catalog: Catalog) -> Composed:
    """The statement that finds which of `tenants` have no account at all."""
    return SQL(
        "SELECT l.tenant FROM unnest(%(tenants)s::text[]) AS l (tenant) "
        "WHERE NOT EXISTS (SELECT 1 FROM {} WHERE {})"
    ).format(_accounts(datamap), all_of(_of_tenant(datamap, catalog)))


def same_tenant(datamap: DataMap, catalog: Catalog) -> Composed | None:
    """Which of `tenants` is the same value of the column as `tenant`; else as the column has it."""
    accounts = datamap.accounts
    if accounts.tenant is None:
        return None
    info = catalog.table(accounts.table).column(accounts.tenant)
    given = value_of(info, SQL("%(tenant)s::text"))
    return SQL(
        "SELECT COALESCE((SELECT l.tenant FROM unnest(%(tenants)s::text[]) AS l (tenant) "
        "WHERE {} ORDER BY l.tenant = %(tenant)s DESC LIMIT 1), ({})::text, %(tenant)s::text) "
        "AS tenant"
    ).format(equal(value_of(info, SQL("l.tenant")), given, info.operators), given)


def refused(datamap: DataMap, catalog: Catalog) -> Composed | None:
    """Which of `tenants` can be no value of the column; it fails where a cast itself does."""
    accounts = datamap.accounts
    if accounts.tenant is None:
        return None
    info = catalog.table(accounts.table).column(accounts.tenant)
    return SQL(
        "SELECT l.tenant FROM unnest(%(tenants)s::text[]) AS l (tenant) WHERE ({}) IS NULL"
    ).format(value_of(info, SQL("l.tenant")))


def known(datamap: DataMap, catalog: Catalog) -> Composed | None:
    """The tenants that accounts have, as texts, `limit` of them: found by skipping in the index."""
    accounts = datamap.accounts
    if accounts.tenant is None:
        return None
    info = catalog.table(accounts.table).column(accounts.tenant)
    tenant = column("a", accounts.tenant)
    after = SQL("{} {} {}").format(tenant, operator(info.operators, ">"), column("t", "tenant"))
    first = SQL("{} IS NOT NULL").format(tenant)
    if has_text_tenants(datamap, catalog):
        # A condition that the index has, so that the scan begins there whatever the plan.
        first = SQL("{} {} {}").format(
            tenant, operator(info.operators, ">="), value_of(info, SQL("''::text"))
        )
    return SQL(
        "WITH RECURSIVE t (tenant, n) AS ("
        "(SELECT {tenant}, 1 FROM {accounts} WHERE {first} ORDER BY {tenant} LIMIT 1) "
        "UNION ALL "
        "SELECT (SELECT {tenant} FROM {accounts} WHERE {after} ORDER BY {tenant} LIMIT 1), t.n + 1 "
        "FROM t WHERE t.tenant IS NOT NULL AND t.n < %(limit)s) "
        "SELECT tenant::text AS tenant FROM t WHERE tenant IS NOT NULL"
    ).format(tenant=tenant, accounts=_accounts(datamap), after=after, first=first)


def without_tenant(datamap: DataMap, catalog: Catalog) -> Composed | None:
    """Whether an account has no tenant, or a blank one: a descent each."""
    accounts = datamap.accounts
    if accounts.tenant is None:
        return None
    info = catalog.table(accounts.table).column(accounts.tenant)
    tenant = column("a", accounts.tenant)
    blank = value_of(info, SQL("''::text"))
    wanted: list[Composable] = [SQL("{} IS NULL").format(tenant)]
    if has_text_tenants(datamap, catalog):  # no other type has a blank value
        wanted.append(equal(tenant, blank, info.operators))
    return SQL("SELECT {} AS found").format(
        listed(
            [
                SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(_accounts(datamap), each)
                for each in wanted
            ],
            " OR ",
        )
    )


def has_text_tenants(datamap: DataMap, catalog: Catalog) -> bool:
    """Whether tenants are texts, which may be blank, or differ by a blank or a capital."""
    accounts = datamap.accounts
    if accounts.tenant is None:
        return False
    return catalog.table(accounts.table).column(accounts.tenant).type_name in _TEXTS


_TEXTS = {"text", "varchar", "bpchar", "citext"}


def ahead(datamap: DataMap, catalog: Catalog, activity: TimeSql) -> Composed:
    """Which of `tenants` have an account whose activity is after `bound`: a descent each."""
    later = SQL("{} > {}").format(activity.expression("a"), activity.cast(SQL("%(bound)s")))
    return SQL(
        "SELECT l.tenant FROM unnest(%(tenants)s::text[]) AS l (tenant) "
        "WHERE EXISTS (SELECT 1 FROM {} WHERE {})"
    ).format(_accounts(datamap), all_of([*_of_tenant(datamap, catalog), later]))


def one_tenant(datamap: DataMap, catalog: Catalog) -> Composed | None:
    """Groups of `tenants` (text arrays) that are one value of the column, however they are written.

    A text that can be no value of the column's type is in no group.
    """
    accounts = datamap.accounts
    if accounts.tenant is None:
        return None
    info = catalog.table(accounts.table).column(accounts.tenant)
    return SQL(
        "SELECT array_agg(l.tenant ORDER BY l.tenant) AS tenants "
        "FROM unnest(%(tenants)s::text[]) AS l (tenant) WHERE ({value}) IS NOT NULL "
        "GROUP BY {value} HAVING count(*) > 1"
    ).format(value=value_of(info, SQL("l.tenant")))


def live(datamap: DataMap, catalog: Catalog, activity: TimeSql) -> Composed:
    """For each lane, in order, its accounts after the watermark, no further than `limit`."""
    mine = _of_tenant(datamap, catalog)
    counted = SQL("(SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT %(limit)s) AS n)").format
    return SQL(
        "SELECT CASE WHEN l.activity IS NULL THEN {} ELSE {} END AS live "
        "FROM unnest(%(tenants)s::text[], %(activities)s::text[], %(after_ids)s::jsonb[]) "
        "WITH ORDINALITY AS l (tenant, activity, after_id, position) ORDER BY l.position"
    ).format(
        counted(_accounts(datamap), all_of(mine)),
        counted(_accounts(datamap), all_of([*mine, _after(datamap, catalog, activity)])),
    )


def _accounts(datamap: DataMap) -> Composable:
    return SQL("{} AS a").format(table(datamap.accounts.table))


def _of_tenant(datamap: DataMap, catalog: Catalog) -> list[Composable]:
    accounts = datamap.accounts
    if accounts.tenant is None:
        return []
    info = catalog.table(accounts.table).column(accounts.tenant)
    value = value_of(info, SQL("l.tenant"))
    return [equal(column("a", accounts.tenant), value, info.operators)]


def _after(datamap: DataMap, catalog: Catalog, activity: TimeSql) -> Composable:
    accounts = datamap.accounts
    info = catalog.table(accounts.table)
    row = [activity.expression("a"), *(column("a", name) for name in accounts.id)]
    bounds: list[Composable] = [activity.cast(SQL("l.activity"))]
    bounds += [
        SQL("(l.after_id ->> {})::{}").format(SQL(str(index)), type_of(info.column(name)))
        for index, name in enumerate(accounts.id)
    ]
    schemas = [BUILT_IN, *(info.column(name).operators for name in accounts.id)]
    return compared(row, ">", bounds, schemas)
