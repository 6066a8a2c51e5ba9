"""Which accounts a person was shown: what an approval lets go, and nothing else.

An approval by a number would let others go in the place of those that came back. Each account is
kept as the first eight bytes of the SHA-256 of its id: a million of them are eight megabytes, and
that an account that was not shown has the mark of one that was has odds of one in 18 trillion.
"""

from __future__ import annotations

import base64
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha256
from typing import Self

_BYTES = 8


class ShownAccounts:
    """A set of accounts by the marks of their ids.

    Args:
        marks: as numbers, in any order.
    """

    def __init__(self, marks: Iterable[int] = ()) -> None:
        self._marks = array("Q", sorted(set(marks)))

    @classmethod
    def of(cls, accounts: Iterable[str]) -> Self:
        """The set of accounts with these ids."""
        return cls(map(_mark, accounts))

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """The set that `to_bytes` gave.

        Raises:
            ValueError: it is anything else.
        """
        if len(packed) % _BYTES:
            raise ValueError("no whole marks")
        numbers = range(0, len(packed), _BYTES)
        return cls(int.from_bytes(packed[at : at + _BYTES]) for at in numbers)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The set that `to_text` gave.

        Raises:
            ValueError: it is anything else.
        """
        return cls.from_bytes(base64.b64decode(text, validate=True))

    def to_bytes(self) -> bytes:
        """The marks in their order, eight bytes each, the highest first."""
        return b"".join(mark.to_bytes(_BYTES) for mark in self._marks)

    def to_text(self) -> str:
        """The marks as `to_bytes` gives them, in base64, for a saved plan."""
        return base64.b64encode(self.to_bytes()).decode()

    to_json = to_text

    @property
    def digest(self) -> str:
        """SHA-256 of the set: two that are equal have shown the same accounts."""
        return sha256(self.to_bytes()).hexdigest()

    def __len__(self) -> int:
        return len(self._marks)

    def __contains__(self, account: object) -> bool:
        mark = _mark(str(account))
        at = bisect_left(self._marks, mark)
        return at < len(self._marks) and self._marks[at] == mark

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShownAccounts) and self._marks == other._marks

    def __hash__(self) -> int:
        return hash(self.digest)


def _mark(account: str) -> int:
    return int.from_bytes(sha256(account.encode()).digest()[:_BYTES])
