"""How many accounts become due on which day, lane by lane, if none of them becomes active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from retention_worker.domain.document import in_json
from retention_worker.domain.lane.report import ReportWarning
from retention_worker.domain.scope import Scope

_MICROSECOND = timedelta(microseconds=1)


def day_ends(now: datetime, days: int) -> list[datetime]:
    """The last microseconds of today and of the days after it, in UTC: `days` of them."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [midnight + timedelta(days=number) - _MICROSECOND for number in range(1, days + 1)]


@dataclass(frozen=True, kw_only=True)
class LaneForecast:
    """A lane: due now, and by the day (UTC) on which accounts become due; days of none left out.

    `on_hold`: due before, kept by a hold without an end, and not among the others.
    """

    tenant: str
    scope: Scope
    now: int = 0
    days: Mapping[date, int] = field(default_factory=dict, metadata=in_json("due"))
    on_hold: int = 0
    paused: bool = False

    def within(self, start: datetime, days: int) -> int:
        """Due now or on one of so many days, today being the first."""
        last = start.astimezone(UTC).date() + timedelta(days=days - 1)
        return self.now + sum(number for day, number in self.days.items() if day <= last)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """All lanes; `broken` are the tenants whose policy file is wrong, and why.

    `warnings`: whom or what it leaves out though nothing has failed.
    """

    at: datetime
    days: int
    upper_bound: bool = True
    lanes: tuple[LaneForecast, ...]
    broken: Mapping[str, str] = field(metadata=in_json("invalid_policies"))
    warnings: tuple[ReportWarning, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or 1 where a policy file needs a person, or something is not as it seems."""
        return int(bool(self.broken or self.warnings))

    def now(self, scope: Scope) -> int:
        """Due now, over all tenants."""
        return sum(lane.now for lane in self.lanes if lane.scope is scope)

    def on(self, day: date, scope: Scope) -> int:
        """Due on a day, over all tenants."""
        return sum(lane.days.get(day, 0) for lane in self.lanes if lane.scope is scope)

    def calendar(self) -> list[date]:
        """Every day of the forecast, today first."""
        return [end.date() for end in day_ends(self.at, self.days)]
