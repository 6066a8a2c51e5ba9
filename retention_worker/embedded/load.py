"""Fast loading of generated rows: COPY, a table at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows for one table: `table` is schema.table, each row has a value for each of `columns`."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def copy_rows(target: str | psycopg.Connection[Any], rows: Iterable[TableRows]) -> int:
    """Copy everything in one transaction, refresh the tables' statistics, return the row count.

    Triggers do not fire and foreign keys are not checked (`session_replication_role`, which wants
    a superuser): the rows stand as they are given, in any order of tables.

    Args:
        target: a connection, or a DSN to open one for this call.
        rows: read once and lazily, so that a large population never is in memory as a whole.
    """
    if isinstance(target, str):
        with psycopg.connect(target, autocommit=True) as conn:
            return copy_rows(conn, rows)
    count = 0
    tables: dict[str, None] = {}
    with target.transaction(), target.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for part in rows:
            tables[part.table] = None
            with cursor.copy(_statement(part)) as copy:
                for row in part.rows:
                    copy.write_row(row)
            count += len(part.rows)
        for table in tables:
            cursor.execute(SQL("ANALYZE {}").format(_identifier(table)))
    return count


def _statement(part: TableRows) -> psycopg.sql.Composed:
    columns = SQL(", ").join(map(Identifier, part.columns))
    return SQL("COPY {} ({}) FROM STDIN").format(_identifier(part.table), columns)


def _identifier(table: str) -> Identifier:
    return Identifier(*table.split("."))
