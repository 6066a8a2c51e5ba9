"""What keeps whole lanes from erasing by age, whichever accounts are due.

A sweep asks before each batch, a plan once, and an explanation says the same in a person's words. A
further rule (bank holidays, a change freeze) is one function here and its place in one of the two
lists below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.explain import obstacle
from retention_worker.domain.explain.explanation import Obstacle
from retention_worker.domain.lane.lane import StopReason
from retention_worker.settings import WorkerSettings
from retention_worker.store.own.control import Pause


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Why lanes do nothing now.

    `reason` is for the report of a sweep or a plan, `obstacle` for whoever asks about an account.
    """

    stop: StopReason
    reason: str
    obstacle: Obstacle


def of_operator(settings: WorkerSettings, now: datetime) -> Iterator[Halt]:
    """For all lanes, by what the operator has set: asked between two batches, too."""
    yield from _window(settings, now)


def of_people(pause: Pause | None, file: PolicyFile | None) -> Iterator[Halt]:
    """By what somebody has said: the pause of everything, and that of a tenant in its file."""
    yield from _pause_in_file(file)
    yield from _pause(pause)


def _window(settings: WorkerSettings, now: datetime) -> Iterator[Halt]:
    window = settings.window
    if window is not None and not window.contains(now):
        yield Halt(
            stop=StopReason.WINDOW_CLOSED,
            reason=f"outside {window}",
            obstacle=obstacle.window_closed(window),
        )


def _pause(pause: Pause | None) -> Iterator[Halt]:
    if pause is not None:
        yield Halt(
            stop=StopReason.PAUSED,
            reason=f"paused by {pause.actor}: {pause.reason}",
            obstacle=obstacle.paused(
                at=pause.at, by=pause.actor, reason=pause.reason, until=pause.until
            ),
        )


def _pause_in_file(file: PolicyFile | None) -> Iterator[Halt]:
    if file is not None and file.policy.paused:
        yield Halt(
            stop=StopReason.PAUSED,
            reason=f"paused in {file.path}",
            obstacle=obstacle.paused_in_file(str(file.path)),
        )
