"""An erasure row: the line that is hashed, made from its columns as texts.

The database makes the same line when a batch is written; this is the other implementation, which
the ledger is checked with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# PostgreSQL's text of a timestamptz in UTC with DateStyle ISO; a year may have more digits than 4.
_INSTANT = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?\+00( BC)?")
# YYYY-MM-DDTHH:MM:SS.ffffffZ: what sorts as text.
_LENGTH = 27
_PADDED = re.compile(r"(\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?")


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What a row says. Times are texts: the database has some that Python has not."""

    id: int
    batch: int
    tenant: str
    kind: str
    subject: str
    scope: str
    last_activity: str | None
    complete: bool
    erased_at: str

    @property
    def line(self) -> str:
        """The exact text that is hashed."""
        quoted = [_quoted(each) for each in (self.tenant, self.subject, self.last_activity)]
        complete, erased_at = "t" if self.complete else "f", _quoted(self.erased_at)
        return (
            f"{self.id} {self.batch} {quoted[0]} {self.kind} {quoted[1]} {self.scope} "
            f"{quoted[2]} {complete} {erased_at}"
        )

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the line."""
        return hashlib.sha256(self.line.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The row as exports and receipts have it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> Erasure:
        """The row that `to_json` gave.

        Raises:
            ValueError: it is anything else.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(content, Mapping) or content.keys() != names:
            raise ValueError("not an erasure row")
        numbers = [content["id"], content["batch"]]
        texts = [content[name] for name in names - {"id", "batch", "complete", "last_activity"}]
        if (
            any(type(each) is not int for each in numbers)
            or not all(isinstance(each, str) for each in texts)
            or not isinstance(content["last_activity"], str | None)
            or not isinstance(content["complete"], bool)
        ):
            raise ValueError("not an erasure row")
        return cls(**content)


def digest_of(hashes: Iterable[str]) -> str:
    """What a batch's body says of its rows, from the hashes of their lines in order of id."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def instant_of(text: str) -> str:
    """A time as the line has it, from PostgreSQL's text of a timestamptz in UTC."""
    found = _INSTANT.fullmatch(text)
    if found is None:  # infinity, or a text that no time has
        return text
    day, time, fraction, era = found.groups(default="")
    return f"{day}T{time}{fraction}{era}"


def padded(instant: str) -> str:
    """A time as a batch's body has it (six digits and Z), from that of a line."""
    found = _PADDED.fullmatch(instant)
    return f"{found[1]}.{(found[2] or '').ljust(6, '0')}Z" if found else instant


def is_later(now: str | None, then: str | None) -> bool:
    """Whether an activity (PostgreSQL's text) is later than a time of the ledger, or may be.

    Times that Python has not, before year 1 or after 9999, are only ever the same.
    """
    if now is None or then is None:
        return True
    at, limit = padded(instant_of(now)), padded(then)
    if at == limit:
        return False
    return len(at) != _LENGTH or len(limit) != _LENGTH or "B" in at + limit or at > limit


def later_of(own: str | None, other: str | None) -> str | None:
    """The activity that decides: the later of an account's own and of any other.

    Both are PostgreSQL's texts. A time before all time decides nothing.
    """
    if own is None or other is None:
        return own or other
    return other if _order(other) > _order(own) else own


def _order(text: str) -> tuple[int, int, str]:
    """What sorts as the times do, those that Python has not among them."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return (-1 if text == "-infinity" else 1), 0, ""
    day, time, fraction, era = found.groups(default="")
    year, rest = day.split("-", 1)
    return 0, -int(year) if era else int(year), f"{rest} {time}{fraction}"


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)
