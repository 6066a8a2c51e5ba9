"""What the server's signs say: going on, slower, or not at all."""

from dataclasses import replace
from typing import Any

import pytest

from retention_worker.domain.lane.pressure import Limits, Pressure, Signals, Standby, judge

QUIET = Signals(
    written=1_000,
    standbys=(),
    archiving_fails=False,
    connection_percent=10,
    dead_percent=0,
    vacuuming=False,
    oldest_seconds=0,
)
LIMITS = Limits(
    replication_lag_seconds=10,
    standbys=frozenset(),
    archiving=True,
    connection_percent=90,
    dead_percent=20,
    oldest_seconds=3_600,
)
STANDBY = Standby(name="one", known=True, replayed=900, lag_seconds=None)


def test_a_quiet_server_is_no_reason() -> None:
    """Nothing slows, nothing stops, nothing is said."""
    assert judge(QUIET, LIMITS, 0.0) == Pressure()
    assert str(Pressure()) == "at full pace"


@pytest.mark.parametrize(
    ("lag", "said"),
    [
        (0.9, "at full pace"),
        (1.4, "slowed: replication lag 1.4 s"),
        (10.1, "stopped: replication lag 10.1 s"),
        (None, "stopped: replication lag is unknown: grant pg_read_all_stats"),
    ],
)
def test_a_standby_that_lags(lag: float | None, said: str) -> None:
    """A little slows, much stops, and what is not known might be much."""
    assert str(judge(replace(QUIET, standbys=(STANDBY,)), LIMITS, lag)).startswith(said)


def test_a_standby_that_is_absent_stops() -> None:
    """One that is there does not stand in for one that is expected."""
    limits = replace(LIMITS, standbys=frozenset({"one", "two"}))
    found = judge(replace(QUIET, standbys=(STANDBY,)), limits, 0.0)
    assert str(found) == "stopped: standby two is not connected"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"archiving_fails": True}, "stopped: WAL archiving fails"),
        ({"connection_percent": 95.0}, "stopped: 95 % of the connections are in use"),
        ({"connection_percent": None}, "stopped: the number of connections is unknown"),
        ({"dead_percent": 31.0}, "slowed: 31 % dead rows in a table"),
        ({"vacuuming": True}, "slowed: VACUUM is running on a mapped table"),
        ({"oldest_seconds": 7_200.0}, "slowed: a transaction is 120 min old"),
        ({"oldest_seconds": None}, "stopped: the age of other transactions is unknown"),
    ],
)
def test_each_sign(change: dict[str, Any], said: str) -> None:
    """Each slows or stops by itself, and what the operator turned off does neither."""
    assert str(judge(replace(QUIET, **change), LIMITS, 0.0)).startswith(said)
    off = Limits(
        replication_lag_seconds=0,
        standbys=frozenset(),
        archiving=False,
        connection_percent=0,
        dead_percent=0,
        oldest_seconds=None,
    )
    assert judge(replace(QUIET, standbys=(STANDBY,), **change), off, None) == Pressure()


def test_the_worst_counts() -> None:
    """What stops wins over what slows."""
    found = judge(replace(QUIET, dead_percent=50, archiving_fails=True), LIMITS, 0.0)
    assert found.stop
