"""Plain SQL on a throwaway database: rows out, scripts and rows in; triggers fire."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from retention_worker.embedded.load import TableRows


def rows(dsn: str, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one query, read in a READ ONLY transaction."""
    with psycopg.connect(dsn) as conn:
        conn.read_only = True
        return conn.execute(query.encode(), parameters or None).fetchall()


def run_script(dsn: str, script: str) -> None:
    """Run one or more statements in one transaction."""
    with psycopg.connect(dsn) as conn:
        conn.execute(script.encode())


def insert_rows(dsn: str, parts: Iterable[TableRows]) -> None:
    """Insert rows as an application would, in one transaction: unlike `copy_rows`, triggers fire.

    Args:
        dsn: of the database.
        parts: parents before children, because foreign keys are checked.
    """
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        for part in parts:
            table = Identifier(*part.table.split("."))
            columns = SQL(", ").join(map(Identifier, part.columns))
            with cursor.copy(SQL("COPY {} ({}) FROM STDIN").format(table, columns)) as copy:
                for row in part.rows:
                    copy.write_row(row)
