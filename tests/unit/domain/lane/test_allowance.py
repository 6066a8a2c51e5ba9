"""The allowance: how much it holds and how it refills."""

from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.domain.lane.allowance import Allowance, Flow, capacity, refilled

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("live", "days", "expected"),
    [
        (0, 90, 10),  # the minimum, where there is nobody
        (10, 90, 10),  # not halved: live does not exceed the minimum
        (12, 90, 6),  # never over half of the live accounts
        (1000, 360, 50),  # 5 %
        (1000, 90, 1000 / 90 * 12),  # four days' refill
        (1000, 1, 500),  # half, again
    ],
)
def test_capacity(live: int, days: int, expected: float) -> None:
    """The largest of three, never over half of live where that exceeds the minimum."""
    assert capacity([Flow(live=live, days=days)], 5, 10) == pytest.approx(expected)


def test_it_refills_at_three_times_the_natural_flow() -> None:
    """1,000 live accounts with 100 days make 10 due a day; the allowance gets 30."""
    known = Allowance(accounts=0, at=NOW)
    found = refilled(
        known,
        [Flow(live=1000, days=100)],
        percent=5,
        minimum=10,
        now=NOW + timedelta(days=1),
        waits=False,
    )
    assert found == Allowance(accounts=30, at=NOW + timedelta(days=1))


@pytest.mark.parametrize("days", [0, 1, 1000])
def test_it_does_not_refill_while_the_lane_waits(days: int) -> None:
    """Weeks of waiting add nothing; a clock that ran backwards takes nothing away."""
    known = Allowance(accounts=3, at=NOW)
    flows = [Flow(live=1000, days=100)]
    later = NOW + timedelta(days=days)
    found = refilled(known, flows, percent=5, minimum=10, now=later, waits=True)
    assert found.accounts == 3
    before = refilled(known, flows, percent=5, minimum=10, now=NOW - timedelta(days=9), waits=False)
    assert before.accounts == 3


def test_it_never_holds_more_than_its_capacity() -> None:
    """A year without a sweep fills it, and no more; fewer live accounts make it smaller."""
    known = Allowance(accounts=40, at=NOW)
    year = NOW + timedelta(days=365)
    full = refilled(
        known, [Flow(live=1000, days=360)], percent=5, minimum=10, now=year, waits=False
    )
    assert full.accounts == 50
    less = refilled(known, [Flow(live=100, days=360)], percent=5, minimum=10, now=NOW, waits=False)
    assert less.accounts == 10


def test_several_lanes_add_up() -> None:
    """Together they hold the percentage of all and refill with the sum of their flows."""
    flows = [Flow(live=1000, days=100), Flow(live=1000, days=1000)]
    known = Allowance(accounts=0, at=NOW)
    found = refilled(known, flows, percent=5, minimum=10, now=NOW + timedelta(days=1), waits=False)
    assert found.accounts == pytest.approx(33)
    assert capacity(flows, 5, 10) == pytest.approx(132)
