"""A database transaction in use: runs named and composed statements within a deadline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from psycopg import Cursor
from psycopg.rows import DictRow, dict_row
from psycopg.sql import Composed

from retention_worker.domain.errors import BatchTimeout
from retention_worker.store.connection.answers import StatementAnswer
from retention_worker.store.connection.failures import translated
from retention_worker.store.connection.pool import Connection, is_batching, keeps_plans, settle
from retention_worker.store.connection.queries import named, rendered

# The worker, never the application, loses a conflict: far below any deadlock_timeout.
_LOCK_TIMEOUT_MS = 50
# The longest time-out that PostgreSQL takes.
_FOR_EVER_MS = 2**31 - 1
# What remains of the deadline when the statement begins, which only the server knows where several
# were sent at once: all of it less the age of the transaction. Never 0, which means no time-out.
_LIMITS = """
SELECT set_config('lock_timeout', LEAST(l.ms, %s::int)::text, true),
       set_config('statement_timeout', l.ms::text, true),
       set_config('plan_cache_mode', %s, true)
  FROM (SELECT GREATEST(1, LEAST(%s::int, %s::int - (extract(epoch FROM clock_timestamp()
               - transaction_timestamp()) * 1000)::int))) AS l (ms)"""


class Deadline:
    """The moment at which a transaction must have ended.

    Args:
        monotonic: seconds that never run backwards.
        milliseconds: how long the transaction may take in all.
    """

    def __init__(self, monotonic: Callable[[], float], milliseconds: int) -> None:
        self._monotonic = monotonic
        self.milliseconds = milliseconds
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
    map. Rows are dictionaries. In a transaction that was opened by `batching`, statements that are
    sent one after the other share a round trip until the answer of one is asked for; each still
    sees what was committed before it began.
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
        self._longest_lock_ms = _FOR_EVER_MS if patient else _LOCK_TIMEOUT_MS
        self._limited = False

    def rows(
        self, statement: str | Composed, parameters: Mapping[str, Any] | None = None
    ) -> list[DictRow]:
        """All rows of a statement."""
        return self.send(statement, parameters).rows()

    def row(
        self, statement: str | Composed, parameters: Mapping[str, Any] | None = None
    ) -> DictRow | None:
        """The first row, or None."""
        return self.send(statement, parameters).row()

    def value(self, statement: str | Composed, parameters: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row; None without a row."""
        return self.send(statement, parameters).value()

    def run(self, statement: str | Composed, parameters: Mapping[str, Any] | None = None) -> int:
        """How many rows a statement touched."""
        return self.send(statement, parameters).count()

    def send(
        self,
        statement: str | Composed,
        parameters: Mapping[str, Any] | None = None,
        *,
        replan: bool = False,
    ) -> StatementAnswer:
        """Send a statement, without waiting for its answer where that is possible.

        `replan`: its plan depends on the values, such as on whether one is NULL; the plan of any
        other is made once a connection and kept.
        """
        with translated():
            cursor = self._execute(statement, parameters, replan=replan)
        return StatementAnswer(cursor, lambda: settle(self.conn), self._arrived)

    def _arrived(self) -> None:
        """A round trip is over: time has passed, and what is sent next needs new time-outs."""
        self._limited = False

    def _execute(
        self,
        statement: str | Composed,
        parameters: Mapping[str, Any] | None,
        *,
        replan: bool = False,
    ) -> Cursor[DictRow]:
        composed = named(statement, self.schema_name) if isinstance(statement, str) else statement
        query = rendered(self.conn, composed)
        cursor = self.conn.cursor(row_factory=dict_row)
        if self._deadline is None:
            return cursor.execute(query, parameters or {}, prepare=False)
        keeps = keeps_plans(self.conn) and not replan
        # One round trip: the time-outs travel with the statement that they are for.
        with nullcontext() if is_batching(self.conn) else self.conn.pipeline():
            if not (self._limited and isinstance(statement, str)):
                self._limit(keeps)
            cursor.execute(query, parameters or {}, prepare=keeps)
        return cursor

    def _limit(self, keeps: bool) -> None:
        """Say what may still be waited for.

        A statement on somebody else's tables is always told. One on a few rows of our own goes by
        what was said last in its round trip, which makes the batch longer by no more than it takes.
        """
        assert self._deadline is not None
        batching = is_batching(self.conn)
        limits = (
            self._longest_lock_ms,
            "force_generic_plan" if keeps else "force_custom_plan",
            self._deadline.remaining_ms(),
            self._deadline.milliseconds if batching else _FOR_EVER_MS,
        )
        self.conn.execute(_LIMITS, limits, prepare=keeps_plans(self.conn))
        self._limited = batching
