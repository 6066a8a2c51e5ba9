"""Which holds count for an account: by its id, and by what they have seen of it before.

A hold is a person's. Where an id tells its row from all others by itself, the hold counts under any
tenant; and rows that hung on the account while it was in place keep whatever they hang on now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed, Identifier

from retention_worker.domain.datamap.datamap import ACCOUNT, TRANSACTION, DataMap
from retention_worker.store.catalog import Catalog, Table
from retention_worker.store.mapsql.entries import EntrySql
from retention_worker.store.mapsql.fragments import equal, id_text, key_of, same_key
from retention_worker.store.mapsql.paths import (
    Path,
    account_keys,
    given_key,
    hop_path,
    path_to,
    tenant_condition,
)
from retention_worker.store.mapsql.tenants import value_of
from retention_worker.store.quoting import all_of, column, listed, literal, table, type_of

_ACTIVE = SQL("h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s)")


@dataclass(frozen=True, kw_only=True)
class HoldSql:
    """Compiled pieces and statements; parameters: tenant, ids, k0, k1, ..., now.

    `held` is a query over `k`: `id` of the accounts on hold, and `until`, the end of the longest
    hold as text, 'infinity' without one. It goes by the account and by what hangs on it directly,
    so that a batch can afford it; `ends` is the same by everything that holds have seen, and
    `active` returns the rows of those holds. `see` notes what hangs on
    accounts that are where their active holds were placed; parameter `hold` (NULL: every hold).
    `in_place` returns the ids (`id`) of those accounts that are there. `whereabouts` returns, for
    the holds of `holds`, the accounts beside the hold's own that have rows that a hold has seen:
    `hold_id`, `kind`, `tenant`, `account`. `kinds` are those of all that is seen.
    """

    held: Composable
    ends: Composed
    active: Composed
    see: Composed
    in_place: Composed
    whereabouts: Composed
    kinds: tuple[str, ...]


def hold_sql(
    datamap: DataMap, catalog: Catalog, entries: Sequence[EntrySql], schema_name: str
) -> HoldSql:
    """Compile them for a map on a catalog."""
    return _HoldBuilder(datamap, catalog, entries, schema_name).build()


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Rows under the account of `k` that are told by an id alone.

    `is_top`: they hang on the account itself. `is_subject`: whether the id is that of a
    `hold_subject` s, by the id's own index where it can.
    """

    kind: str
    is_top: bool
    subject: Composable
    is_subject: Composable
    sources: Composable
    conditions: Composable


