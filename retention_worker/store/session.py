"""One database transaction in use: runs named and composed statements, each within a deadline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from psycopg import Cursor
from psycopg.rows import DictRow, dict_row
from psycopg.sql import Composed

from retention_worker.domain.errors import BatchTimeout
from retention_worker.store.failures import translated
from retention_worker.store.pool import Connection
from retention_worker.store.queries import named

__all__ = ["Deadline", "Session"]

# The worker, never the application, loses a conflict: far below any deadlock_timeout.
_LOCK_TIMEOUT_MS = 50


class Deadline:
    """The moment at which a transaction must have ended.

    Args:
        monotonic: seconds that never run backwards.
        milliseconds: how long the transaction may take in all.
    """

    def __init__(self, monotonic: Callable[[], float], milliseconds: int) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + milliseconds / 1000

    def remaining_ms(self) -> int:
        """What remains, at least 1 (0 would turn PostgreSQL's time-out off).

        Raises:
            BatchTimeout: nothing remains.
        """
        remaining = int((self._end - self._monotonic()) * 1000)
        if remaining < 1:
            raise BatchTimeout("the batch took longer than its deadline")
        return remaining


class Session:
    """Runs statements of one transaction.

    `patient`: wait for a lock until the deadline, as a person's command does and a batch never.

    A statement is the name of one of our own queries (`lanes.read`), or composed SQL of the data
    map. Rows are dictionaries.
    """

    def __init__(
        self,
        conn: Connection,
        schema_name: str,
        deadline: Deadline | None = None,
        *,
        patient: bool = False,
    ) -> None:
        self.conn = conn
        self.schema_name = schema_name
        self._deadline = deadline
        self._longest_lock_ms = sys.maxsize if patient else _LOCK_TIMEOUT_MS

    def rows(
        self, statement: str | Composed, parameters: Mapping[str, Any] | None = None
    ) -> list[DictRow]:
        """All rows of a statement."""
        with translated():
            return self._execute(statement, parameters).fetchall()

    def row(
        self, statement: str | Composed, parameters: Mapping[str, Any] | None = None
    ) -> DictRow | None:
        """The first row, or None."""
        with translated():
            return self._execute(statement, parameters).fetchone()

    def value(self, statement: str | Composed, parameters: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row; None without a row."""
        found = self.row(statement, parameters)
        return None if found is None else next(iter(found.values()))

    def run(self, statement: str | Composed, parameters: Mapping[str, Any] | None = None) -> int:
        """How many rows a statement touched."""
        with translated():
            return self._execute(statement, parameters).rowcount

    def _execute(
        self, statement: str | Composed, parameters: Mapping[str, Any] | None
    ) -> Cursor[DictRow]:
        query = named(statement, self.schema_name) if isinstance(statement, str) else statement
        cursor = self.conn.cursor(row_factory=dict_row)
        if self._deadline is None:
            return cursor.execute(query, parameters or {})
        remaining = self._deadline.remaining_ms()
        # One round trip: the time-outs travel with the statement that they are for.
        with self.conn.pipeline():
            self.conn.execute(
                "SELECT set_config('lock_timeout', %s, true), "
                "set_config('statement_timeout', %s, true)",
                (f"{min(remaining, self._longest_lock_ms)}ms", f"{remaining}ms"),
            )
            cursor.execute(query, parameters or {})
        return cursor
