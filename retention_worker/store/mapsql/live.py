"""Which objects a live row still names: the statements, an entry's column each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.credential import Credential, ObjectSource
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.datamap.uritemplate import FIELDS, Split, pieces_of, splits
from retention_worker.store.catalog import Catalog, Column
from retention_worker.store.mapsql.fragments import equal, id_text
from retention_worker.store.mapsql.paths import are_ones_of, path_to, tenant_condition
from retention_worker.store.mapsql.uris import uri_of
from retention_worker.store.quoting import all_of, column, listed, literal, table, type_of

_BITS = {"int2": 15, "int4": 31, "int8": 63}
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class LiveSql:
    """Finds the URIs that rows name by one column, through the column's index.

    `statement` takes `values` (text array) and, where `by_tenant`, `tenant`. Rows that the entry's
    `where` leaves out count too, unless the map says that the column means something else there:
    see `_of_this_kind`.
    """

    source: ObjectSource
    info: Column
    by_tenant: bool
    statement: Composed

    @property
    def is_text(self) -> bool:
        """Whether every text can be a value of the column."""
        return _is_text(self.info)

    def values(self, uri: str) -> list[Split]:
        """The column's values that would make this URI."""
        return [each for each in splits(self.source.uri, uri) if self._can_be(each.value)]

    def _can_be(self, value: str) -> bool:
        """Whether the column's type writes a value like this: a cast of it must not fail."""
        name = self.info.type_name
        if name == "uuid":
            return _UUID.fullmatch(value) is not None
        if name in _BITS:
            if _INTEGER.fullmatch(value) is None:
                return False
            limit: int = 2 ** _BITS[name]
            return -limit <= int(value) < limit
        return "\x00" not in value


def live_sql(datamap: DataMap, catalog: Catalog) -> tuple[LiveSql, ...]:
    """A statement for each column that names objects.

    Raises:
        DriftError: a table or a column is missing.
    """
    return tuple(
        _statement(datamap, catalog, entry, source)
        for entry in datamap.credentials
        for source in entry.objects
    )


def _statement(
    datamap: DataMap, catalog: Catalog, entry: Credential, source: ObjectSource
) -> LiveSql:
    info = catalog.table(entry.table).column(source.column)
    by_tenant = bool({"{tenant}", "{id}"} & set(pieces_of(source.uri)))
    named = _named(info, source)
    rows: list[Composable] = [SQL("{} AS c").format(table(entry.table))]
    conditions = [named, *_of_this_kind(datamap, catalog, entry, source)]
    if by_tenant:
        # By keys alone: whatever tenant a row says, it is its account's, and names its object.
        whole = entry.model_copy(update={"where": None})
        path = path_to(datamap, catalog, whole, by_keys=True)
        rows += [*path.others(), _accounts(datamap, catalog)]
        conditions += path.conditions
    return LiveSql(
        source=source,
        info=info,
        by_tenant=by_tenant,
        statement=SQL("SELECT DISTINCT {} AS uri FROM {} WHERE {}").format(
            uri_of(source), listed(rows), all_of(conditions)
        ),
    )


def _of_this_kind(
    datamap: DataMap, catalog: Catalog, entry: Credential, source: ObjectSource
) -> list[Composable]:
    """Whether a row's value is one of this template.

    The same value names another object in rows that another entry claims by its `where`: that
    entry says what it names there, or that it names none. A column that holds the whole URI names
    the same object in every row. Rows that are retained, or that nobody claims, may mean this one.
    """
    if source.uri is None or entry.where is None:
        return []
    info = catalog.table(entry.table)
    kept = [each.where for each in datamap.retained if each.table == entry.table]
    others = [
        each.where
        for each in datamap.credentials
        if each is not entry and each.table == entry.table and each.where is not None
    ]
    if not others or None in kept:
        return []
    mine = [all_of(are_ones_of(info, "c", where)) for where in (entry.where, *kept)]
    theirs = [all_of(are_ones_of(info, "c", where)) for where in others]
    return [
        SQL("(({}) IS TRUE OR ({}) IS NOT TRUE)").format(
            listed([SQL("({})").format(each) for each in mine], " OR "),
            listed([SQL("({})").format(each) for each in theirs], " OR "),
        )
    ]


def _named(info: Column, source: ObjectSource) -> Composable:
    """Compared in the column's own type where its index can serve, else as text."""
    value = column("c", source.column)
    if _is_text(info) or info.type_name in {"uuid", *_BITS}:
        values = SQL("ANY (%(values)s::text[]::{})").format(type_of(info, array=True))
        return equal(value, values, info.operators)
    return SQL("{}::text = ANY (%(values)s::text[])").format(value)


def _is_text(info: Column) -> bool:
    return info.type_schema == "pg_catalog" and info.type_name in {"text", "varchar", "name"}


def _accounts(datamap: DataMap, catalog: Catalog) -> Composable:
    """`k`, all accounts of the tenant: found from the row upwards, not gone through."""
    accounts = datamap.accounts
    ids = id_text("x", accounts.id)
    keys = [
        SQL("{} AS {}").format(column("x", name), SQL(alias))
        for name, alias in zip(accounts.id, _key_names(accounts.id), strict=True)
    ]
    conditions: list[Composable] = []
    if accounts.tenant is not None:
        conditions.append(tenant_condition(catalog, accounts.table, "x", accounts.tenant))
    return SQL("(SELECT {} AS id, {} FROM {} AS x WHERE {}) AS k").format(
        ids, listed(keys), table(accounts.table), all_of(conditions)
    )


def _key_names(columns: Iterable[str]) -> list[str]:
    return [f"k{index}" for index, _ in enumerate(columns)]


def stores_sql(datamap: DataMap, catalog: Catalog, rows: int) -> list[Composed]:
    """Statements that name the stores of some objects; of a template its beginning is enough."""
    found = []
    for entry in datamap.credentials:
        for source in entry.objects:
            catalog.table(entry.table).column(source.column)
            first = pieces_of(source.uri)[0]
            some: Composable = SQL("SELECT {} AS uri").format(literal(first))
            if first in FIELDS:
                some = SQL(
                    "SELECT {}::text AS uri FROM {} AS c WHERE {} IS NOT NULL LIMIT {}"
                ).format(
                    column("c", source.column),
                    table(entry.table),
                    column("c", source.column),
                    literal(rows),
                )
            found.append(
                SQL(
                    "SELECT DISTINCT COALESCE(substring(uri from "
                    "'^[A-Za-z][A-Za-z0-9+.-]*://[^/]*'), '') AS store FROM ({}) AS named"
                ).format(some)
            )
    return found
