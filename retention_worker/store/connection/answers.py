"""What a statement that was sent gives, once somebody asks: until then it may be under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar

from psycopg import Cursor
from psycopg.rows import DictRow

from retention_worker.store.connection.failures import translated

T = TypeVar("T")


def of_row(kind: type[T], row: Mapping[str, Any], **others: Any) -> T:
    """A dataclass of the columns that its fields are named after; `others` are not, or are made."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: row[name] for name in names & row.keys()} | others)


class StatementAnswer:
    """The result of one statement; the first question about it waits for the server.

    `settle` waits for everything that was sent, which is asked where the answer is not here and has
    no rows to wait for; `arrived` is told that everything up to this answer is here.
    """

    def __init__(
        self, cursor: Cursor[DictRow], settle: Callable[[], None], arrived: Callable[[], None]
    ) -> None:
        self._cursor = cursor
        self._settle = settle
        self._arrived = arrived

    def rows(self) -> list[DictRow]:
        """All rows."""
        with translated():
            found = self._cursor.fetchall()
        self._arrived()
        return found

    def row(self) -> DictRow | None:
        """The first row, or None."""
        with translated():
            found = self._cursor.fetchone()
        self._arrived()
        return found

    def value(self) -> Any:
        """The first column of the first row; None without a row."""
        found = self.row()
        return None if found is None else next(iter(found.values()))

    def count(self) -> int:
        """How many rows the statement touched."""
        if self._cursor.pgresult is None:
            self._settle()
            self._arrived()
        return self._cursor.rowcount


class Pending(Generic[T]):
    """An answer, and how to read it: what was sent behind it need not wait for that."""

    def __init__(self, answer: StatementAnswer, read: Callable[[StatementAnswer], T]) -> None:
        self._answer = answer
        self._read = read
        self._found: list[T] = []

    def get(self) -> T:
        """Wait for it; the same again when asked again."""
        if not self._found:
            self._found.append(self._read(self._answer))
        return self._found[0]
