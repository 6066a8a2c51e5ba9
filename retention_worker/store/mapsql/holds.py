"""Which holds count for an account: by its id, and by what they have seen of it before.

A hold is a person's. Where an id tells its row from all others by itself, the hold counts under any
tenant; and rows that hung on the account while it was in place keep whatever they hang on now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed, Identifier

from retention_worker.domain.datamap import ACCOUNT, DataMap
from retention_worker.store.catalog import Catalog, Table
from retention_worker.store.mapsql.entries import EntrySql
from retention_worker.store.mapsql.fragments import (
    all_of,
    column,
    constant,
    equal,
    id_text,
    key_of,
    listed,
    same_key,
    table,
    type_of,
)
from retention_worker.store.mapsql.paths import (
    account_keys,
    given_key,
    hop_path,
    path_to,
    tenant_condition,
)
from retention_worker.store.mapsql.tenants import value_of

__all__ = ["HoldSql", "hold_sql"]

_ACTIVE = SQL("h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s)")


@dataclass(frozen=True, kw_only=True)
class HoldSql:
    """Compiled pieces and statements; parameters: tenant, ids, k0, k1, ..., now.

    `held` is an expression over `k`: the end of the longest active hold as text, 'infinity' without
    one, NULL where none counts. `active` returns the rows of those holds. `see` notes what hangs on
    accounts that are where their active holds were placed; parameter `hold` (NULL: every hold).
    `in_place` returns the ids (`id`) of those accounts that are there. `whereabouts` returns, for
    the holds of `holds`, the accounts beside the hold's own that have rows that a hold has seen:
    `hold_id`, `kind`, `tenant`, `account`.
    """

    held: Composable
    active: Composed
    see: Composed
    in_place: Composed
    whereabouts: Composed


def hold_sql(
    datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql], schema_name: str
) -> HoldSql:
    """Compile them for a map on a catalog."""
    return _Builder(datamap, catalog, entries, schema_name).build()


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Rows under the account of `k` that are told by an id alone.

    `is_subject`: whether the id is that of a `hold_subject` s, by the id's own index where it can.
    """

    kind: str
    subject: Composable
    is_subject: Composable
    sources: Composable
    conditions: Composable


