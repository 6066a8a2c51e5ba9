"""What people and programs write for the record: one line of what can be printed."""

from __future__ import annotations

MAX_REASON = 500


def one_line(text: str) -> str:
    """The text with one space for every line break, tab or hard space, as pasted texts have them.

    Raises:
        ValueError: a character cannot be printed, or be kept.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("write printable characters")
    return line
