"""Objects outside the database whose rows are gone: what becomes of each, and a drain's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ObjectState(StrEnum):
    """What holds for an object in the outbox.

    `queued`: a drain will ask its store; `denied`: the store refuses (Object Lock, a missing
    right), it is asked again each day; `failed`: no store can be asked for it as it is, or it
    failed too often, a person has to look; `kept`: a live row still names it, looked at each hour.
    """

    QUEUED = "queued"
    DENIED = "denied"
    FAILED = "failed"
    KEPT = "kept"

    @property
    def needs_person(self) -> bool:
        """Whether it does not go by itself."""
        return self in {ObjectState.DENIED, ObjectState.FAILED}


class Result(StrEnum):
    """What a store answered for one object; `later`: it may work when it is asked again."""

    GONE = "gone"
    DENIED = "denied"
    FAILED = "failed"
    LATER = "later"


@dataclass(frozen=True, kw_only=True)
class StoreAnswer:
    """A store's answer; `error` is a code or a few words, never a name or a URI."""

    result: Result
    error: str | None = None


GONE = StoreAnswer(result=Result.GONE)
"""The object is not there (any more): deleted, or it never was."""


@dataclass(frozen=True, kw_only=True)
class ObjectCounts:
    """Objects whose rows went together: how many are gone, and the rest by state.

    `since` is the earliest time since which one is denied, failed or kept, by state (text).
    """

    gone: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    since: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return self.gone + sum(self.left.values())

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left."""
        return not any(self.left.values())

    def to_json(self) -> dict[str, Any]:
        """As receipts and explanations have it."""
        return {
            "total": self.total,
            "gone": self.gone,
            "left": dict(self.left),
            "since": dict(self.since),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ObjectCounts:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it is anything else.
        """
        found = cls(gone=content["gone"], left=content["left"], since=content["since"])
        if found.to_json() != content:
            raise ValueError("no counts of objects")
        return found

    def in_words(self) -> str:
        """`3 of 4 objects gone, 1 denied since 2026-06-01 12:00`."""
        noun = "object" if self.total == 1 else "objects"
        parts = [f"{self.gone} of {self.total} {noun} gone"]
        for state, number in self.left.items():
            since = f" since {self.since[state]}" if state in self.since else ""
            parts.append(f"{number} {state}{since}")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class DrainReport:
    """What a drain did, and what the outbox holds after it.

    `drained` False: this process deletes no objects. `down` are stores that could not be asked,
    with the reason.
    """

    drained: bool
    deleted: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    down: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0, or 1 where a person has to look."""
        stuck = any(self.left.get(state) for state in ObjectState if state.needs_person)
        return int(bool(self.drained and (stuck or self.down)))

    def to_json(self) -> dict[str, Any]:
        """The report as `sweep --json` prints it."""
        return {
            "drained": self.drained,
            "deleted": self.deleted,
            "left": {state.value: self.left.get(state, 0) for state in ObjectState},
            "stores_down": [{"store": store, "error": error} for store, error in self.down.items()],
        }
