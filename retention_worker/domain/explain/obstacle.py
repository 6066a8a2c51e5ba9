"""What can keep due credentials from going, each as an obstacle with its words."""

from __future__ import annotations

from datetime import datetime

from retention_worker.domain.explain.explanation import Obstacle, State
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.policy.window import Window

_DEFERRED = {
    DeferReason.LOCKED: "the account was in use when its turn came",
    DeferReason.TIMEOUT: "the database was too busy when its turn came",
    DeferReason.ERROR: "the database refused to erase it",
    DeferReason.PARTIAL: "a part of it is erased, and the rest follows",
}


def day_and_time(moment: datetime) -> str:
    """A time in UTC, to the second, saying so."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def held(
    *, number: int, placed_at: datetime, by: str, reason: str, until: datetime | None
) -> Obstacle:
    """A legal hold; why and by whom is for those who asked, not for the person."""
    end = f"until {day_and_time(until)}" if until else "until it is released"
    return Obstacle(
        state=State.ON_HOLD,
        text=f"a legal hold keeps everything of this account {end}",
        detail=f"hold {number}, placed {day_and_time(placed_at)} by {by}: {reason}",
    )


def paused(*, at: datetime, by: str, reason: str, until: datetime | None) -> Obstacle:
    """Every sweep is paused."""
    end = f"until {day_and_time(until)}" if until else "until somebody resumes it"
    return Obstacle(
        state=State.PAUSED,
        text=f"all erasure by age is paused {end}",
        detail=f"paused {day_and_time(at)} by {by}: {reason}; `resume` ends it",
    )


def paused_in_file(file: str) -> Obstacle:
    """The tenant is paused in its policy file."""
    return Obstacle(
        state=State.PAUSED,
        text="erasure by age is paused for this tenant",
        detail=f"{file} says paused: true",
    )


def waiting(*, since: datetime, reason: str | None) -> Obstacle:
    """The lane waits for an approval."""
    return Obstacle(
        state=State.WAITING,
        text=f"since {day_and_time(since)} the erasure waits for somebody to approve it",
        detail=reason,
    )


def refused(reason: str) -> Obstacle:
    """No sweep at all would start now."""
    return Obstacle(
        state=State.STOPPED,
        text="erasure is stopped until the operator has mended something",
        detail=reason,
    )


def stopped(reason: StopReason, text: str | None) -> Obstacle:
    """The last sweep of the lane ended where only a person can help."""
    return Obstacle(
        state=State.STOPPED,
        text="the last sweep of this tenant could not do its work",
        detail=f"{reason}: {text}" if text else str(reason),
    )


def out_of_reach(detail: str) -> Obstacle:
    """Rows hang on the account that say another tenant, or none, or are another account's, too."""
    return Obstacle(
        state=State.STOPPED,
        text="some of it is filed under another tenant, or is another account's, too, so that "
        "nobody may erase it",
        detail=detail,
    )


def deferred(
    reason: DeferReason, *, attempts: int, retry_at: datetime, detail: str | None
) -> Obstacle:
    """This account is tried again later."""
    tried = f"; tried {attempts} time{'' if attempts == 1 else 's'}" if attempts else ""
    text = _DEFERRED.get(reason, "something newer was found")
    return Obstacle(
        state=State.DEFERRED,
        text=f"{text}{tried}, next at {day_and_time(retry_at)}",
        detail=detail,
    )


def window_closed(window: Window) -> Obstacle:
    """Sweeps erase in certain hours only."""
    return Obstacle(
        state=State.OUTSIDE_WINDOW,
        text=f"erasure runs only in the hours {window}",
        detail=None,
    )


def behind() -> Obstacle:
    """The account appeared behind what sweeps have gone through already."""
    return Obstacle(
        state=State.BEHIND,
        text="it came up, or came back, after sweeps had passed its date: they look there again "
        "bit by bit, and once a week in full",
        detail="`sweep --reconcile` looks there at once",
    )
