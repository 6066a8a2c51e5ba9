"""No more than so many objects a second, whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Throttle:
    """Hands out turns at a steady rate, to several threads.

    Args:
        rate: objects a second; None: as many as the stores take.
        monotonic: seconds that never run backwards.
        wait: sleeps for seconds; True: stop waiting, the process ends.
    """

    def __init__(
        self, rate: int | None, monotonic: Callable[[], float], wait: Callable[[float], bool]
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._wait = wait
        self._lock = threading.Lock()
        self._free_at = monotonic()

    def take(self, objects: int) -> None:
        """Wait until so many may be asked for."""
        if self._rate is None:
            return
        with self._lock:
            now = self._monotonic()
            turn = max(self._free_at, now)
            self._free_at = turn + objects / self._rate
        if turn > now:
            self._wait(turn - now)
