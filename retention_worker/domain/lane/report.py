"""What a sweep did, or would do, lane by lane: for people, for scripts and for the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from retention_worker.domain.document import in_json
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.objects.object import DrainReport
from retention_worker.domain.scope import Scope


class WarningCode(StrEnum):
    """What is not as it seems though nothing has failed; these names are stable."""

    NO_POLICY = "no_policy"
    POLICY_GONE = "policy_gone"
    POLICY_MATCHES_NO_ACCOUNT = "policy_matches_no_account"
    NO_TENANT = "no_tenant"
    TENANT_NEARLY_THE_SAME = "tenant_nearly_the_same"
    ACTIVITY_IN_THE_FUTURE = "activity_in_the_future"
    CREDENTIAL_IN_THE_FUTURE = "credential_in_the_future"


@dataclass(frozen=True, kw_only=True)
class ReportWarning:
    """A warning; `tenant` is the name of a policy's file, empty where it is of the database."""

    code: WarningCode
    tenant: str
    message: str


@dataclass(frozen=True, kw_only=True)
class LaneReport:
    """A lane of a sweep; `pace` is what slowed or stopped it last, None where nothing did.

    `errors` of the deferred accounts could not be erased: they stay until somebody has looked.
    """

    tenant: str
    scope: Scope | None
    cutoff: datetime | None = None
    policy_digest: str | None = None
    accounts: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    objects_queued: int = 0
    deferred: int = 0
    errors: int = 0
    on_hold: int = 0
    batches: int = 0
    stop_reason: StopReason
    reason: str | None = None
    pace: str | None = None

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to do something."""
        return self.stop_reason.needs_person or self.errors > 0


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """A sweep: its lanes in the order in which they were served.

    `unfinished` says which requests it could not finish, and why; `holds_astray` which holds lost
    their account, or a part of what they held. `objects` is there where the
    outbox was drained at its end.
    """

    sweep_id: int
    started_at: datetime
    finished_at: datetime
    lanes: tuple[LaneReport, ...]
    unfinished: tuple[str, ...] = field(default=(), metadata=in_json("unfinished_requests"))
    holds_astray: tuple[str, ...] = ()
    warnings: tuple[ReportWarning, ...] = ()
    objects: DrainReport | None = field(default=None, metadata=in_json(optional=True))

    @property
    def exit_code(self) -> int:
        """0, or 1 where a lane, a request, a hold or an object needs a person."""
        told = bool(self.unfinished or self.holds_astray or self.warnings)
        lanes = int(told or any(lane.needs_person for lane in self.lanes))
        return max(lanes, self.objects.exit_code if self.objects else 0)


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """A lane of a plan; `stop_reason` and `reason` where a sweep would not erase what is due.

    `errors` of the deferred accounts a sweep could not erase. `place`: where the lane stood,
    so that an approval is of what was shown; None: not known. `shown`: which accounts are due, of a
    lane that waits for a person.
    """

    tenant: str
    scope: Scope | None
    cutoff: datetime | None = None
    policy_digest: str | None = None
    due: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    objects_queued: int = 0
    deferred: int = 0
    errors: int = 0
    on_hold: int = 0
    stop_reason: StopReason | None = None
    reason: str | None = None
    place: str | None = None
    shown: ShownAccounts | None = None

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to do something."""
        waits = self.stop_reason is not None and self.stop_reason.needs_person
        return waits or self.errors > 0

    @classmethod
    def from_json(cls, lane: Mapping[str, Any]) -> LanePlan:
        """A lane of a plan that was saved.

        Raises:
            ValueError, KeyError, TypeError: it is anything else.
        """
        cutoff = lane["cutoff"]
        due = lane["due"]
        if not isinstance(due, int) or due < 0:
            raise ValueError("due is a number")
        return cls(
            tenant=str(lane["tenant"]),
            scope=Scope(lane["scope"]) if lane["scope"] is not None else None,
            cutoff=datetime.fromisoformat(cutoff) if cutoff is not None else None,
            policy_digest=lane["policy_digest"],
            due=due,
            rows={str(name): int(rows) for name, rows in lane["rows"].items()},
            objects_queued=int(lane["objects_queued"]),
            stop_reason=StopReason(lane["stop_reason"]) if lane["stop_reason"] else None,
            reason=lane["reason"],
            place=lane.get("place"),
            shown=ShownAccounts.from_text(lane["shown"]) if lane.get("shown") is not None else None,
        )


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """A plan at one instant; `holds_astray` as in `SweepReport`."""

    at: datetime
    lanes: tuple[LanePlan, ...]
    holds_astray: tuple[str, ...] = ()
    warnings: tuple[ReportWarning, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or 1 where a lane needs a person, or something is not as it seems."""
        told = bool(self.warnings or self.holds_astray)
        return int(told or any(lane.needs_person for lane in self.lanes))
