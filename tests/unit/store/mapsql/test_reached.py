"""The inverse of a bound, in every type of time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from retention_worker.store.catalog import Column
from retention_worker.store.mapsql.time_bound import BEGINNING, END, instant, reached
from retention_worker.store.mapsql.timecolumn import TimeSql

MICROSECOND = timedelta(microseconds=1)
# The last two have days without a midnight, and a day that was left out whole.
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"]
TIMES = some.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - wall clocks


def time_of(type_name: str, zone: str = "UTC", per_second: int | None = None) -> TimeSql:
    """A column of that type."""
    info = Column(name="at", type_schema="pg_catalog", type_name=type_name, not_null=False)
    return TimeSql(columns=("at",), info=info, per_second=per_second, zone=zone)


def assert_first(time: TimeSql, value: Any, parse: Any) -> None:
    """The instant that comes out is the first whose bound has reached the value."""
    at = reached(time, str(value))
    assert at is not None
    assert parse(time.bound(at)) >= value
    assert parse(time.bound(at - MICROSECOND)) < value


@given(TIMES, some.sampled_from(ZONES))
def test_a_wall_clock(wall: datetime, zone: str) -> None:
    """A timestamp without time zone, in hours that come twice and never, too."""
    assert_first(time_of("timestamp", zone), wall, datetime.fromisoformat)


@given(TIMES, some.sampled_from(ZONES))
def test_a_date(day: datetime, zone: str) -> None:
    """A date is reached at its end."""
    assert_first(time_of("date", zone), day.date(), date.fromisoformat)


@given(some.integers(-(10**9), 10**10), some.sampled_from([1, 1_000, 1_000_000]))
def test_a_number(seconds: int, per_second: int) -> None:
    """Whole numbers since the epoch, in each unit."""
    assert_first(time_of("int8", per_second=per_second), seconds, int)


@given(some.decimals(0, 4 * 10**9, places=9))
def test_a_number_with_more_digits_than_a_time(seconds: Decimal) -> None:
    """What lies between two microseconds is reached at the later one."""
    assert_first(time_of("numeric", per_second=1), seconds, Decimal)


@given(some.floats(0, 4e9))
def test_a_floating_number(seconds: float) -> None:
    """Compared as the database does, as a number of the same type."""
    assert_first(time_of("float8", per_second=1), seconds, float)


@given(some.datetimes(timezones=some.just(UTC)))
def test_an_instant_is_itself(at: datetime) -> None:
    """A timestamp with time zone needs no search."""
    assert reached(time_of("timestamptz"), at.isoformat(sep=" ")) == at
    assert instant(at.isoformat(sep=" ")) == at


@pytest.mark.parametrize(
    ("type_name", "per_second", "value", "expected"),
    [
        ("timestamptz", None, None, None),
        ("timestamptz", None, "-infinity", None),
        ("timestamptz", None, "infinity", END),
        ("timestamptz", None, "0044-03-15 12:00:00+00 BC", BEGINNING),
        ("timestamptz", None, "294276-12-31 23:59:59.999999+00", END),
        ("date", None, "5874897-12-31", END),
        ("timestamp", None, "infinity", END),
        ("int8", 1_000, str(2**63 - 1), END),
        ("float8", 1, "NaN", END),
        ("float8", 1, "Infinity", END),
        ("float8", 1, "-Infinity", None),
        ("numeric", 1, "NaN", END),
    ],
)
def test_what_python_has_no_time_for(
    type_name: str, per_second: int | None, value: str | None, expected: datetime | None
) -> None:
    """Nothing and minus infinity are none; what no cutoff reaches is the end."""
    assert reached(time_of(type_name, per_second=per_second), value) == expected
