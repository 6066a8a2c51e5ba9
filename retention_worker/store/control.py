"""The pause of everything, and the memory of the clock guard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.store.session import Session

__all__ = ["Pause", "accept_clock", "latest_start", "pause", "paused", "resume"]


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Who stopped all sweeps, why, and until when."""

    at: datetime
    actor: str
    reason: str
    until: datetime | None


def paused(session: Session, now: datetime) -> Pause | None:
    """The pause that is in force, if any."""
    row = session.row("control.read")
    if row is None or row["paused_at"] is None:
        return None
    if row["paused_until"] is not None and row["paused_until"] <= now:
        return None
    return Pause(
        at=row["paused_at"],
        actor=row["paused_by"],
        reason=row["pause_reason"],
        until=row["paused_until"],
    )


def pause(session: Session, actor: str, reason: str, now: datetime, until: datetime | None) -> None:
    """Stop every sweep before its next batch."""
    session.run("control.pause", {"actor": actor, "reason": reason, "now": now, "until": until})


def resume(session: Session) -> None:
    """Let sweeps go again."""
    session.run("control.resume")


def latest_start(session: Session) -> datetime | None:
    """The latest start of a sweep, of those that count."""
    found = session.value("control.latest_start")
    assert found is None or isinstance(found, datetime)
    return found


def accept_clock(session: Session, actor: str, reason: str, now: datetime) -> None:
    """Let the starts of all sweeps so far count no more."""
    session.run("control.accept_clock", {"actor": actor, "reason": reason, "now": now})