class _Builder:
    def __init__(
        self, datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql], schema_name: str
    ) -> None:
        self._datamap = datamap
        self._catalog = catalog
        self._schema = Identifier(schema_name)
        self._accounts = datamap.accounts
        self._info = catalog.table(datamap.accounts.table)
        self._keys = account_keys(self._info, datamap.accounts.id)
        self._alone = self._info.stands_alone(datamap.accounts.id, datamap.accounts.tenant)
        self._seen = tuple(self._rows_seen(entries))

    def build(self) -> HoldSql:
        return HoldSql(
            held=self._held(),
            active=self._active(),
            see=self._see(),
            in_place=self._in_place(),
            whereabouts=self._whereabouts(),
        )

    def _rows_seen(self, entries: Sequence[EntrySql]) -> Iterator[_Seen]:
        """What hangs directly on the account, of each kind whose id is unique by itself."""
        tops = dict.fromkeys(each.top_name for each in entries if each.top_name is not None)
        if self._datamap.transactions is not None:
            tops["transaction"] = None
        for name in tops:
            path = hop_path(self._datamap, self._catalog, name, by_keys=True)
            hop = path.hops[-1]
            if self._catalog.table(hop.name).proves_unique(hop.id):
                yield _Seen(
                    kind=name,
                    subject=id_text("c", hop.id),
                    is_subject=self._is_subject(self._catalog.table(hop.name), "c", hop.id),
                    sources=listed([*path.others(), SQL("{} AS c").format(table(path.target))]),
                    conditions=all_of(path.conditions),
                )
        for each in entries:
            key = self._catalog.table(each.entry.table).primary_key
            if each.entry.of == ACCOUNT and key is not None:
                path = path_to(self._datamap, self._catalog, each.entry, by_keys=True)
                yield _Seen(
                    kind=str(each.entry.table),
                    subject=id_text("c", key),
                    is_subject=self._is_subject(self._catalog.table(each.entry.table), "c", key),
                    sources=listed([*path.others(), SQL("{} AS c").format(table(path.target))]),
                    conditions=all_of(path.conditions),
                )

    @staticmethod
    def _is_subject(info: Table, alias: str, key: Sequence[str]) -> Composable:
        if len(key) > 1:
            return SQL("{} = s.subject_id").format(id_text(alias, key))
        found = info.column(key[0])
        value = SQL("s.subject_id::{}").format(type_of(found))
        return equal(column(alias, found.name), value, found.operators)

    def _ids(self) -> Composable:
        """The holds that speak of the account of `k`, active or not."""
        tenant = SQL("TRUE") if self._alone else SQL("h.tenant_id = %(tenant)s")
        parts: list[Composable] = [
            SQL(
                "SELECT h.id FROM {}.hold h WHERE h.account_id = k.id AND {} "
                "AND h.released_at IS NULL"
            ).format(self._schema, tenant)
        ]
        if self._alone:
            parts.append(
                SQL(
                    "SELECT s.hold_id FROM {}.hold_subject s "
                    "WHERE s.subject_id = k.id AND s.kind = 'account'"
                ).format(self._schema)
            )
        parts += [
            SQL(
                "SELECT s.hold_id FROM {rows}, {schema}.hold_subject s WHERE {conditions} "
                "AND s.subject_id = {subject} AND s.kind = {kind}"
            ).format(
                rows=each.sources,
                schema=self._schema,
                conditions=each.conditions,
                subject=each.subject,
                kind=constant(each.kind),
            )
            for each in self._seen
        ]
        return listed(parts, " UNION ALL ")

    def _held(self) -> Composable:
        return SQL(
            "(CASE WHEN EXISTS (SELECT 1 FROM {schema}.hold h WHERE h.released_at IS NULL) THEN "
            "(SELECT max(COALESCE(h.until, 'infinity'))::text FROM ({ids}) AS f (id) "
            "JOIN {schema}.hold h ON h.id = f.id WHERE {active}) END)"
        ).format(active=_ACTIVE, schema=self._schema, ids=self._ids())

    def _active(self) -> Composed:
        return SQL(
            "SELECT DISTINCT h.id, h.tenant_id, h.account_id, h.reason, h.placed_by, h.placed_at, "
            "h.until FROM {keys} CROSS JOIN LATERAL ({ids}) AS f (id) "
            "JOIN {schema}.hold h ON h.id = f.id WHERE {active} ORDER BY h.id"
        ).format(active=_ACTIVE, schema=self._schema, keys=self._keys, ids=self._ids())

    def _account(self) -> Composable:
        conditions = same_key(
            key_of("a", self._info, self._accounts.id), given_key(self._info, self._accounts.id)
        )
        if self._accounts.tenant is not None:
            conditions.append(
                tenant_condition(self._catalog, self._accounts.table, "a", self._accounts.tenant)
            )
        return all_of(conditions)

    def _see(self) -> Composed:
        # An id that other tenants may have, too, is no mark of the person.
        parts: list[Composable] = [
            SQL("SELECT 'account', k.id WHERE {}").format(constant(self._alone))
        ]
        parts += [
            SQL("SELECT {}, {} FROM {} WHERE {}").format(
                constant(each.kind), each.subject, each.sources, each.conditions
            )
            for each in self._seen
        ]
        return SQL(
            "INSERT INTO {schema}.hold_subject (hold_id, kind, subject_id) "
            "SELECT h.id, s.kind, s.subject FROM {keys} JOIN {schema}.hold h "
            "ON h.account_id = k.id AND h.tenant_id = %(tenant)s AND {active} "
            "AND (%(hold)s::bigint IS NULL OR h.id = %(hold)s::bigint) "
            "CROSS JOIN LATERAL ({seen}) AS s (kind, subject) "
            "WHERE EXISTS (SELECT 1 FROM {accounts} AS a WHERE {account}) ON CONFLICT DO NOTHING"
        ).format(
            active=_ACTIVE,
            schema=self._schema,
            keys=self._keys,
            seen=listed(parts, " UNION ALL "),
            accounts=table(self._accounts.table),
            account=self._account(),
        )

    def _in_place(self) -> Composed:
        return SQL("SELECT k.id FROM {}, {} AS a WHERE {}").format(
            self._keys, table(self._accounts.table), self._account()
        )

    def _whereabouts(self) -> Composed:
        """From what holds have seen up to the accounts that have it now."""
        accounts = self._accounts
        tenant: Composable = SQL("NULL")
        is_tenant: Composable = SQL("TRUE")
        if accounts.tenant is not None:
            info = self._info.column(accounts.tenant)
            tenant = column("k", "tenant")
            is_tenant = equal(tenant, value_of(info, SQL("h.tenant_id")), info.operators)
        columns = [
            SQL("{} AS {}").format(column("a", name), SQL(f"k{index}"))
            for index, name in enumerate(accounts.id)
        ]
        if accounts.tenant is not None:
            columns.append(SQL("{} AS tenant").format(column("a", accounts.tenant)))
        owner = SQL("(SELECT {id} AS id, {columns} FROM {accounts} AS a) AS k").format(
            id=id_text("a", accounts.id), columns=listed(columns), accounts=table(accounts.table)
        )
        found = [(each.kind, each.sources, each.is_subject, each.conditions) for each in self._seen]
        parts = [
            SQL(
                "SELECT s.hold_id, s.kind, {tenant}::text AS tenant, k.id AS account "
                "FROM {schema}.hold h JOIN {schema}.hold_subject s ON s.hold_id = h.id, "
                "{owner}, {rows} WHERE h.id = ANY (%(holds)s::bigint[]) AND s.kind = {kind} "
                "AND {is_subject} AND {conditions} "
                "AND NOT (COALESCE({is_tenant}, FALSE) AND k.id = h.account_id)"
            ).format(
                tenant=tenant,
                is_tenant=is_tenant,
                schema=self._schema,
                owner=owner,
                rows=rows,
                kind=constant(kind),
                is_subject=is_subject,
                conditions=conditions,
            )
            for kind, rows, is_subject, conditions in [*found, *self._accounts_seen()]
        ]
        return SQL("SELECT DISTINCT * FROM ({}) AS w ORDER BY 1, 2, 3, 4").format(
            listed(parts, " UNION ALL ")
        )

    def _accounts_seen(self) -> Iterator[tuple[str, Composable, Composable, Composable]]:
        """Accounts that have the id of one that a hold was placed on; none where ids repeat."""
        key = self._accounts.id
        wanted = all_of(same_key(key_of("b", self._info, key), given_key(self._info, key)))
        is_subject = self._is_subject(self._info, "b", key) if self._alone else SQL("FALSE")
        yield ACCOUNT, SQL("{} AS b").format(table(self._accounts.table)), is_subject, wanted
