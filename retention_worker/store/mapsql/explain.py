"""The statements that explain one account: its activity by source, its place, its transactions."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.datamap import TRANSACTION, ActivitySource
from retention_worker.store.catalog import BUILT_IN
from retention_worker.store.mapsql.compiled import CompiledMap
from retention_worker.store.mapsql.entries import EntrySql
from retention_worker.store.mapsql.fragments import compared, key_of, same_key
from retention_worker.store.mapsql.paths import (
    account_keys,
    given_key,
    key_parameters,
    tenant_condition,
    top_path,
)
from retention_worker.store.mapsql.timecolumn import TimeSql, time_sql
from retention_worker.store.quoting import all_of, column, listed, table


@dataclass(frozen=True, kw_only=True)
class ExplainSql:
    """Compiled statements for one account; all take `tenant`, `ids`, `k0`, `k1`, ...

    `account` returns its key as the database writes it, whether a period can be counted from its
    own activity (`counts`), and three text arrays: `own` (the values of
    the activity columns), `elsewhere` (the latest of each activity table, in the map's order) and
    `credentials` (the newest of each entry in `dated`, as an instant). `passed` says whether it
    lies at or behind a watermark (`after_activity`, `after_id`). `transactions` returns `key`
    arrays, `limit` of them.
    """

    account: Composed
    passed: Composed
    transactions: Composed | None
    dated: tuple[str, ...]


def explain_sql(compiled: CompiledMap) -> ExplainSql:
    """Compile them for a map that was compiled already."""
    builder = _ExplainBuilder(compiled)
    dated = [each for each in compiled.entries if each.entry.created_at is not None]
    return ExplainSql(
        account=builder.account(dated),
        passed=builder.passed(),
        transactions=builder.transactions() if compiled.datamap.transactions else None,
        dated=tuple(each.entry.name for each in dated),
    )


class _ExplainBuilder:
    def __init__(self, compiled: CompiledMap) -> None:
        self.datamap = compiled.datamap
        self.catalog = compiled.catalog
        self.activity = compiled.accounts.activity
        self.newer = compiled.accounts.newer
        self.accounts = compiled.datamap.accounts
        self.info = self.catalog.table(self.accounts.table)
        self.ids = [column("a", name) for name in self.accounts.id]
        self.keys = account_keys(self.info, self.accounts.id)
        self.given = given_key(self.info, self.accounts.id)

    def account(self, dated: list[EntrySql]) -> Composed:
        """The account's row; none where the tenant has no such account."""
        elsewhere = [
            self._latest(source, self.newer[f"activity{index}"])
            for index, source in enumerate(self.accounts.activity)
        ]
        return SQL(
            "SELECT {key} AS key, COALESCE({finite}, FALSE) AS counts, {own} AS own, "
            "{elsewhere} AS elsewhere, {credentials} AS credentials FROM {keys}, {source} "
            "WHERE {where}"
        ).format(
            key=_texts(self.ids),
            finite=self.activity.finite("a"),
            own=_texts([column("a", each.column) for each in self.accounts.last_activity]),
            elsewhere=_texts(elsewhere),
            credentials=_texts([self._newest(each) for each in dated]),
            keys=self.keys,
            source=SQL("{} AS a").format(table(self.accounts.table)),
            where=self._this(),
        )

    def passed(self) -> Composed:
        """Whether pages after the watermark will not reach the account any more."""
        bounds = [
            self.activity.parameter("after_activity"),
            *key_parameters(self.info, self.accounts.id, "after_id"),
        ]
        schemas = [BUILT_IN, *(self.info.column(name).operators for name in self.accounts.id)]
        return SQL("SELECT {passed} AS passed FROM {keys}, {source} WHERE {w}").format(
            passed=compared([self.activity.expression("a"), *self.ids], "<=", bounds, schemas),
            keys=self.keys,
            source=SQL("{} AS a").format(table(self.accounts.table)),
            w=self._this(),
        )

    def transactions(self) -> Composed:
        """The ids of the account's transactions."""
        path = top_path(self.datamap, self.catalog, TRANSACTION)
        assert path.top is not None
        return SQL("SELECT {key} AS key FROM {sources} WHERE {where} LIMIT %(limit)s").format(
            key=_texts([column("c", name) for name in path.top.id]),
            sources=listed([*path.others(), SQL("{} AS c").format(table(path.target)), self.keys]),
            where=all_of(path.conditions),
        )

    def _this(self) -> Composable:
        conditions = same_key(key_of("a", self.info, self.accounts.id), self.given)
        if self.accounts.tenant is not None:
            conditions.append(
                tenant_condition(self.catalog, self.accounts.table, "a", self.accounts.tenant)
            )
        return all_of(conditions)

    def _latest(self, source: ActivitySource, at: TimeSql) -> Composable:
        conditions = same_key(key_of("s", self.catalog.table(source.table), source.key), self.given)
        if source.tenant is not None:
            conditions.append(tenant_condition(self.catalog, source.table, "s", source.tenant))
        return SQL("(SELECT max({}) FROM {} AS s WHERE {})").format(
            at.expression("s"), table(source.table), all_of(conditions)
        )

    def _newest(self, each: EntrySql) -> Composable:
        entry, path = each.entry, each.path
        assert entry.created_at is not None
        at = time_sql(
            self.catalog.table(entry.table),
            (entry.created_at,),
            f"credentials[{entry.name}].created_at",
        )
        sources = [*path.others(), SQL("{} AS c").format(table(path.target))]
        return SQL("(SELECT max({}) FROM {} WHERE {})").format(
            at.instant("c"), listed(sources), all_of(path.conditions)
        )


def _texts(values: list[Composable]) -> Composable:
    return SQL("ARRAY[{}]::text[]").format(
        listed([SQL("({})::text").format(value) for value in values])
    )
