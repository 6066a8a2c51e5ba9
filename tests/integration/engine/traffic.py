"""The application: threads that sign in, upload, verify, merge and place holds, and remember it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.service.context import Context
from retention_worker.service.guard import holds
from tests.factories import add_face_template, add_image, add_transaction
from tests.integration.engine.audit import Merge

NAME = "application"
# Far from every cutoff of these tests on either side.
RECENT_DAYS = 20
OLD_DAYS = (150, 300)
CREDENTIALS_OF = """
    SELECT 'images', i.id::text FROM images i JOIN transactions t ON t.id = i.transaction_id
     WHERE t.account_id = %(id)s
    UNION ALL
    SELECT 'face_vectors', v.id::text FROM face_vectors v
      JOIN transactions t ON t.id = v.transaction_id WHERE t.account_id = %(id)s
    UNION ALL
    SELECT 'authentication_vectors', id::text FROM authentication_vectors
     WHERE account_id = %(id)s
"""


@dataclass(frozen=True, kw_only=True)
class People:
    """Accounts of one tenant: those who are away may come back, those who are active merge."""

    tenant: str
    away: Sequence[str]
    active: Sequence[str]


@dataclass(kw_only=True)
class Record:
    """What the application had acknowledged, and how long its statements took."""

    touches: int = 0
    merges: list[Merge] = field(default_factory=list)
    held: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    disconnected: int = 0


class Application(threading.Thread):
    """One thread with a connection of its own; `stop` ends it after the transaction in hand.

    Args:
        dsn: a role's that may write.
        people: whom it meets.
        now: the time that it writes.
        seed: of its choices.
        worker: to place holds with; None: it places none.
        patient: a connection that is lost is opened again.
    """

    def __init__(
        self,
        dsn: str,
        people: Sequence[People],
        *,
        now: datetime,
        seed: int,
        worker: Context | None = None,
        patient: bool = False,
    ) -> None:
        super().__init__(name=f"application-{seed}", daemon=True)
        self._dsn = make_conninfo(dsn, application_name=NAME, connect_timeout=5)
        self._people = people
        self._now = now
        self._random = Random(seed)
        self._worker = worker
        self._patient = patient
        self._stop_asked = threading.Event()
        self._begun: list[str] = []
        self.record = Record()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_asked.set()
        self.join(30)
        assert not self.is_alive()

    def run(self) -> None:
        """Do one thing after the other."""
        while not self._stop_asked.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as conn:
                    while not self._stop_asked.is_set():
                        self._act(conn)
            except psycopg.OperationalError as exc:
                if isinstance(exc, psycopg.errors.DeadlockDetected) or not self._patient:
                    self.record.errors.append(exc)
                    return
                self.record.disconnected += 1
                time.sleep(0.05)
            except BaseException as exc:
                self.record.errors.append(exc)
                return

    def _act(self, conn: psycopg.Connection) -> None:
        actions: list[tuple[int, Callable[[psycopg.Connection, People], None]]] = [
            (6, self._sign_in),
            (3, self._verify),
            (3, self._upload),
            (2, self._complete),
            (1, self._merge),
            (1, self._view),
        ]
        if self._worker is not None:
            actions.append((1, self._hold))
        weights = [weight for weight, _ in actions]
        action = self._random.choices([each for _, each in actions], weights)[0]
        began = time.monotonic()
        action(conn, self._random.choice(self._people))
        if action != self._hold:
            self.record.seconds.append(time.monotonic() - began)
        time.sleep(self._random.random() * 0.01)

    def _at(self) -> datetime:
        """Mostly just now; sometimes long ago, which moves an account and leaves it due."""
        if self._random.random() < 0.3:
            return self._now - timedelta(days=self._random.uniform(*OLD_DAYS))
        return self._now - timedelta(days=self._random.uniform(0, RECENT_DAYS))

    def _sign_in(self, conn: psycopg.Connection, people: People) -> None:
        account, at = self._random.choice(people.away), self._at()
        with conn.transaction():
            conn.execute(
                "INSERT INTO authentications (account_id, succeeded, created_at)"
                " VALUES (%s, true, %s)",
                (account, at),
            )
            self._dawdle()
            conn.execute(
                "INSERT INTO authentication_vectors (account_id, embedding, created_at)"
                " VALUES (%s, 'x', %s)",
                (account, at),
            )
        self.record.touches += 1

    def _verify(self, conn: psycopg.Connection, people: People) -> None:
        account = self._random.choice(people.away)
        with conn.transaction():
            number = add_transaction(conn, account, self._now)  # type: ignore[arg-type]
            for kind in ("SELFIE", "ID_FRONT"):
                add_image(conn, number, self._now, kind)
            self._dawdle()
            conn.execute(
                "INSERT INTO face_vectors (transaction_id, model, embedding, created_at)"
                " VALUES (%s, 'm', 'x', %s)",
                (number, self._now),
            )
            add_face_template(conn, number, self._now)
        self._begun.append(str(number))
        self.record.touches += 1

    def _upload(self, conn: psycopg.Connection, people: People) -> None:
        account = self._random.choice(people.away)
        row = conn.execute(
            "SELECT id FROM transactions WHERE account_id = %s LIMIT 1", (account,)
        ).fetchone()
        if row is not None:
            add_image(conn, row[0], self._at())
            self.record.touches += 1

    def _complete(self, conn: psycopg.Connection, _: People) -> None:
        if self._begun:
            conn.execute(
                "UPDATE transactions SET status = 'DONE', decision = 'ACCEPTED', completed_at = %s"
                " WHERE id = %s",
                (self._now, self._begun.pop()),
            )
            self.record.touches += 1

    def _merge(self, conn: psycopg.Connection, people: People) -> None:
        source, target = self._random.choice(people.away), self._random.choice(people.active)
        rows = conn.execute(
            "UPDATE transactions SET account_id = %s WHERE account_id = %s RETURNING id",
            (target, source),
        ).fetchall()
        self.record.merges.append(
            Merge(
                source=source,
                target=target,
                transactions=tuple(str(number) for (number,) in rows),
                acknowledged=datetime.now(UTC),
            )
        )

    def _view(self, conn: psycopg.Connection, people: People) -> None:
        conn.execute(CREDENTIALS_OF, {"id": self._random.choice(people.away)}).fetchall()

    def _hold(self, conn: psycopg.Connection, people: People) -> None:
        account = self._random.choice(people.away)
        if account in self.record.held:
            return
        assert self._worker is not None
        with suppress(RetentionWorkerError) if self._patient else nullcontext():
            holds.place(
                self._worker,
                account,
                tenant=people.tenant,
                reason="dispute",
                actor=self.name,
                until=None,
            )
            # Acknowledged: what is there now stays, even if a merge takes it to another account.
            there = conn.execute(CREDENTIALS_OF, {"id": account}).fetchall()
            self.record.held[account] = {(table, pk) for table, pk in there}

    def _dawdle(self) -> None:
        if self._random.random() < 0.3:
            time.sleep(self._random.random() * 0.02)


class LockWatch(threading.Thread):
    """Samples how long sessions of the application wait for a session of the worker."""

    QUERY = """
        SELECT max(extract(epoch FROM clock_timestamp() - l.waitstart))::float8
          FROM pg_locks l JOIN pg_stat_activity s ON s.pid = l.pid
         WHERE NOT l.granted AND s.application_name = %s
           AND EXISTS (SELECT 1 FROM unnest(pg_blocking_pids(l.pid)) AS b (pid)
                         JOIN pg_stat_activity w ON w.pid = b.pid
                        WHERE w.application_name = 'retention-worker')
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(name="lock-watch", daemon=True)
        self._dsn = dsn
        self._stop_asked = threading.Event()
        self.samples = 0
        self.waits: list[float] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join(30)

    def run(self) -> None:
        """Sample until stopped."""
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            while not self._stop_asked.wait(0.02):
                row = conn.execute(self.QUERY, (NAME,)).fetchone()
                self.samples += 1
                if row is not None and row[0] is not None:
                    self.waits.append(row[0])
