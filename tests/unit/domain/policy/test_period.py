"""Periods: what is read, when it is due, and that a cutoff never erases early."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retention_worker.domain.policy.period import ISO_PATTERN, MAX_YEARS, WORDS_PATTERN, Period

MICROSECOND = timedelta(microseconds=1)
END = datetime.max.replace(tzinfo=UTC)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


periods = (
    st.tuples(st.integers(0, 12 * 40), st.integers(0, 10_000))
    .filter(any)
    .map(lambda parts: Period(months=parts[0], days=parts[1]))
)
# Anywhere in the calendar, and often at the places where it is uneven.
edges = st.builds(
    lambda year, month, shift: datetime(year, month, 1, tzinfo=UTC) + shift,
    st.integers(1800, 2300),
    st.integers(1, 12),
    st.builds(
        lambda days, micros: timedelta(days=days, microseconds=micros),
        st.integers(-4, 4),
        st.integers(-2, 2),
    ),
)
moments = st.one_of(edges, st.datetimes(timezones=st.just(UTC)))


@pytest.mark.parametrize(
    ("text", "months", "days"),
    [
        ("1 day", 0, 1),
        ("1 days", 0, 1),
        ("90 days", 0, 90),
        ("1 week", 0, 7),
        ("6 weeks", 0, 42),
        ("18 months", 18, 0),
        ("3 years", 36, 0),
        ("100 years", 1200, 0),
        ("36525 days", 0, 36_525),
        ("P90D", 0, 90),
        ("P2W", 0, 14),
        ("P1Y6M", 18, 0),
        ("P1Y2M10D", 14, 10),
        ("P100Y", 1200, 0),
    ],
)
def test_reads_words_and_iso(text: str, months: int, days: int) -> None:
    """Years are 12 months, weeks 7 days, and nothing is turned into an average."""
    assert Period.parse(text) == Period(months=months, days=days)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: write"),
        ("  ", "is empty: write"),
        ("90", "'90' has no unit: write 90 days"),
        ("0", "has a zero"),
        ("0 days", "has a zero: write 1 day or more, or never"),
        ("P0D", "has a zero"),
        ("P1Y0M", "has a zero"),
        ("-3 days", "is negative"),
        ("-1", "is negative"),
        ("\u22123 days", "is negative"),
        ("1.5 years", "is a fraction"),
        ("1,5 years", "is a fraction"),
        ("P0.5Y", "is a fraction"),
        ("PT5H", "has a time part"),
        ("P1DT2H", "has a time part"),
        ("36 hours", "has a time part"),
        ("007 days", "starts with 0"),
        ("P01D", "starts with 0"),
        ("90  days", "write 90 days"),
        ("90days", "write 90 days"),
        ("90 Days", "write 90 days"),
        (" 1 Year", "write 1 year"),
        ("90 days\n", "write 90 days"),
        ("1 year 6 months", "write them as ISO 8601 does, such as P1Y6M"),
        ("P", "is not a period"),
        ("P1M1Y", "is not a period"),
        ("P1W2D", "is not a period"),
        ("p90d", "is not a period"),
        ("P1D\n", "is not a period"),
        ("ninety days", "is not a period"),
        ("\u0663 days", "is not a period"),
        ("never", "is not a period"),
        ("101 years", "longer than 100 years"),
        ("1201 months", "longer than 100 years"),
        ("36526 days", "longer than 100 years"),
        ("P100Y1D", "longer than 100 years"),
        ("9" * 5_000 + " days", "longer than 100 years"),
    ],
)
def test_refuses_and_says_what_to_write(text: str, message: str) -> None:
    """Everything else is refused, in one line that has what to write."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Period.parse(text)
    assert re.search(r": write |write \d", str(caught.value))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.text(alphabet="0123456789 PYMWDTdaysweekmonthyr.,-\n", max_size=14))
def test_the_patterns_are_the_grammar(text: str) -> None:
    """What the JSON Schema lets pass is what is read, but for the upper bound."""
    fits = re.fullmatch(f"{WORDS_PATTERN}|{ISO_PATTERN}", text) is not None
    try:
        Period.parse(text)
        read = True
    except ValueError as exc:
        read = "longer than" in str(exc)
    assert fits == read


