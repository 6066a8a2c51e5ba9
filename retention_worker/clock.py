"""The worker's clock: the one place that reads the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns an aware UTC datetime."""

Monotonic = Callable[[], float]
"""Returns seconds that never run backwards, for budgets and pace alone."""


def utc_now() -> datetime:
    """The time of this host, aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since some start, for budgets and pace."""
    return time.monotonic()
