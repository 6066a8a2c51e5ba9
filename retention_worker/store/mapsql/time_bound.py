"""The inverse of a time column's bound: the first cutoff that a value is not after."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from retention_worker.store.mapsql.timecolumn import TimeSql

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
"""Stands for every time that no cutoff reaches: infinity, NaN, after the year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A year inside of Python's calendar, so that no time zone leads out of it.
_FIRST = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime(9998, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LONG_YEAR = re.compile(r"\d{5,}-")


def reached(time: TimeSql, value: str | None) -> datetime | None:
    """The earliest instant whose bound the value is not after, to the microsecond.

    So `value <= time.bound(cutoff)` in SQL, and `reached(value) <= cutoff` here, say the same,
    whatever the column's type and time zone.

    Args:
        time: the column.
        value: its value as PostgreSQL's text.

    Returns:
        None where there is no value, or minus infinity. What else no period can be counted from
        is for `time.finite` to say.
    """
    if value is None or value.lower() == "-infinity":
        return None
    if (known := _outside(value)) is not None:
        return known
    if time.info.type_name == "timestamptz":
        return datetime.fromisoformat(value).astimezone(UTC)
    parse = _parser(time.info.type_name)
    wanted = parse(value)
    return _first(lambda at: parse(time.bound(at)) >= wanted)


def instant(text: str | None) -> datetime | None:
    """PostgreSQL's text of a timestamptz, written in UTC; None for minus infinity, too."""
    if text is None or text == "-infinity":
        return None
    known = _outside(text)
    return known if known is not None else datetime.fromisoformat(text).astimezone(UTC)


def _outside(text: str) -> datetime | None:
    """What Python's calendar cannot hold, as its nearer end."""
    if text.lower() in {"infinity", "nan"} or _LONG_YEAR.match(text):
        return END
    return BEGINNING if text.endswith("BC") else None


def _parser(type_name: str) -> Callable[[str], Any]:
    if type_name == "timestamp":
        return datetime.fromisoformat
    if type_name == "date":
        return date.fromisoformat
    return float if type_name == "float8" else Decimal


def _first(is_reached: Callable[[datetime], bool]) -> datetime:
    """Found by halving, so that it can never differ from the bound that the sweep uses."""
    low, high = _FIRST, _LAST
    if not is_reached(_EPOCH + high * _MICROSECOND):
        return END
    while low < high:
        middle = (low + high) // 2
        if is_reached(_EPOCH + middle * _MICROSECOND):
            high = middle
        else:
            low = middle + 1
    return _EPOCH + low * _MICROSECOND
