"""Counts failed attempts to prove who one is, and says when there were too many."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from retention_worker.clock import Monotonic

_MOST = 10
_WINDOW_SECONDS = 60.0
# So many names are remembered; who makes up more makes the oldest forgotten, and gains nothing: a
# name that is made up opens nothing.
_NAMES = 10_000


class Failures:
    """The failures of the last minute by name; ten, and the name has to wait."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._times: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait(self, name: tuple[str, str]) -> int | None:
        """Seconds until the name may try again; None: now."""
        now = self._monotonic()
        with self._lock:
            times = self._times.get(name)
            if times is None or len(times) < _MOST:
                return None
            left = times[0] + _WINDOW_SECONDS - now
            return int(left) + 1 if left > 0 else None

    def note(self, name: tuple[str, str]) -> None:
        """Count a failed attempt."""
        with self._lock:
            times = self._times.setdefault(name, deque(maxlen=_MOST))
            self._times.move_to_end(name)
            times.append(self._monotonic())
            if len(self._times) > _NAMES:
                self._times.popitem(last=False)

    def forget(self, name: tuple[str, str]) -> None:
        """It succeeded."""
        with self._lock:
            self._times.pop(name, None)
