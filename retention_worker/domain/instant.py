"""Instants as texts: ISO 8601, UTC, and the last one, which stands for infinity."""

from __future__ import annotations

from datetime import UTC, datetime

# Python's last instant: what PostgreSQL calls infinity, or has in a year that Python has not.
_END = datetime.max.replace(tzinfo=UTC)


def is_endless(instant: datetime) -> bool:
    """Whether it stands for infinity, or for what is after the calendar's last year."""
    return instant == _END


def stamp(instant: datetime) -> str:
    """ISO 8601, UTC, six digits.

    Raises:
        ValueError: the instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant has a time zone")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
