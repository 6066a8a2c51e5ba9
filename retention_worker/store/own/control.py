"""The pause of everything, and the memory of the clock guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.lane.allowance import Allowance
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.session import Session
from retention_worker.store.own.lanes import allowance_of


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Who stopped all sweeps, why, and until when."""

    at: datetime
    actor: str
    reason: str
    until: datetime | None


def paused(session: Session, now: datetime) -> Pause | None:
    """The pause that is in force, if any."""
    return ask_paused(session, now).get()


def ask_paused(session: Session, now: datetime) -> Pending[Pause | None]:
    """Ask for the pause that is in force; the answer comes later."""
    return Pending(session.send("control.read"), lambda answer: _in_force(answer.row(), now))


def _in_force(row: Mapping[str, Any] | None, now: datetime) -> Pause | None:
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
    """Stop every sweep before its next batch; another pause that is in force ends with it."""
    pause = {"actor": actor, "reason": reason, "now": now, "until": until}
    for name in ("pause", "end_pauses", "note_pause"):
        session.run(f"control.{name}", pause)


def resume(session: Session, now: datetime) -> None:
    """Let sweeps go again."""
    for name in ("resume", "end_pauses"):
        session.run(f"control.{name}", {"now": now})


def total_allowance(session: Session) -> tuple[Allowance | None, bool]:
    """What all lanes have together, and whether one waits for it."""
    row = session.row("control.total_allowance")
    assert row is not None
    return allowance_of(row["total_allowance"], row["total_allowance_at"]), row["total_waits"]


def lock_total(session: Session) -> None:
    """Let nobody else reserve of the total until the transaction ends."""
    session.run("control.lock_total")


def set_total_allowance(session: Session, allowance: Allowance, *, waits: bool) -> None:
    """Note what all lanes have together."""
    session.run(
        "control.set_total_allowance",
        {"accounts": allowance.accounts, "at": allowance.at, "waits": waits},
    )


def give_back(session: Session, accounts: int) -> None:
    """Return what a lane had reserved of the total and did not need."""
    if accounts > 0:
        session.run("control.give_back", {"accounts": accounts})


def latest_start(session: Session) -> datetime | None:
    """The latest start of a sweep, of those that count."""
    found = session.value("control.latest_start")
    assert found is None or isinstance(found, datetime)
    return found


def accept_clock(session: Session, actor: str, reason: str, now: datetime) -> None:
    """Let the starts of all sweeps so far count no more, nor the times that they set."""
    session.run("control.accept_clock", {"actor": actor, "reason": reason, "now": now})
    for name in ("accept_total", "accept_lanes", "accept_tenants", "accept_deferred"):
        session.run(f"control.{name}", {"now": now})
