"""The safe side of a wall-clock time: no reading of what is compared lies after the cutoff."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retention_worker.store.catalog import Column
from retention_worker.store.mapsql.timecolumn import TimeSql
from retention_worker.store.mapsql.wallclock import latest_local

MICROSECOND = timedelta(microseconds=1)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Europe/Dublin",  # the winter is the exception
    "America/Sao_Paulo",  # around midnight
    "Atlantic/Azores",  # back to midnight
    "Africa/Casablanca",  # for a month of the year
    "Pacific/Apia",  # left a whole day out
    "America/Juneau",  # had a day twice
    "Asia/Kathmandu",
    "UTC",
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


def changes(zone: ZoneInfo, first: int = 1995, last: int = 2037) -> list[datetime]:
    """The instants around which the zone's offset changes, to the hour."""
    hour, found = datetime(first, 1, 1, tzinfo=UTC), []
    while hour.year < last:
        following = hour + timedelta(hours=6)
        if hour.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            found.append(hour)
        hour = following
    return found


CHANGES = [(zone, at) for zone in map(ZoneInfo, ZONES) for at in changes(zone)]
anywhere = st.tuples(
    zones,
    st.datetimes(datetime.fromisoformat("1840-01-01"), datetime.fromisoformat("2200-01-01")),
).map(lambda drawn: (drawn[0], drawn[1].replace(tzinfo=UTC)))
near_a_change = st.tuples(
    st.sampled_from(CHANGES), st.timedeltas(timedelta(hours=-30), timedelta(hours=36))
).map(lambda drawn: (drawn[0][0], drawn[0][1] + drawn[1]))
lengths = st.one_of(
    st.just(timedelta(0)),
    st.timedeltas(timedelta(0), timedelta(hours=3)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)


def latest_reading(wall: datetime, zone: ZoneInfo) -> datetime:
    """The later of the two instants that a wall-clock time may stand for."""
    return max(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


@example(
    when=(ZoneInfo("Europe/Berlin"), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)), back=timedelta(0)
)
@example(
    when=(ZoneInfo("Europe/Berlin"), datetime(2026, 3, 29, 1, 10, tzinfo=UTC)),
    back=timedelta(minutes=40),
)
@given(when=st.one_of(near_a_change, anywhere), back=lengths)
def test_no_reading_lies_after_the_instant(
    when: tuple[ZoneInfo, datetime], back: timedelta
) -> None:
    """Whatever a row holds at or before the bound, and however it is read, it is not later."""
    zone, instant = when
    wall = latest_local(instant, zone) - back
    assert latest_reading(wall, zone) <= instant


@given(when=st.one_of(near_a_change, anywhere))
def test_it_is_the_latest_such(when: tuple[ZoneInfo, datetime]) -> None:
    """One microsecond more would be too late: nothing stays longer than the clocks demand."""
    zone, instant = when
    assert latest_reading(latest_local(instant, zone) + MICROSECOND, zone) > instant


@given(when=st.one_of(near_a_change, anywhere), length=lengths)
def test_it_only_moves_forward(when: tuple[ZoneInfo, datetime], length: timedelta) -> None:
    """A later cutoff never has an earlier bound."""
    zone, instant = when
    assert latest_local(instant, zone) <= latest_local(instant + length, zone)


@given(when=st.one_of(near_a_change, anywhere), back=st.integers(0, 3))
def test_a_date_is_due_when_its_day_is_over(when: tuple[ZoneInfo, datetime], back: int) -> None:
    """A `date` at or before the bound: midnight after it, read either way, is not later."""
    zone, instant = when
    kind = Column(name="day", type_schema="pg_catalog", type_name="date", not_null=False)
    time = TimeSql(columns=("day",), info=kind, per_second=None, zone=zone.key)
    day = datetime.fromisoformat(time.bound(instant)) - timedelta(days=back)
    assert latest_reading(day + timedelta(days=1), zone) <= instant
    assert back or latest_reading(day + timedelta(days=2), zone) > instant


@pytest.mark.parametrize(
    ("kind", "per_second", "just_due"),
    [
        ("int8", 1_000_000, "1773576000123456"),
        ("int8", 1_000, "1773576000123"),
        ("int4", 1, "1773576000"),
        ("numeric", 1, "1773576000.123456"),
        ("float8", 1_000, "1773576000123.456"),
        ("timestamptz", None, "2026-03-15 12:00:00.123456+00:00"),
    ],
)
def test_bounds_of_other_types(kind: str, per_second: int | None, just_due: str) -> None:
    """An epoch number is cut off, never rounded up."""
    info = Column(name="at", type_schema="pg_catalog", type_name=kind, not_null=False)
    time = TimeSql(columns=("at",), info=info, per_second=per_second, zone="UTC")
    assert time.bound(datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)) == just_due
