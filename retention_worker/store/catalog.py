"""What the database's catalog says about the tables that the data map names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import DriftError
from retention_worker.store.connection.queries import load

BUILT_IN = "pg_catalog"

_QUERIES = load("catalog")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; the type is named without its modifier, so that a cast never cuts a value.

    `base` is the oid of the type under its domains (0: not read), `operators` the schema of the
    operators by which an index of that type compares.
    """

    name: str
    type_schema: str
    type_name: str
    not_null: bool
    base: int = 0
    operators: str = BUILT_IN

    def operators_with(self, other: Column) -> str:
        """The schema of the operators that compare the two columns.

        Of one type, they are those of the type's own index. Of two, the server's: what the
        search_path would find beside them is nobody's index and no foreign key's.
        """
        return self.operators if self.base == other.base else BUILT_IN


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, a partitioned table or a view.

    `kind` is pg_class.relkind; `unique_keys` are the column sets of valid unique indexes without a
    predicate or an expression, the primary key among them.
    """

    name: TableName
    oid: int
    kind: str
    columns: dict[str, Column]
    primary_key: tuple[str, ...] | None
    unique_keys: tuple[frozenset[str], ...]

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            DriftError: there is none.
        """
        try:
            return self.columns[name]
        except KeyError:
            raise DriftError(
                f"config/datamap.yaml: {self.name} has no column {name!r}: correct the name"
            ) from None

    def proves_unique(self, columns: Iterable[str]) -> bool:
        """Whether a unique index lies within these columns."""
        wanted = frozenset(columns)
        return any(key <= wanted for key in self.unique_keys)

    def own_key(self, parent: Iterable[str]) -> tuple[str, ...] | None:
        """A key that stays the row's when it is given to another parent; None: there is none.

        The primary key, else another unique key without NULLs; never one with the parent's columns
        in it.
        """
        theirs = frozenset(parent)
        primary = frozenset(self.primary_key or ())
        for key in sorted(self.unique_keys, key=lambda each: (each != primary, sorted(each))):
            if key and not key & theirs and all(self.column(name).not_null for name in key):
                return self.primary_key if key == primary else tuple(sorted(key))
        return None

    def stands_alone(self, key: Iterable[str], tenant: str | None) -> bool:
        """Whether a key tells its row from all others without the tenant; None: there is none."""
        return tenant is None or self.proves_unique(key)


def has_dates(datamap: DataMap, catalog: Catalog) -> bool:
    """Whether a time that counts as activity is a date: it counts as its day's end."""
    accounts = datamap.accounts
    named = [(accounts.table, time) for time in accounts.last_activity]
    named += [(source.table, source.at) for source in accounts.activity]
    named += [(each.table, each.created_at) for each in datamap.credentials if each.created_at]
    return any(catalog.table(name).column(time.column).type_name == "date" for name, time in named)


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """A reference between two mapped tables: the child's columns, and whether it acts ON DELETE."""

    child: TableName
    parent: TableName
    columns: tuple[str, ...] = ()
    acts: bool = False


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The mapped tables, and the references among them."""

    tables: dict[TableName, Table]
    foreign_keys: tuple[ForeignKey, ...]

    def table(self, name: TableName) -> Table:
        """The table of that name.

        Raises:
            DriftError: there is none.
        """
        try:
            return self.tables[name]
        except KeyError:
            raise DriftError(
                f"config/datamap.yaml: there is no table {name}: correct the name"
            ) from None


def mapped_tables(datamap: DataMap) -> tuple[TableName, ...]:
    """Every table that the map reads or erases (retained tables are not touched)."""
    names = [datamap.accounts.table, *(source.table for source in datamap.accounts.activity)]
    if datamap.transactions is not None:
        names.append(datamap.transactions.table)
    names += [link.table for link in datamap.links.values()]
    names += [entry.table for entry in datamap.credentials]
    return tuple(dict.fromkeys(names))


def read(conn: psycopg.Connection, names: Iterable[TableName]) -> Catalog:
    """Read the tables that exist among `names`."""
    wanted = list(names)
    parameters = {
        "schemas": [name.schema_name for name in wanted],
        "names": [name.name for name in wanted],
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        tables = cursor.execute(_QUERIES["tables"], parameters).fetchall()
        oids = {"oids": [row["oid"] for row in tables]}
        columns = cursor.execute(_QUERIES["columns"], oids).fetchall()
        keys = cursor.execute(_QUERIES["unique_keys"], oids).fetchall()
        references = cursor.execute(_QUERIES["foreign_keys"], oids).fetchall()
    by_oid = {row["oid"]: _name(row) for row in tables}
    return Catalog(
        tables={
            by_oid[row["oid"]]: Table(
                name=by_oid[row["oid"]],
                oid=row["oid"],
                kind=row["kind"],
                columns={c["name"]: _column(c) for c in columns if c["oid"] == row["oid"]},
                primary_key=next(
                    (
                        tuple(key["columns"])
                        for key in keys
                        if key["oid"] == row["oid"] and key["is_primary"]
                    ),
                    None,
                ),
                unique_keys=tuple(
                    frozenset(key["columns"]) for key in keys if key["oid"] == row["oid"]
                ),
            )
            for row in tables
        },
        foreign_keys=tuple(
            ForeignKey(
                child=by_oid[row["child"]],
                parent=by_oid[row["parent"]],
                columns=tuple(row["columns"]),
                acts=row["acts"],
            )
            for row in references
        ),
    )


def _name(row: dict[str, str]) -> TableName:
    return TableName(schema_name=row["schema_name"], name=row["table_name"])


def _column(row: dict[str, Any]) -> Column:
    return Column(
        name=row["name"],
        type_schema=row["type_schema"],
        type_name=row["type_name"],
        not_null=bool(row["not_null"]),
        base=int(row["base"]),
        operators=row["operators"],
    )