@pytest.mark.parametrize(
    ("months", "days"), [(0, 0), (-1, 40), (1, -1), (MAX_YEARS * 12 + 1, 0), (1200, 1)]
)
def test_construction_refuses_what_is_no_period(months: int, days: int) -> None:
    """No way around the grammar leads to a period that is empty, negative or endless."""
    with pytest.raises(ValueError, match=r"a period is|is longer than"):
        Period(months=months, days=days)


@given(periods)
def test_iso_reads_back(period: Period) -> None:
    """`iso` is one text for one period, and the text is the period."""
    assert Period.parse(period.iso) == period


@pytest.mark.parametrize(
    ("text", "shown", "iso"),
    [
        ("90 days", "90 days", "P90D"),
        ("1 days", "1 day", "P1D"),
        ("2 weeks", "14 days", "P14D"),
        ("12 months", "1 year", "P1Y"),
        ("18 months", "1 year 6 months", "P1Y6M"),
        ("P1Y2M10D", "1 year 2 months 10 days", "P1Y2M10D"),
    ],
)
def test_shown_in_one_way(text: str, shown: str, iso: str) -> None:
    """Two spellings of one period look the same."""
    assert (str(Period.parse(text)), Period.parse(text).iso) == (shown, iso)


@pytest.mark.parametrize(
    ("activity", "period", "due"),
    [
        ("2026-01-01 10:00", "90 days", "2026-04-01 10:00"),
        ("2026-01-28 18:00", "1 month", "2026-02-28 18:00"),
        ("2026-01-31 12:00", "1 month", "2026-02-28 23:59:59.999999"),
        ("2026-01-30 18:00", "1 month", "2026-02-28 23:59:59.999999"),
        ("2024-01-30 18:00", "1 month", "2024-02-29 23:59:59.999999"),
        ("2024-01-29 18:00", "1 month", "2024-02-29 18:00"),
        ("2024-02-29 00:00", "1 year", "2025-02-28 23:59:59.999999"),
        ("2024-02-29 00:00", "4 years", "2028-02-29 00:00"),
        ("2026-10-31 12:00", "P1M1D", "2026-12-01 23:59:59.999999"),
        ("2025-12-31 12:00", "P1Y2M10D", "2027-03-10 23:59:59.999999"),
        ("9999-12-01 00:00", "1 month", "9999-12-31 23:59:59.999999"),
        ("9999-12-31 00:00", "1 day", "9999-12-31 23:59:59.999999"),
    ],
)
def test_due_dates(activity: str, period: str, due: str) -> None:
    """Months first, clipped to the month's end (then the end of that day), then days."""
    assert Period.parse(period).due_at(_at(activity)) == _at(due)


@pytest.mark.parametrize(
    ("now", "period", "cutoff"),
    [
        ("2026-04-01 10:00", "90 days", "2026-01-01 10:00"),
        ("2026-02-28 23:59:59.999998", "1 month", "2026-01-28 23:59:59.999998"),
        ("2026-02-28 23:59:59.999999", "1 month", "2026-01-31 23:59:59.999999"),
        ("2026-03-01 00:00", "1 month", "2026-02-01 00:00"),
        ("2026-03-30 12:00", "1 month", "2026-02-28 23:59:59.999999"),
        ("2025-02-28 23:59:59.999999", "1 year", "2024-02-29 23:59:59.999999"),
        ("2024-02-29 12:00", "1 year", "2023-02-28 23:59:59.999999"),
    ],
)
def test_cutoffs(now: str, period: str, cutoff: str) -> None:
    """The latest activity that is due, at month ends and in leap years."""
    assert Period.parse(period).cutoff(_at(now)) == _at(cutoff)


@pytest.mark.parametrize("now", ["0001-01-31 00:00", "0001-02-01 00:00", "0001-12-31 00:00"])
def test_no_cutoff_before_the_calendar(now: str) -> None:
    """Where the cutoff would be before year 1 nothing is due."""
    assert Period.parse("P1Y1D").cutoff(_at(now)) is None
    assert Period.parse("3650 days").cutoff(_at(now)) is None


def test_clipping_never_runs_backwards() -> None:
    """Later activity is never due earlier, which plain clipping gets wrong at month ends."""
    month = Period(months=1)
    assert month.due_at(_at("2026-01-30 18:00")) <= month.due_at(_at("2026-01-31 12:00"))


