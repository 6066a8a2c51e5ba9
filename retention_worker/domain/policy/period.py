"""A retention period: its grammar, its due dates and its cutoffs, all in UTC."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

# Longer than any retention rule and than a life: what is above it is a slip of the pen (`900 years`
# for `900 days`), and who means "for ever" writes `never`.
MAX_YEARS = 100
_TOO_LONG = (
    f"is longer than {MAX_YEARS} years, the most that is not taken for a mistake:"
    " write a shorter period, or never"
)
# The longest that 100 years last: 25 leap days.
_MAX_DAYS = 36_525
# More digits than that are out of range in every unit, and int() refuses thousands of them badly.
_MAX_DIGITS = 6

# Both are anchored by fullmatch() here and by ^(…)$ in the JSON Schema of the policy file.
WORDS_PATTERN = r"([1-9][0-9]*) (day|week|month|year)s?"
ISO_PATTERN = (
    r"P(?=[1-9])(?:([1-9][0-9]*)W|(?:([1-9][0-9]*)Y)?(?:([1-9][0-9]*)M)?(?:([1-9][0-9]*)D)?)"
)

_HOW = "write a whole number and a unit, such as 90 days, 6 weeks, 18 months or 3 years, or P1Y6M"
# What people write instead, and what to say about it; the first that fits answers.
_SLIPS = (
    (r"\s*", "is empty: " + _HOW),
    (r"(?i)\s*([1-9][0-9]*)\s*(day|week|month|year)s?\s*", "is not exact: write {1} {2}s"),
    (r"[1-9][0-9]*", "has no unit: write {0} days, or another unit"),
    (r"[-\u2212].*", "is negative: " + _HOW),
    (r".*\d[.,]\d.*", "is a fraction: " + _HOW),
    (r"P?0+(\D.*)?|P.*(?<!\d)0+[YMWD].*", "has a zero: write 1 day or more, or never"),
    (r"P[^T]*T.*|.*(hour|minute|second)s?", "has a time part: write whole days or longer"),
    (r"(.*\D)?0\d.*", "has a number that starts with 0: write it without"),
    (r".*\d.*[a-z].*\d.*[a-z].*", "has two units: write them as ISO 8601 does, such as P1Y6M"),
)


@dataclass(frozen=True, kw_only=True)
class Period:
    """A number of calendar months and then of days; years are 12 months, weeks 7 days.

    Raises:
        ValueError: nothing, less than nothing, or more than 100 years.
    """

    months: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        if self.months < 0 or self.days < 0 or not (self.months or self.days):
            raise ValueError("a period is one day or longer")
        if self.months > MAX_YEARS * 12 or self.longest_days > _MAX_DAYS:
            raise ValueError(_TOO_LONG)

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `90 days`, `6 weeks`, `18 months`, `3 years`, `P90D`, `P2W`, `P1Y6M` or `P1Y2M10D`.

        Raises:
            ValueError: anything else; the message says what is wrong and what to write.
        """
        counts = _counts(text)
        if any(len(count) > _MAX_DIGITS for count in counts.values()):
            raise ValueError(f"{_shown(text)} {_TOO_LONG}")
        number = {unit: int(count) for unit, count in counts.items()}
        try:
            return cls(
                months=number.get("year", 0) * 12 + number.get("month", 0),
                days=number.get("week", 0) * 7 + number.get("day", 0),
            )
        except ValueError as exc:
            raise ValueError(f"{_shown(text)} {exc}") from exc

    def due_at(self, activity: datetime) -> datetime:
        """When what was last active then is due: UTC, to the microsecond, monotone, never early.

        Months are added first, clipped to the month's end, then days. Plain clipping runs
        backwards (30 Jan 18:00 + 1 month is later than 31 Jan 12:00 + 1 month), and a cutoff found
        from one account would erase another early; so a clipped due date is the last microsecond
        of its day. Past the calendar's end it is `datetime.max`.

        Raises:
            ValueError: the activity has no time zone.
        """
        start = _utc(activity)
        month = _month_index(start) + self.months
        if month > _month_index(_END_OF_TIME):
            return _END_OF_TIME
        last_day = _days_in(month)
        if start.day > last_day:
            moved = _at(month, last_day, time.max)
        else:
            moved = _at(month, start.day, start.time())
        try:
            return moved + timedelta(days=self.days)
        except OverflowError:
            return _END_OF_TIME

    def cutoff(self, now: datetime) -> datetime | None:
        """The latest activity that is due now: for every activity, at or before it means due.

        The exact inverse of `due_at`: `a <= cutoff(now)` if and only if `due_at(a) <= now`. UTC,
        to the microsecond; None where it would be before year 1 (then nothing is due).

        Raises:
            ValueError: `now` has no time zone.
        """
        end = _utc(now)
        if end == _END_OF_TIME:  # where every due date beyond the calendar was put
            return _END_OF_TIME
        try:
            moved = end - timedelta(days=self.days)
        except OverflowError:
            return None
        month = _month_index(moved) - self.months
        if month < 12:  # January of year 1
            return None
        last_day = _days_in(month)
        # At the last microsecond of a month the days that were clipped to it are due as well.
        clipped_too = moved.day == _days_in(_month_index(moved)) and moved.time() == time.max
        if clipped_too or moved.day > last_day:
            return _at(month, last_day, time.max)
        return _at(month, moved.day, moved.time())

    @property
    def shortest_days(self) -> int:
        """The fewest days that it can last, over the whole calendar (1 month: 28)."""
        return _span(self.months)[0] + self.days

    @property
    def longest_days(self) -> int:
        """The most days that it can last, over the whole calendar (1 month: 31)."""
        return _span(self.months)[1] + self.days

    def never_shorter_than(self, other: Period) -> bool:
        """Whether it is due at the same time as the other or later, whatever day it starts."""
        more_of_each = self.months >= other.months and self.days >= other.days
        return more_of_each or self.shortest_days >= other.longest_days

    @property
    def iso(self) -> str:
        """The one ISO 8601 text of it, which `parse` reads back: P1Y6M, P90D."""
        years, months = divmod(self.months, 12)
        parts = ((years, "Y"), (months, "M"), (self.days, "D"))
        return "P" + "".join(f"{count}{unit}" for count, unit in parts if count)

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        parts = ((years, "year"), (months, "month"), (self.days, "day"))
        return " ".join(f"{n} {unit}{'s' if n > 1 else ''}" for n, unit in parts if n)


