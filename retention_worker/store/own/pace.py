"""The pace that all replicas share: streams, pauses, and how the server is doing."""

from __future__ import annotations

from collections.abc import Sequence

from retention_worker.domain.lane.pressure import Signals, Standby
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.session import Session

# The end of a pause that is further away was written by a clock that was wrong.
LONGEST_PAUSE_SECONDS = 60.0
# Fewer dead rows than these are no burden, whatever their share of a small table.
_LEAST_DEAD = 10_000


def take(session: Session, streams: int) -> Pending[int | None]:
    """A free stream until the transaction ends; None where all are running or pausing."""
    answer = session.send("pace.take", {"streams": streams, "longest": LONGEST_PAUSE_SECONDS})
    return Pending(answer, lambda given: given.value())


def waits(session: Session, streams: int) -> float:
    """Seconds until the pause of the first stream ends; 0 where none pauses."""
    return float(session.value("pace.wait", {"streams": streams}) or 0)


def release(session: Session, stream: int, *, factor: float, beyond: float) -> Pending[float]:
    """Have the stream pause for `factor` times the transaction's age and `beyond` seconds.

    Returns:
        Later, the seconds of the pause.
    """
    answer = session.send(
        "pace.release",
        {
            "stream": stream,
            "factor": factor,
            "beyond": beyond,
            "longest": LONGEST_PAUSE_SECONDS,
        },
    )
    return Pending(answer, lambda given: float(given.value()))


def charge(session: Session, seconds: float) -> None:
    """Have a stream pause for a batch that was rolled back."""
    session.send("pace.charge", {"seconds": min(seconds, LONGEST_PAUSE_SECONDS)})


def waiting(session: Session) -> Pending[int]:
    """How many sessions wait for a lock of this transaction."""
    return Pending(session.send("pace.waiting"), lambda given: int(given.value()))


def signals(session: Session, tables: Sequence[int]) -> Signals:
    """How the server is doing; `tables` are the oids of the mapped ones."""
    row = session.row("pace.signals", {"tables": list(tables), "least_dead": _LEAST_DEAD})
    assert row is not None
    return Signals(
        written=row["written"],
        standbys=tuple(
            Standby(
                name=each["name"],
                known=each["state"] is not None,
                replayed=each["replayed"],
                lag_seconds=each["lag"],
            )
            for each in row["standbys"] or ()
        ),
        archiving_fails=bool(row["archiving_fails"]),
        connection_percent=row["connection_percent"],
        dead_percent=row["dead_percent"] or 0.0,
        vacuuming=row["vacuuming"],
        oldest_seconds=row["oldest_seconds"] if row["sees_all"] else None,
    )
