"""Reads the facts: a fixed number of statements, whatever the number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import SetAndRemove
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.store import catalog as catalogs
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.distributed import distributed
from retention_worker.store.examine.facts import (
    Comparison,
    Facts,
    Index,
    Need,
    Reference,
    Relation,
    RewriteRule,
    Server,
    TableColumn,
    Trigger,
)

T = TypeVar("T")
Row = dict[str, Any]
Side = tuple[TableName, str]
"""A column of a table."""


def read(session: Session, datamap: DataMap) -> Facts:
    """Everything about the mapped tables and what is below them."""
    catalog = catalogs.read(session.conn, catalogs.mapped_tables(datamap))
    tops = {"oids": [table.oid for table in catalog.tables.values()]}
    relations = _relations(session.rows("examine.relations", tops), catalog)
    oids = {"oids": [each.oid for each in relations]}
    triggers = session.rows("examine.triggers", oids | {"own_schema": session.schema_name})
    (server,) = session.rows("examine.server")
    return Facts(
        server=Server(**server),
        catalog=catalog,
        relations=relations,
        columns=_by_table(session.rows("examine.columns", oids), lambda row: TableColumn(**row)),
        triggers=_by_table(triggers, _trigger),
        rules=_by_table(session.rows("examine.rules", oids), lambda row: RewriteRule(**row)),
        indexes=indexes(session, oids["oids"]),
        references=_references(session, datamap, relations),
        distributed=tuple(distributed(session, catalog.tables)),
    )


def indexes(session: Session, oids: Iterable[int]) -> Mapping[int, tuple[Index, ...]]:
    """The indexes of tables."""
    return _by_table(session.rows("examine.indexes", {"oids": list(oids)}), _index)


def lacking(session: Session, catalog: Catalog, needs: Iterable[Need]) -> tuple[Need, ...]:
    """The needs that the current role's privileges do not meet."""
    wanted = [each for each in needs if each.table in catalog.tables]
    rows = session.rows(
        "examine.lacking",
        {
            "oids": [catalog.tables[each.table].oid for each in wanted],
            "columns": [each.column for each in wanted],
            "privileges": [each.privilege.value for each in wanted],
        },
    )
    return tuple(wanted[row["position"] - 1] for row in rows)


def compare(
    session: Session, catalog: Catalog, pairs: Sequence[tuple[Side, Side]]
) -> list[Comparison]:
    """How each pair of existing columns compares, in the order of the pairs."""
    rows = session.rows(
        "examine.comparisons",
        {
            "left_oids": [catalog.tables[left].oid for (left, _), _ in pairs],
            "left_columns": [column for (_, column), _ in pairs],
            "right_oids": [catalog.tables[right].oid for _, (right, _) in pairs],
            "right_columns": [column for _, (_, column) in pairs],
        },
    )
    return [Comparison(**{k: v for k, v in row.items() if k != "position"}) for row in rows]


def _by_table(rows: Iterable[Row], make: Callable[[Row], T]) -> Mapping[int, tuple[T, ...]]:
    found: dict[int, tuple[T, ...]] = {}
    for row in rows:
        oid = row.pop("oid")
        found[oid] = (*found.get(oid, ()), make(row))
    return found


def _relations(rows: Iterable[Row], catalog: Catalog) -> tuple[Relation, ...]:
    names = {table.oid: name for name, table in catalog.tables.items()}
    return tuple(
        Relation(root=names[row.pop("root")], name=_name(row, "schema_name", "table_name"), **row)
        for row in rows
    )


def _references(
    session: Session, datamap: DataMap, relations: Iterable[Relation]
) -> tuple[Reference, ...]:
    blanked = {
        entry.table for entry in datamap.credentials if isinstance(entry.erase, SetAndRemove)
    }
    deleted = {entry.table for entry in datamap.credentials if entry.erase == "rows"}
    rows = session.rows(
        "examine.references",
        {
            "deleted": [each.oid for each in relations if each.root in deleted],
            "blanked": [each.oid for each in relations if each.root in blanked],
        },
    )
    return tuple(
        Reference(
            name=row["name"],
            child=_name(row, "child_schema", "child_table"),
            child_oid=row["child"],
            root=_name(row, "root_schema", "root_table"),
            child_columns=tuple(row["child_columns"]),
            parent=_name(row, "parent_schema", "parent_table"),
            parent_oid=row["parent"],
            parent_columns=tuple(row["parent_columns"]),
            on_delete=row["on_delete"],
            on_update=row["on_update"],
        )
        for row in rows
    )


def _name(row: Row, schema: str, table: str) -> TableName:
    return TableName(schema_name=row.pop(schema), name=row.pop(table))


def _trigger(row: Row) -> Trigger:
    return Trigger(**{**row, "columns": tuple(row["columns"])})


def _index(row: Row) -> Index:
    return Index(**{**row, "keys": tuple(row["keys"]), "mentions": frozenset(row["mentions"])})