_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def _counts(text: str) -> dict[str, str]:
    """The digits before each unit."""
    if words := re.fullmatch(WORDS_PATTERN, text):
        return {words[2]: words[1]}
    if iso := re.fullmatch(ISO_PATTERN, text):
        units = zip(("week", "year", "month", "day"), iso.groups(), strict=True)
        return {unit: count for unit, count in units if count}
    for slip, answer in _SLIPS:
        if found := re.fullmatch(slip, text, re.DOTALL):
            said = answer.format(
                *(_shortened(part or "").lower() for part in (text, *found.groups()))
            )
            raise ValueError(f"{_shown(text)} {said}")
    raise ValueError(f"{_shown(text)} is not a period: {_HOW}")


def _shown(text: str) -> str:
    return repr(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"  # enough to find it in a line of a terminal


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a time without a time zone: give it one")
    return moment.astimezone(UTC)


def _month_index(moment: date) -> int:
    """Months since year 0, so that months can be added."""
    return moment.year * 12 + moment.month - 1


def _days_in(month: int) -> int:
    return calendar.monthrange(month // 12, month % 12 + 1)[1]


def _at(month: int, day: int, at: time) -> datetime:
    return datetime.combine(date(month // 12, month % 12 + 1, day), at, tzinfo=UTC)


@cache  # at most 1,200 entries: see MAX_YEARS
def _span(months: int) -> tuple[int, int]:
    """The fewest and the most days that so many months last.

    Looks at every month of the 400 years after which the calendar repeats. Within a month every
    start gives the same days until it is clipped; then the last day gives the fewest.
    """
    fewest, most = [], []
    for start in range(2000 * 12, 2400 * 12):
        end = start + months
        days = _at(end, 1, time.min).toordinal() - _at(start, 1, time.min).toordinal()
        fewest.append(days + min(0, _days_in(end) - _days_in(start)))
        most.append(days)
    return min(fewest), max(most)
