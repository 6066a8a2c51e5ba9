"""The days of a forecast and their sums."""

from datetime import UTC, date, datetime, timedelta, timezone

from retention_worker.domain.explain.forecast import Forecast, LaneForecast, day_ends
from retention_worker.domain.scope import Scope

NOW = datetime(2028, 2, 28, 23, 30, tzinfo=UTC)


def test_days_end_with_their_last_microsecond() -> None:
    """Today first, in UTC, over a leap day."""
    assert [end.date() for end in day_ends(NOW, 3)] == [
        date(2028, 2, 28),
        date(2028, 2, 29),
        date(2028, 3, 1),
    ]
    assert all(end.time().isoformat() == "23:59:59.999999" for end in day_ends(NOW, 3))
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    assert day_ends(east, 3) == day_ends(NOW, 3)


def test_sums() -> None:
    """Due now counts in every span; a day counts in the spans that hold it."""
    today = NOW.date()
    lane = LaneForecast(
        tenant="acme", scope=Scope.ALL, now=2, days={today: 3, today + timedelta(days=7): 5}
    )
    assert [lane.within(NOW, days) for days in (1, 7, 8)] == [5, 5, 10]
    found = Forecast(at=NOW, days=8, lanes=(lane, lane), broken={})
    assert (found.now(Scope.ALL), found.on(today, Scope.ALL)) == (4, 6)
    assert found.on(today, Scope.BIOMETRICS) == 0
    assert (found.calendar()[0], len(found.calendar())) == (today, 8)
    assert found.exit_code == 0
