"""Guards: the clock, and how many accounts a lane may erase before a person has looked."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention_worker.clock import Clock
from retention_worker.domain.errors import GuardRefused
from retention_worker.domain.lane.allowance import Allowance, Flow, refilled
from retention_worker.domain.lane.lane import LaneState
from retention_worker.domain.scope import Scope
from retention_worker.service.due.survey import LaneView, any_other, count_up_to, due_at_most
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Connection, reading
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import control
from retention_worker.store.own.approvals import OpenApproval

OTHERS = (
    "accounts are due that are not among those that were shown and approved: look at `plan` and "
    "approve again"
)
# More than any database has accounts.
_COUNT_LIMIT = 10**12


def start_time(
    conn: Connection,
    clock: Clock,
    database_clock: Callable[[Connection], datetime],
    settings: WorkerSettings,
) -> datetime:
    """The start of a sweep: the earlier of the worker's and the database's clock.

    Raises:
        GuardRefused: the clocks are too far apart, or time ran backwards since the last sweep.
    """
    skew = timedelta(seconds=settings.max_clock_skew_seconds)
    ours, theirs = clock(), database_clock(conn)
    if abs(ours - theirs) > skew:
        raise GuardRefused(
            f"the worker's clock says {ours:%Y-%m-%d %H:%M:%S} and the database's "
            f"{theirs:%Y-%m-%d %H:%M:%S} UTC, more than {settings.max_clock_skew_seconds} s apart: "
            "set the wrong one right"
        )
    start = min(ours, theirs)
    with reading(conn):
        last = control.latest_start(Session(conn, settings.schema_name))
    if last is not None and last - start > skew:
        raise GuardRefused(
            f"the last sweep started at {last:%Y-%m-%d %H:%M:%S} UTC, after now "
            f"({start:%Y-%m-%d %H:%M:%S}): set the clock right, or run "
            "`retention-worker clock accept --reason ...` if that sweep's clock was wrong"
        )
    return start


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """How many accounts a lane may erase now; `reason` where it must wait.

    `allowance` and `total` are what the lane's and all lanes' allowances have become; None where
    they did not have to be looked at.
    """

    permit: int
    reason: str | None = None
    allowance: Allowance | None = None
    total: Allowance | None = None


@dataclass
class AllowanceGuard:
    """Decides for the lanes of one sweep or plan.

    Args:
        compiled: the data map.
        settings: the operator's numbers.
        days: the longest length of each lane's period.
        lanes: the lanes' rows at the start, for what they have together.
        reserves: a sweep takes what it lets go out of the total, one after the other.
        planned: what a plan has let go before, because it writes nothing.
    """

    compiled: CompiledMap
    settings: WorkerSettings
    days: Mapping[tuple[str, Scope], int]
    lanes: Sequence[LaneState]
    reserves: bool = False
    planned: int = 0

    @property
    def is_off(self) -> bool:
        """Whether the operator has turned the guard off."""
        return self.settings.guard_percent == 100

    def lane(
        self, session: Session, survey: LaneView, approval: OpenApproval | None, *, gone: int = 0
    ) -> Ruling:
        """Whether a lane may erase what is due now; `gone` of it by an approval before (a plan).

        An upper bound by the index is enough in nearly every sweep; only where that is too much is
        each account looked at, and no further than the allowance.
        """
        if approval is None and self.is_off:
            return Ruling(permit=sys.maxsize)
        if approval is not None:
            return self._approved(session, survey, approval)
        due = due_at_most(session, survey, _COUNT_LIMIT) - gone
        allowance = self._allowance(session, survey, due)
        limit = math.floor(allowance.accounts)
        if due > limit:
            exact = count_up_to(session, survey, limit + gone) - gone
            if exact > limit:
                return Ruling(permit=0, allowance=allowance, reason=_too_many(due, limit))
            due = exact
        return self._together(session, due, allowance, survey.now)

    @staticmethod
    def _approved(session: Session, survey: LaneView, approval: OpenApproval) -> Ruling:
        """Let go those that were shown; where others are due, too, a person looks again."""
        if not any_other(session, survey):
            return Ruling(permit=approval.remaining)
        return Ruling(permit=0, reason=OTHERS)

    def _allowance(self, session: Session, survey: LaneView, due: int) -> Allowance:
        """The lane's allowance; it is refilled only where it would not do, which costs a count."""
        lane = survey.lane
        if lane.allowance is not None and due <= lane.allowance.accounts:
            return lane.allowance
        days = self.days[lane.tenant_id, lane.scope]
        needed = self._needed(lane.allowance, due, days, survey.now)
        live = accounts.count_live(
            session, survey.compiled, lane.tenant_id, after=lane.watermark, limit=needed
        )
        return self._refilled(
            lane.allowance, [Flow(live=live, days=days)], survey.now, lane.waiting_since is not None
        )

    def _together(self, session: Session, due: int, allowance: Allowance, now: datetime) -> Ruling:
        """The allowance of the same kind that covers all lanes together."""
        if self.reserves:  # after everything that takes long: the pause is in the same row
            control.lock_total(session)
        known, waits = control.total_allowance(session)
        wanted = due + self.planned
        if known is None or wanted > known.accounts:
            longest = max(self.days.values())
            needed = self._needed(known, wanted, longest, now)
            counts = accounts.count_live_lanes(session, self.compiled, self.lanes, needed)
            flows = [
                Flow(live=live, days=self.days[lane.tenant_id, lane.scope])
                for lane, live in zip(self.lanes, counts, strict=True)
                if (lane.tenant_id, lane.scope) in self.days
            ]
            known = self._refilled(known, flows, now, waits)
        if wanted > known.accounts:
            return Ruling(
                permit=0,
                allowance=allowance,
                total=known,
                reason=f"{due} accounts are due and all lanes together have "
                f"{math.floor(known.accounts - self.planned)} left: look at `plan`, then `approve`",
            )
        return Ruling(permit=due, allowance=allowance, total=known)

    def _needed(self, known: Allowance | None, due: int, days: int, now: datetime) -> int:
        """How many live accounts would be enough, so that no more of them are counted."""
        by_share = -(-due * 100 // self.settings.guard_percent)
        by_half = 2 * due
        if known is None:  # full at first: once, all are counted
            return _COUNT_LIMIT
        elapsed = max((now - known.at) / timedelta(days=1), 1 / 1440)
        by_flow = math.ceil((due - known.accounts) * days / (3 * elapsed))
        return min(max(by_share, by_half, by_flow), _COUNT_LIMIT)

    def _refilled(
        self, known: Allowance | None, flows: Sequence[Flow], now: datetime, waits: bool
    ) -> Allowance:
        return refilled(
            known,
            flows,
            percent=self.settings.guard_percent,
            minimum=self.settings.guard_min_accounts,
            now=now,
            waits=waits,
        )


def _too_many(due: int, limit: int) -> str:
    return (
        f"up to {due} accounts are due and {limit} may go without a person: "
        "look at `plan`, then `approve`"
    )
