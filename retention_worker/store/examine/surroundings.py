"""The tables around the mapped ones, and the indexes of those that refer to erased rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.facts import Facts, Index
from retention_worker.store.examine.reader import indexes


@dataclass(frozen=True, kw_only=True)
class OtherTable:
    """A table that the map does not name; `columns` with the names of their types.

    `refers_to` are the oids of mapped tables that its foreign keys refer to.
    """

    name: TableName
    columns: Mapping[str, str]
    refers_to: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is around; `indexes` of every table with a foreign key onto an erased one, by oid."""

    tables: tuple[OtherTable, ...]
    indexes: Mapping[int, tuple[Index, ...]]


def look_around(session: Session, facts: Facts) -> Surroundings:
    """Read the rest of the database's tables."""
    mapped = [each.oid for each in facts.relations]
    rows = session.rows("examine.surroundings", {"oids": mapped, "own_schema": session.schema_name})
    tables = tuple(
        OtherTable(
            name=TableName(schema_name=row["schema_name"], name=row["table_name"]),
            columns=dict(zip(row["columns"], row["types"], strict=True)),
            refers_to=frozenset(row["refers_to"]),
        )
        for row in rows
    )
    children = {reference.child_oid for reference in facts.references} - set(mapped)
    return Surroundings(tables=tables, indexes={**facts.indexes, **indexes(session, children)})
