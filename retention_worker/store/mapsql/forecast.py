"""The statement that counts a lane's accounts by the stretch of activity that they lie in."""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Composed

from retention_worker.store.mapsql.compiled import CompiledMap
from retention_worker.store.mapsql.fragments import compared
from retention_worker.store.mapsql.paths import key_parameters, tenant_condition
from retention_worker.store.quoting import all_of, column, table


def count_by_stretch(compiled: CompiledMap) -> Composed:
    """Accounts after `lows[i]` and not after `highs[i]` that the watermark has not passed.

    Each stretch is one range of the index on (tenant, activity, id), so that the statement reads
    an index entry for each account that it counts and nothing else. Parameters: tenant; `lows` and
    `highs`, text arrays of the activity column's own values; `after_activity` and `after_id`, the
    watermark or NULL. Returns `position` (from 0) and `accounts`, without stretches of none.
    """
    accounts, activity = compiled.datamap.accounts, compiled.accounts.activity
    info = compiled.catalog.table(accounts.table)
    value = activity.expression("a")
    source = SQL("{} AS a").format(table(accounts.table))
    passed = activity.parameter("after_activity")
    tenant: list[Composable] = []
    if accounts.tenant is not None:
        tenant = [tenant_condition(compiled.catalog, accounts.table, "a", accounts.tenant)]
    low, high = activity.cast(SQL("b.low")), activity.cast(SQL("b.high"))
    # The later of the two bounds as one value: as two conditions, the index would be entered at
    # the watermark for every stretch.
    ahead = [
        *tenant,
        SQL("{} > GREATEST({}, {})").format(value, low, passed),
        SQL("{} <= {}").format(value, high),
    ]
    ids = [column("a", name) for name in accounts.id]
    schemas = [info.column(name).operators for name in accounts.id]
    tied = [
        *tenant,
        SQL("{} = {}").format(value, passed),
        compared(ids, ">", key_parameters(info, accounts.id, "after_id"), schemas),
    ]
    count = SQL("(SELECT count(*) FROM {} WHERE {})").format
    return SQL(
        # Materialized, or each stretch would be counted once to be compared and once to be shown.
        "WITH counted AS MATERIALIZED (SELECT (b.position - 1)::int AS position, "
        "{ahead} + CASE WHEN {passed} > {low} AND {passed} <= {high} THEN {tied} ELSE 0 END "
        "AS accounts FROM unnest(%(lows)s::text[], %(highs)s::text[]) "
        "WITH ORDINALITY AS b (low, high, position)) "
        "SELECT position, accounts FROM counted WHERE accounts > 0"
    ).format(
        ahead=count(source, all_of(ahead)),
        tied=count(source, all_of(tied)),
        passed=passed,
        low=low,
        high=high,
    )
