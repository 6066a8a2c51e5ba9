"""The size of batches and the pauses between them."""

import itertools

import pytest

from retention_worker.service.pace.pace import Pace


def test_the_size_follows_the_time() -> None:
    """It grows by a fifth at most, and comes to what fits into the target time."""
    pace = Pace(500, 10, target_seconds=0.025)
    sizes = []
    for _ in range(40):
        sizes.append(pace.size)
        pace.took(pace.size, pace.size * 0.0002)
    assert all(after <= before * 1.2 + 1 for before, after in itertools.pairwise(sizes))
    assert pace.size == 125


def test_a_slow_batch_shrinks_the_next_at_once() -> None:
    """And a time-out halves it, down to one account."""
    pace = Pace(500, 10, 0.025)
    for _ in range(20):
        pace.took(pace.size, 0.01)
    before = pace.size
    pace.took(pace.size, 0.5)
    assert pace.size < before / 2
    while pace.halve():
        pass
    assert pace.size == 1


def test_a_lane_begins_with_what_is_known() -> None:
    """Half of what another lane's accounts would have let it take."""
    assert Pace(500, 10, 0.025, known=0.0005).size == 25
    assert Pace(10, 10, 0.025, known=0.0005).size == 10


def test_the_rest_of_a_lane_says_nothing_of_the_next() -> None:
    """A batch of one account costs what every batch costs: its size does not follow from that."""
    pace = Pace(500, 10, 0.025)
    pace.took(32, 0.016)
    before = pace.size, pace.seconds_each
    pace.took(1, 0.010)
    assert (pace.size, pace.seconds_each) == before
    assert Pace(500, 10, 0.025, known=1.0).size == 8


@pytest.mark.parametrize(
    ("duty", "slow", "pause"), [(10, 1, 0.225), (100, 1, 0.0), (100, 4, 0.075), (50, 2, 0.075)]
)
def test_the_pause_keeps_the_duty_cycle(duty: int, slow: float, pause: float) -> None:
    """A hundred percent means none, unless the server is under pressure."""
    assert Pace(500, duty, 0.025).pause(0.025, slow) == pytest.approx(pause)


def test_a_replica_gives_way_now_and_then() -> None:
    """Its pause is exact, and once in twenty times half as long again: others have a turn."""
    pace = Pace(500, 10, 0.025)
    waits = [pace.after(1.0) for _ in range(40)]
    assert sorted(waits) == [1.0] * 38 + [1.5125] * 2
    assert {place for place, each in enumerate(waits) if each > 1} == {19, 39}


def test_who_waits_for_a_stream_comes_after_its_pause() -> None:
    """Never before its end, and no two of many at the same moment."""
    pace = Pace(500, 10, 0.01)
    waits = [pace.behind(0.1) for _ in range(100)]
    assert all(0.105 <= each <= 0.205 for each in waits)
    assert len(set(waits)) > 90
