"""What commands print: tables and sentences for people, one JSON document for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import HORIZONTALS
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from retention_worker.domain.document import document
from retention_worker.domain.instant import is_endless

_BOX = HORIZONTALS
# Where there is no terminal that says how wide it is.
_WIDTH = 100


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error.

    Made anew for each use, because tests and progress bars replace the streams.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def interactive() -> bool:
    """Whether a person can be asked: standard input and standard error are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def clean(text: object) -> str:
    """A text from a file or a database without what would steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "�" for each in str(text))


def say(line: str, style: str | None = None) -> None:
    """Print a sentence; a terminal wraps it between words, nothing else does."""
    out = console()
    out.print(Text(clean(line), style=style or ""), soft_wrap=not out.is_terminal)


def tell(line: str) -> None:
    """Print a sentence on standard error, for a person who is about to answer."""
    console(stderr=True).print(Text(clean(line)), soft_wrap=True)


def complain(line: str) -> None:
    """Print one line on standard error, never wrapped."""
    out = console(stderr=True)
    out.print(Text(clean(line), style="red" if out.is_terminal else ""), soft_wrap=True)


def print_json(shown: Any) -> None:
    """Print the document of a thing."""
    text = json.dumps(document(shown), indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(text + "\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[RenderableType]],
    *,
    title: str | None = None,
    numbers: Sequence[str] = (),
    out: Console | None = None,
) -> None:
    """Print a table.

    Args:
        columns: the headings.
        rows: texts (cleaned here) or what rich renders.
        title: a line above it.
        numbers: headings of the columns that are aligned to the right.
        out: another console than standard output.
    """
    found = Table(box=_BOX, title=title, title_justify="left", title_style="bold")
    for name in columns:
        right = name in numbers
        found.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        cells = [Text(clean(cell)) if isinstance(cell, str) else cell for cell in row]
        # A line below a row of several lines, or the next row could be taken for a part of it.
        tall = any(isinstance(cell, Text) and "\n" in cell.plain for cell in cells)
        found.add_row(*cells, end_section=tall)
    (out or console()).print(found)


def instant(moment: datetime | None, missing: str = "") -> str:
    """A time for people, to the second, in UTC and saying so."""
    if moment is not None and is_endless(moment):
        return "after all time"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else missing


def count(number: int) -> str:
    """A number for people: 12,345."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 account, 2 accounts."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
