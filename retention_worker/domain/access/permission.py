"""What a client of the API may do; OAuth requests call it scope."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """A right that a client of the API may have."""

    RETRIEVE = "retrieve"
    DELETE = "delete"
    DELETE_BIOMETRICS = "delete:biometrics"
    HOLD = "hold"
    APPROVE = "approve"

    @property
    def meaning(self) -> str:
        """In words, for the document of the API."""
        return _MEANINGS[self]


_MEANINGS = {
    Permission.RETRIEVE: "read transactions, deletions, settings and explanations",
    Permission.DELETE: "erase all credentials, or biometrics only",
    Permission.DELETE_BIOMETRICS: "erase biometrics only",
    Permission.HOLD: "place and release legal holds",
    Permission.APPROVE: "let waiting lanes go",
}


def parse_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """The permissions of those names.

    Raises:
        ValueError: there is none of a name.
    """
    found = set()
    for name in names:
        try:
            found.add(Permission(name))
        except ValueError:
            known = ", ".join(Permission)
            raise ValueError(f"{name!r} is no permission: write one of {known}") from None
    return frozenset(found)
