"""Watches the server while batches run: asks now and then, and says each change once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import structlog

from retention_worker.domain.errors import DatabaseUnavailable, RetentionWorkerError
from retention_worker.domain.lane.pressure import Limits, Pressure, Signals, judge
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Connection, reading
from retention_worker.store.connection.session import Session
from retention_worker.store.own import pace

_log = structlog.get_logger()

# Asked often enough to see a standby fall behind, and rarely enough to cost nothing.
_EVERY_SECONDS = 1.0
# How far back it is known what had been written when; a standby further behind is that late.
_SAMPLES = 3_600


class ServerWatch:
    """The server's signs, as one process sees them; its streams share them."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._written: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._lock = threading.Lock()
        self.pressure = Pressure()
        # Somebody has waited long enough for a stop to pass; nobody else waits as long again.
        self.gave_up = False

    def look(
        self, conn: Connection, settings: WorkerSettings, tables: Sequence[int], now: float
    ) -> Pressure:
        """What the signs say, no older than a second.

        Args:
            conn: outside of a transaction.
            settings: what the operator allows.
            tables: the oids of the mapped tables.
            now: monotonic seconds.

        Raises:
            DatabaseUnavailable: the connection is lost.
        """
        with self._lock:
            if self._asked_at is None or now - self._asked_at >= _EVERY_SECONDS:
                self._asked_at = now
                self._note(self._ask(conn, settings, tables, now))
            return self.pressure

    def _ask(
        self, conn: Connection, settings: WorkerSettings, tables: Sequence[int], now: float
    ) -> Pressure:
        try:
            with reading(conn):
                signals = pace.signals(Session(conn, settings.schema_name), tables)
        except DatabaseUnavailable:
            raise
        except RetentionWorkerError as exc:  # what is not known might be anything
            return Pressure(stop=True, reason=f"the server's state is unknown: {exc}")
        self._written.append((now, signals.written))
        return judge(signals, _limits(settings), self._lag(signals, now))

    def _lag(self, signals: Signals, now: float) -> float | None:
        """How long ago the slowest standby's place was the end of the WAL.

        The server's own figure stands still while a standby replays nothing, so what it has
        replayed is compared with what had been written when.
        """
        slowest = 0.0
        for standby in signals.standbys:
            if not standby.known or standby.replayed is None:
                return None
            if standby.replayed < signals.written:
                since = next((at for at, end in self._written if end > standby.replayed), now)
                slowest = max(slowest, now - since, standby.lag_seconds or 0.0)
        return slowest

    def _note(self, pressure: Pressure) -> None:
        was, self.pressure = self.pressure, pressure
        self.gave_up = self.gave_up and pressure.stop
        if pressure.reason is None and was.reason is not None:
            _log.info("pace_restored", was=str(was))
        elif pressure != was:
            level = _log.warning if pressure.stop else _log.info
            level("pace_changed", pace=str(pressure), slow=pressure.slow)


def _limits(settings: WorkerSettings) -> Limits:
    age = settings.max_transaction_age
    return Limits(
        replication_lag_seconds=settings.max_replication_lag_seconds,
        standbys=settings.standbys,
        archiving=settings.stop_when_archiving_fails,
        connection_percent=settings.max_connection_percent,
        dead_percent=settings.max_dead_percent,
        oldest_seconds=age.total_seconds() if age is not None else None,
    )
