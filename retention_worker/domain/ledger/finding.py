"""What is wrong with a ledger: the row, what became of it, and the column where one is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What became of a row."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    REORDERED = "reordered"


@dataclass(frozen=True, kw_only=True)
class LedgerFinding:
    """A row that is not as it was written.

    `row` is its id in `table` (for `lane`: tenant and scope; for a file: the line), None for a row
    that is gone and whose id nothing tells; `column` None where the whole row is meant.
    """

    change: Change
    table: str
    row: int | str | None
    column: str | None = None
    batch: int | None = None
    message: str

    def __str__(self) -> str:
        place = self.table if self.row is None else f"{self.table} {self.row}"
        column = f", column {self.column}" if self.column else ""
        return f"{place}{column}: {self.change}: {self.message}"
