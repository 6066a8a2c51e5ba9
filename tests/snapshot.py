"""Every row of every table, to compare what a sweep left with what should be there."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Identifier

# schema.table -> its rows as text, sorted.
Snapshot = Mapping[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What differs in a table: rows that are gone and rows that are new (a changed row is both)."""

    removed: list[str]
    added: list[str]


def snapshot(conn: psycopg.Connection, exclude: Collection[str] = ()) -> Snapshot:
    """Read every row of every user table, in a fixed time zone.

    Args:
        conn: a connection that may read everything.
        exclude: tables as schema.table, or whole schemas, that are left out.
    """
    with conn.transaction():
        conn.execute("SET LOCAL timezone = 'UTC'")
        tables = conn.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind = 'r' "
            "AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
        ).fetchall()
        return {
            f"{schema}.{table}": _rows(conn, schema, table)
            for schema, table in sorted(tables)
            if schema not in exclude and f"{schema}.{table}" not in exclude
        }


def diff(before: Snapshot, after: Snapshot) -> dict[str, Change]:
    """The tables that differ, each with its change; empty where nothing does."""
    changes = {}
    for table in sorted(before.keys() | after.keys()):
        old, new = Counter(before.get(table, [])), Counter(after.get(table, []))
        if old != new:
            removed, added = sorted((old - new).elements()), sorted((new - old).elements())
            changes[table] = Change(removed=removed, added=added)
    return changes


def _rows(conn: psycopg.Connection, schema: str, table: str) -> list[str]:
    statement = SQL("SELECT whole_row::text FROM {} AS whole_row")
    rows = conn.execute(statement.format(Identifier(schema, table)))
    return sorted(text for (text,) in rows)
