"""How many accounts a batch takes and how long the pause after it is."""

from __future__ import annotations

from dataclasses import dataclass
from random import random

from retention_worker.store.own.pace import LONGEST_PAUSE_SECONDS

# Before anything was measured: fewer than any database erases in a batch's time.
_FIRST_SIZE = 32
# However dear accounts were before: fewer say nothing of what one takes.
_LEAST_FIRST = 8
# Growing slowly, shrinking at once: a batch that is too long costs the application, not us.
_GROWTH = 1.2
# Batches that a replica takes in a row before it lets another go first, and by how much longer its
# pause is then: too seldom and too little to change the pace. Whose turn begins has cold caches, so
# that its first batches erase a fifth less in the same time.
_TURN = 20
_GIVING_WAY = 0.5
# Those who wait come later than the one whose turn it is by so much of a batch's time.
_BEHIND = 0.5
# A smoothed estimate forgets a single slow batch after about five.
_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """What a batch needs to keep the pace that all replicas share.

    `factor`: how many times as long as the batch the pause after it is. `beyond`: seconds of a
    batch that the transaction does not see itself: its commit.
    """

    streams: int
    factor: float
    beyond: float


class Pace:
    """Follows a target time with a smoothed estimate of the time an account takes.

    Args:
        largest: accounts in a batch, at the most.
        duty_cycle_percent: the share of the time in which batches run; 100: no pauses.
        target_seconds: how long a batch should take.
        known: what an account took before, if that is known.
    """

    def __init__(
        self,
        largest: int,
        duty_cycle_percent: int,
        target_seconds: float,
        known: float | None = None,
    ) -> None:
        self._largest = largest
        self._duty = duty_cycle_percent / 100
        self._taken = 0
        self._target = target_seconds
        self.seconds_each = known
        # Half of what went before: another tenant's accounts may be larger.
        wanted = self._wanted(2 * known) if known is not None else _FIRST_SIZE
        self.size = min(max(wanted, _LEAST_FIRST), largest)

    def _wanted(self, each: float) -> int:
        return max(1, int(self._target / max(each, 1e-6)))

    def took(self, accounts: int, seconds: float) -> None:
        """Note a batch that went as usual."""
        # The last few of a lane are dear, because most of what a batch costs it costs once.
        few = 2 * accounts < self.size and seconds <= self._target
        if accounts <= 0 or few:
            return
        each, known = seconds / accounts, self.seconds_each
        self.seconds_each = each if known is None else known + _WEIGHT * (each - known)
        wanted = self._wanted(self.seconds_each)
        self.size = max(1, min(wanted, int(self.size * _GROWTH) + 1, self._largest))

    def factor(self, slow: float = 1.0) -> float:
        """How many times as long as a batch the pause after it is; `slow`: times the usual."""
        return slow / self._duty - 1

    def pause(self, seconds: float, slow: float = 1.0) -> float:
        """Seconds to pause after a batch of so many."""
        return min(seconds * self.factor(slow), LONGEST_PAUSE_SECONDS)

    def after(self, pause: float) -> float:
        """Seconds until this replica's next batch: others come first where it has had its turn."""
        self._taken = (self._taken + 1) % _TURN
        if self._taken or pause == 0:
            return pause
        return pause * (1 + _GIVING_WAY) + self._target * _BEHIND

    def running(self) -> float:
        """Seconds to wait while another replica's batch runs: once to twice what one takes."""
        return _up_to_twice(self._target)

    def behind(self, pause: float) -> float:
        """Seconds to wait for the end of another replica's pause, and up to twice as long.

        The one whose turn it is comes first, and the others not at once: what all of them ask then
        would slow its batch.
        """
        return self._target * _BEHIND + _up_to_twice(pause)

    def halve(self) -> bool:
        """After a time-out: half the size; False where a single account was too much already."""
        if self.size == 1:
            return False
        self.size //= 2
        return True


def _up_to_twice(seconds: float) -> float:
    return seconds * (1 + random())  # noqa: S311 - spreads load, hides nothing