class _HoldBuilder:
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
        self._tops = tuple(each for each in self._seen if each.is_top)

    def build(self) -> HoldSql:
        return HoldSql(
            held=self._held(self._tops),
            ends=self._held(self._seen),
            active=self._active(),
            see=self._see(),
            in_place=self._in_place(),
            whereabouts=self._whereabouts(),
            kinds=tuple(dict.fromkeys([ACCOUNT, *(each.kind for each in self._seen)])),
        )

    def _rows_seen(self, entries: Sequence[EntrySql]) -> Iterator[_Seen]:
        """Everything under the account, of each kind whose id is unique by itself.

        Transactions and links, and the credentials themselves: any of them may be given to another
        account, and each alone.
        """
        names = [name for each in entries for name in self._datamap.ancestors(each.entry.of)]
        if self._datamap.transactions is not None:
            names.append(TRANSACTION)
        seen = set()
        for name in dict.fromkeys(names):
            path = hop_path(self._datamap, self._catalog, name, by_keys=True)
            hop = path.hops[-1]
            seen.add(hop.name)
            if self._catalog.table(hop.name).proves_unique(hop.id):
                # By its table: what a map calls a link may change.
                kind = TRANSACTION if name == TRANSACTION else str(hop.name)
                yield self._seen_by(kind, path, hop.id)
        for each in entries:
            # Of several entries in a table each sees its own rows; those of a hop are seen as such.
            key = self._catalog.table(each.entry.table).own_key(each.entry.key)
            if key is not None and each.entry.table not in seen | {self._accounts.table}:
                path = path_to(self._datamap, self._catalog, each.entry, by_keys=True)
                yield self._seen_by(str(each.entry.table), path, key)

    def _seen_by(self, kind: str, path: Path, key: Sequence[str]) -> _Seen:
        return _Seen(
            kind=kind,
            is_top=all(hop.alias in {"a", "c"} for hop in path.hops),
            subject=id_text("c", key),
            is_subject=self._is_subject(self._catalog.table(path.target), "c", key),
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

    def _found(self, seen: Sequence[_Seen]) -> Composable:
        """The holds that speak of accounts of `k`: `id`, `hold_id`; among them ended ones."""
        parts: list[Composable] = [
            SQL(
                "SELECT k.id, h.id AS hold_id FROM {}, {}.hold h WHERE {} AND {} "
                "AND h.released_at IS NULL"
            ).format(self._keys, self._schema, self._is_account(), self._is_tenant())
        ]
        if self._alone:
            parts.append(self._by_subject(SQL("k.id"), ACCOUNT, self._keys, SQL("TRUE")))
        parts += [
            self._by_subject(
                each.subject,
                each.kind,
                SQL("{}, {}").format(self._keys, each.sources),
                each.conditions,
            )
            for each in seen
        ]
        return listed(parts, " UNION ALL ")

    def _is_account(self) -> Composable:
        """Whether the hold `h` is on the account of `k`: by the text, or as a citext compares."""
        same = SQL("h.account_id = k.id")
        if len(self._accounts.id) > 1:
            return same
        info = self._info.column(self._accounts.id[0])
        if info.type_name != "citext":
            return same
        value = SQL("h.account_id::{}").format(type_of(info))
        return SQL("({} OR {})").format(same, equal(SQL("k.k0"), value, info.operators))

    def _is_tenant(self) -> Composable:
        """Whether the hold `h` is of the tenant, however its policy writes that."""
        if self._alone or self._accounts.tenant is None:
            return SQL("TRUE")
        info = self._info.column(self._accounts.tenant)
        given, held = (value_of(info, SQL(text)) for text in ("%(tenant)s::text", "h.tenant_id"))
        return SQL("(h.tenant_id = %(tenant)s OR {})").format(equal(held, given, info.operators))

    def _by_subject(
        self, subject: Composable, kind: str, sources: Composable, conditions: Composable
    ) -> Composable:
        # OFFSET keeps it apart: from each row by the index, whatever the database thinks of how
        # much holds have seen.
        return SQL(
            "SELECT k.id, s.hold_id FROM {sources} CROSS JOIN LATERAL (SELECT s.hold_id "
            "FROM {schema}.hold_subject s WHERE s.subject_id = {subject} AND s.kind = {kind} "
            "OFFSET 0) AS s WHERE {conditions}"
        ).format(
            sources=sources,
            schema=self._schema,
            subject=subject,
            kind=literal(kind),
            conditions=conditions,
        )

    def _held(self, seen: Sequence[_Seen]) -> Composed:
        # A sub-select of its own is asked first and once: where nothing is on hold that is all.
        return SQL(
            "WITH found AS MATERIALIZED ({found}) "
            "SELECT f.id, max(COALESCE(h.until, 'infinity'))::text AS until FROM found AS f "
            "JOIN {schema}.hold h ON h.id = f.hold_id WHERE {active} AND (SELECT EXISTS "
            "(SELECT 1 FROM {schema}.hold o WHERE o.released_at IS NULL)) GROUP BY f.id"
        ).format(active=_ACTIVE, schema=self._schema, found=self._found(seen))

    def _active(self) -> Composed:
        return SQL(
            "WITH found AS MATERIALIZED ({found}) "
            "SELECT DISTINCT h.id, h.tenant_id, h.account_id, h.reason, h.placed_by, h.placed_at, "
            "h.until FROM found AS f JOIN {schema}.hold h ON h.id = f.hold_id "
            "WHERE {active} ORDER BY h.id"
        ).format(active=_ACTIVE, schema=self._schema, found=self._found(self._seen))

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
            SQL("SELECT 'account', k.id WHERE {}").format(literal(self._alone))
        ]
        parts += [
            SQL("SELECT {}, {} FROM {} WHERE {}").format(
                literal(each.kind), each.subject, each.sources, each.conditions
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
                kind=literal(kind),
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
