"""The pause of everything, and the acceptance of a clock that was wrong."""

from __future__ import annotations

from datetime import datetime

from retention_worker.domain.errors import ConfigurationError
from retention_worker.service.context import Context
from retention_worker.store.own import control


def pause(context: Context, *, reason: str, actor: str, until: datetime | None) -> None:
    """Stop every sweep before its next batch; ad-hoc erasure goes on.

    Raises:
        ConfigurationError: `until` is in the past.
    """
    now = context.clock()
    if until is not None and until <= now:
        raise ConfigurationError("--until: the time has passed: write a later one")
    with context.writing() as session:
        control.pause(session, actor, reason, now, until)


def resume(context: Context) -> bool:
    """Let sweeps go again; whether there was a pause."""
    with context.writing() as session:
        now = context.clock()
        was = control.paused(session, now) is not None
        control.resume(session, now)
    return was


def accept_clock(context: Context, *, reason: str, actor: str) -> None:
    """Let the starts of past sweeps count no more, where one was dated in the future."""
    with context.writing() as session:
        control.accept_clock(session, actor, reason, context.clock())
