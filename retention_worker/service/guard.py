"""Guards: the clock, and how many accounts a lane may erase before a person has looked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention_worker.clock import Clock
from retention_worker.domain.errors import GuardRefused
from retention_worker.service.survey import Survey, due_at_most, eligible
from retention_worker.settings import Settings
from retention_worker.store import accounts, control
from retention_worker.store.approvals import Approval
from retention_worker.store.pool import Connection, writing
from retention_worker.store.session import Session

__all__ = ["Verdict", "judge", "start_time"]

# More than any database has accounts.
_COUNT_LIMIT = 10**12


def start_time(
    conn: Connection,
    clock: Clock,
    database_clock: Callable[[Connection], datetime],
    settings: Settings,
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
    with writing(conn):
        last = control.latest_start(Session(conn, settings.schema_name))
    if last is not None and last - start > skew:
        raise GuardRefused(
            f"the last sweep started at {last:%Y-%m-%d %H:%M:%S} UTC, after now "
            f"({start:%Y-%m-%d %H:%M:%S}): set the clock right, or run "
            "`retention-worker clock accept --reason ...` if that sweep's clock was wrong"
        )
    return start


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How many accounts a lane may erase now; `reason` where it must wait."""

    permit: int
    reason: str | None = None


def judge(
    session: Session, survey: Survey, settings: Settings, approval: Approval | None
) -> Verdict:
    """Whether a lane may erase what is due now.

    An upper bound by the index is enough in nearly every sweep; only where that is too much is
    each account looked at, and no further than the limit.
    """
    if approval is None and settings.guard_percent == 100:  # turned off by the operator
        return Verdict(permit=sys.maxsize)
    least = settings.guard_min_accounts if approval is None else approval.remaining
    if due_at_most(session, survey, least + 1) <= least:
        return Verdict(permit=least)
    bound = due_at_most(session, survey, _COUNT_LIMIT)
    limit = least if approval is not None else _limit(session, survey, settings, bound)
    if bound <= limit or _more_than(session, survey, limit) <= limit:
        return Verdict(permit=limit)
    return Verdict(permit=0, reason=_reason(bound, limit, approval))


def _limit(session: Session, survey: Survey, settings: Settings, due: int) -> int:
    """The larger of a number and a percentage of the live accounts.

    They are counted no further than `due` needs, so that the cost follows what is due.
    """
    needed = -(-due * 100 // settings.guard_percent)
    lane = survey.lane
    live = accounts.count_live(session, survey.compiled, lane.tenant_id, lane.watermark, needed)
    return max(settings.guard_min_accounts, live * settings.guard_percent // 100)


def _more_than(session: Session, survey: Survey, limit: int) -> int:
    found = 0
    for page in eligible(session, survey):
        found += len(page)
        if found > limit:
            break
    return found


def _reason(bound: int, limit: int, approval: Approval | None) -> str:
    if approval is not None:
        return (
            f"up to {bound} accounts are due and the approval covers {limit} more: "
            "look at `plan` and approve again"
        )
    return (
        f"up to {bound} accounts are due and {limit} may go without a person: "
        "look at `plan`, then `approve`"
    )
