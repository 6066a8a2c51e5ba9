"""Rows and scripts on a throwaway database: rows go in by COPY, and come out of one query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows for one table: `table` is schema.table, each row has a value for each of `columns`."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def copy_rows(target: str | Connection, parts: Iterable[TableRows]) -> int:
    """Load a population in one transaction, refresh the statistics, and return the row count.

    Triggers do not fire and foreign keys are not checked (`session_replication_role`, which wants
    a superuser): the rows stand as they are given, in any order of tables.

    Args:
        target: a connection, or a DSN to open one for this call.
        parts: read once and lazily, so that a large population never is in memory as a whole.
    """
    if isinstance(target, str):
        with psycopg.connect(target, autocommit=True) as conn:
            return copy_rows(conn, parts)
    with target.transaction():
        target.execute("SET LOCAL session_replication_role = replica")
        counts = _copy(target, parts)
        for table in counts:
            target.execute(SQL("ANALYZE {}").format(_identifier(table)))
    return sum(counts.values())


def insert_rows(dsn: str, parts: Iterable[TableRows]) -> None:
    """Insert rows in one transaction as an application would: triggers fire, keys are checked.

    Args:
        dsn: of the database.
        parts: parents before children.
    """
    with psycopg.connect(dsn) as conn:
        _copy(conn, parts)


def read_rows(dsn: str, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one query, read in a READ ONLY transaction."""
    with psycopg.connect(dsn) as conn:
        conn.read_only = True
        return conn.execute(query.encode(), parameters or None).fetchall()


def run_script(dsn: str, script: str) -> None:
    """Run one or more statements in one transaction."""
    with psycopg.connect(dsn) as conn:
        conn.execute(script.encode())


def _copy(conn: Connection, parts: Iterable[TableRows]) -> dict[str, int]:
    """The number of rows that went into each table."""
    counts: dict[str, int] = {}
    for part in parts:
        columns = SQL(", ").join(map(Identifier, part.columns))
        statement = SQL("COPY {} ({}) FROM STDIN").format(_identifier(part.table), columns)
        with conn.cursor() as cursor, cursor.copy(statement) as copy:
            for row in part.rows:
                copy.write_row(row)
        counts[part.table] = counts.get(part.table, 0) + len(part.rows)
    return counts


def _identifier(table: str) -> Identifier:
    return Identifier(*table.split("."))
