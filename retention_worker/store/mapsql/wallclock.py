"""What the clocks on the wall show in a zone that puts them forward and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MICROSECOND = timedelta(microseconds=1)
# No zone ever moved its clocks by more than a day, or twice within two.
_REACH = timedelta(hours=25)


def latest_local(instant: datetime, zone: ZoneInfo) -> datetime:
    """The latest wall-clock time (naive) up to which no reading lies after `instant`.

    In the hour that a zone runs through twice, a wall-clock time stands for two instants; while
    the first is running, the second may be what a row means, so the answer stays before that hour.
    A time in an hour that a zone leaves out is no time at all, but a row may hold it, and it reads
    as up to that much later than the clocks then show.
    """
    latest = _wall(instant, _offset(instant, zone))
    for at, before, after in _changes(instant, zone):
        if after < before and instant < at:
            latest = min(latest, _wall(at, after) - _MICROSECOND)
        elif before < after and at <= instant and _wall(instant, before) < _wall(at, after):
            latest = min(latest, _wall(instant, before))
    return latest


def _changes(instant: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """The changes of the zone's offset near the instant: when, from what and to what."""
    for start, end in ((instant - _REACH, instant), (instant, instant + _REACH)):
        before, after = _offset(start, zone), _offset(end, zone)
        if before != after:
            yield _end_of(before, start, end, zone), before, after


def _end_of(offset: timedelta, start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The first instant in (start, end] at which the offset is another, found by halving."""
    while end - start > _MICROSECOND:
        middle = start + (end - start) // 2
        if _offset(middle, zone) == offset:
            start = middle
        else:
            end = middle
    return end


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _wall(instant: datetime, offset: timedelta) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None) + offset