@given(periods, moments, moments)
def test_due_at_is_monotone_and_never_early(period: Period, one: datetime, two: datetime) -> None:
    """Later activity, later due date; and between the shortest and the longest that it lasts."""
    early, late = sorted((one, two))
    due = period.due_at(early)
    assert due <= period.due_at(late)
    assume(due < END)
    lasts = due - early
    assert timedelta(days=period.shortest_days) <= lasts <= timedelta(days=period.longest_days)


@given(periods, moments, moments)
def test_cutoff_is_the_exact_inverse(period: Period, activity: datetime, now: datetime) -> None:
    """For all activities: at or before the cutoff if and only if due by now."""
    cutoff = period.cutoff(now)
    assert (cutoff is not None and activity <= cutoff) == (period.due_at(activity) <= now)


@given(periods, moments)
def test_boundary_to_the_microsecond(period: Period, activity: datetime) -> None:
    """Due at its due date, not one microsecond before; its cutoff is the last one due."""
    due = period.due_at(activity)
    assume(due < END)
    before, now, after = (period.cutoff(due + n * MICROSECOND) for n in (-1, 0, 1))
    assert before is None or before < activity
    assert now is not None
    assert after is not None
    assert activity <= now <= after
    assert period.due_at(now) <= due < period.due_at(now + MICROSECOND)


@pytest.mark.parametrize("period", ["1 day", "1 month", "P1M1D", "11 months", "1 year", "P1Y30D"])
def test_every_day_by_brute_force(period: str) -> None:
    """Each day of five years, at its first and last microsecond: monotone, inverse, in bounds."""
    what, previous = Period.parse(period), _at("1999-01-01")
    day = _at("1999-12-01")
    while day < _at("2004-04-01"):
        for activity in (day, day + timedelta(hours=12), day + timedelta(days=1) - MICROSECOND):
            due = what.due_at(activity)
            cutoff = what.cutoff(due)
            before = what.cutoff(due - MICROSECOND)
            assert previous <= due
            assert cutoff is not None
            assert before is not None
            assert before < activity <= cutoff
            assert what.due_at(cutoff) == due < what.due_at(cutoff + MICROSECOND)
            previous = due
        day += timedelta(days=1)


@given(periods, moments, st.integers(-23 * 60, 23 * 60))
def test_the_zone_does_not_matter(period: Period, moment: datetime, minutes: int) -> None:
    """The same instant in another zone has the same due date and cutoff."""
    assume(2 < moment.year < 9998)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert period.due_at(elsewhere) == period.due_at(moment)
    assert period.cutoff(elsewhere) == period.cutoff(moment)
    assert period.due_at(elsewhere).tzinfo is UTC


def test_refuses_naive_times() -> None:
    """A time without a zone is a mistake of the caller, never taken for UTC."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="without a time zone"):
        Period(days=1).due_at(naive)
    with pytest.raises(ValueError, match="without a time zone"):
        Period(days=1).cutoff(naive)


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("90 days", 90, 90),
        ("1 month", 28, 31),
        ("2 months", 59, 62),
        ("1 year", 365, 366),
        ("4 years", 1460, 1461),
        ("100 years", 36_524, 36_525),
        ("P1M5D", 33, 36),
    ],
)
def test_shortest_and_longest(text: str, shortest: int, longest: int) -> None:
    """Over the whole calendar: four years across 1900 have no leap day, a February has 28."""
    period = Period.parse(text)
    assert (period.shortest_days, period.longest_days) == (shortest, longest)


@given(periods, periods, moments)
def test_never_shorter_than_is_never_wrong(one: Period, two: Period, activity: datetime) -> None:
    """Where it says that one is never shorter, there is no day on which it is."""
    if one.never_shorter_than(two):
        assert one.due_at(activity) >= two.due_at(activity)


@pytest.mark.parametrize(
    ("one", "two", "never_shorter"),
    [
        ("1 month", "1 month", True),
        ("1 year", "12 months", True),
        ("P1M1D", "1 month", True),
        ("31 days", "1 month", True),
        ("30 days", "1 month", False),
        ("1 month", "28 days", True),
        ("1 month", "29 days", False),
    ],
)
def test_never_shorter_than(one: str, two: str, never_shorter: bool) -> None:
    """Equal is not shorter; a month is compared with days at its shortest."""
    assert Period.parse(one).never_shorter_than(Period.parse(two)) is never_shorter
