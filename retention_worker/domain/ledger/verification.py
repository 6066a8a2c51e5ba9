"""What `verify` found: what is wrong, what is only worth knowing, and what every lane has left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.scope import Scope


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Something that a check of `verify` found.

    `check` is a stable slug, `wrong` False where it is only worth knowing. `tenant` is the name of
    the policy's file where there is one, else the tenant column's value; None: of no tenant.
    `examples` are ids, five at most; `oldest` is when it was due, queued or asked for.
    """

    check: str
    wrong: bool = True
    tenant: str | None = None
    scope: Scope | None = None
    count: int = 1
    oldest: datetime | None = None
    examples: tuple[str, ...] = ()
    message: str


@dataclass(frozen=True, kw_only=True)
class LaneLeft:
    """Accounts past their due date by more than is allowed, that still hold credentials.

    `overdue` is wrong; the others have a reason: on hold, paused, waiting for an approval, or
    deferred because something newer than the last activity was seen. `oldest` is when the oldest of
    those without a hold or a deferral was due, `examples` the ids of at most five of them.
    """

    tenant: str
    scope: Scope
    cutoff: datetime
    overdue: int = 0
    paused: int = 0
    waiting: int = 0
    on_hold: int = 0
    deferred: int = 0
    oldest: datetime | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Everything that was looked at and what came of it; `lanes` that have anything left."""

    at: datetime
    tenants: int
    accounts: int
    erasures: int
    lanes: tuple[LaneLeft, ...]
    observations: tuple[Observation, ...]

    @property
    def wrong(self) -> tuple[Observation, ...]:
        """What needs a person."""
        return tuple(each for each in self.observations if each.wrong)

    @property
    def exit_code(self) -> int:
        """0, or 1 where anything is wrong."""
        return int(bool(self.wrong))

    def to_json(self) -> dict[str, Any]:
        """The document that `verify --json` prints."""
        return {
            "at": self.at,
            "tenants": self.tenants,
            "accounts": self.accounts,
            "erasures": self.erasures,
            "wrong": len(self.wrong),
            "lanes": self.lanes,
            "observations": self.observations,
        }
