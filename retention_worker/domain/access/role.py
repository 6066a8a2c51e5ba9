"""What a person may do in the portal: each role may do what those before it may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """viewer reads; support erases and places holds; approver lets waiting lanes go, too."""

    VIEWER = "viewer"
    SUPPORT = "support"
    APPROVER = "approver"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
