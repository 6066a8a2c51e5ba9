"""A lane: one tenant and one scope, where it stands, and why it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retention_worker.domain.lane.allowance import Allowance
from retention_worker.domain.scope import Scope


class StopReason(StrEnum):
    """Why a lane ended in a sweep."""

    EXHAUSTED = "exhausted"
    WAITING = "waiting"
    PAUSED = "paused"
    WINDOW_CLOSED = "window_closed"
    TIME_BUDGET = "time_budget"
    STOPPED = "stopped"
    POLICY_CHANGED = "policy_changed"
    STALE_POLICY = "stale_policy"
    INVALID_POLICY = "invalid_policy"
    BUSY = "busy"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def needs_person(self) -> bool:
        """Whether a person has to do something before the lane goes on."""
        return self in {
            StopReason.WAITING,
            StopReason.INVALID_POLICY,
            StopReason.STALE_POLICY,
            StopReason.REFUSED,
            StopReason.FAILED,
        }


class DeferReason(StrEnum):
    """Why an account that is due is looked at again later."""

    LOCKED = "locked"
    HOLD = "hold"
    NEWER_ACTIVITY = "newer_activity"
    NEWER_CREDENTIAL = "newer_credential"
    TIMEOUT = "timeout"
    ERROR = "error"
    PARTIAL = "partial"


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in the order of (activity, id), as the database's own texts."""

    activity: str
    key: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Behind:
    """Where the pass through what lies behind the watermark (reconcile) stands."""

    digest: str | None
    cursor: Position | None
    started_at: datetime | None
    finished_at: datetime | None


NOTHING_BEHIND = Behind(digest=None, cursor=None, started_at=None, finished_at=None)


@dataclass(frozen=True, kw_only=True)
class LaneState:
    """A lane's row."""

    tenant_id: str
    scope: Scope
    watermark: Position | None
    policy_digest: str | None
    map_digest: str | None
    behind: Behind
    waiting_since: datetime | None
    allowance: Allowance | None
    head_hash: str | None

    @property
    def place(self) -> str:
        """The watermark as one text, to see whether the lane has moved; empty at the beginning."""
        if self.watermark is None:
            return ""
        return json.dumps([self.watermark.activity, *self.watermark.key])

    @classmethod
    def new(cls, tenant_id: str, scope: Scope) -> LaneState:
        """The lane of a tenant that no sweep has seen yet."""
        return cls(
            tenant_id=tenant_id,
            scope=scope,
            watermark=None,
            policy_digest=None,
            map_digest=None,
            behind=NOTHING_BEHIND,
            waiting_since=None,
            allowance=None,
            head_hash=None,
        )
