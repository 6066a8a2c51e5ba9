"""How many accounts a batch takes and how long the pause after it is."""

from __future__ import annotations

__all__ = ["Pace"]

# A batch of about this length is far below what a user of the application notices.
_TARGET_SECONDS = 0.025
_FIRST_SIZE = 32
# Growing slowly, shrinking at once: a batch that is too long costs the application, not us.
_GROWTH = 1.2
# A smoothed estimate forgets a single slow batch after about five.
_WEIGHT = 0.3
_LONGEST_PAUSE_SECONDS = 10.0


class Pace:
    """Follows a target time with a smoothed estimate of the time an account takes.

    Args:
        largest: accounts in a batch, at the most.
        duty_cycle_percent: the share of the time in which batches run; 100: no pauses.
    """

    def __init__(self, largest: int, duty_cycle_percent: int) -> None:
        self._largest = largest
        self._duty = duty_cycle_percent / 100
        self._estimate: float | None = None
        self.size = min(_FIRST_SIZE, largest)

    def took(self, accounts: int, seconds: float) -> float:
        """Note a batch; the seconds to pause now come back."""
        if accounts > 0:
            each = seconds / accounts
            known = self._estimate
            self._estimate = each if known is None else known + _WEIGHT * (each - known)
            wanted = int(_TARGET_SECONDS / max(self._estimate, 1e-6))
            self.size = max(1, min(wanted, int(self.size * _GROWTH) + 1, self._largest))
        return min(seconds * (1 / self._duty - 1), _LONGEST_PAUSE_SECONDS)

    def halve(self) -> bool:
        """After a time-out: half the size; False where a single account was too much already."""
        if self.size == 1:
            return False
        self.size //= 2
        return True
