"""What a sweep reads follows what is due, not the accounts that exist or were erased long ago."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

import psycopg
import pytest

from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.pace.server_pressure import ServerWatch
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import temporary_database
from tests.factories import make_account
from tests.integration.engine.crowd import fill
from tests.server import Server
from tests.stage import NOW, lane
from tests.worker import MovingClock, open_worker

SMALL, LARGE = 5_000, 50_000
DUE = 10
# What the sweep of ten due accounts may read beyond one with nothing to do.
MOST_BUFFERS_OF_DUE = 2_000
TOLERANCE = 0.2
RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Shared buffers of a sweep with nothing due, and of one with `DUE` accounts beyond that."""

    idle: float
    due: float


@dataclass(kw_only=True)
class Meter:
    """A database with a crowd, and a worker whose reads are counted."""

    conn: psycopg.Connection
    worker: Context
    clock: MovingClock

    def sweep(self) -> int:
        """Buffers of one sweep of the worker's."""
        self.clock.forward(minutes=15)
        # The server's signs are asked for once a second: each sweep starts as if that were over.
        self.worker.watch = ServerWatch()
        before = self._touched()
        self.report = sweep(self.worker)
        return self._touched() - before

    def _touched(self) -> int:
        # Sessions report their figures now and then; these two when they are asked.
        with self.worker.pool.connection() as conn:
            for session in (conn, self.conn):
                session.execute("SELECT pg_stat_force_next_flush()")
                session.execute("SELECT 1")
        row = self.conn.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def cost(self) -> Cost:
        """The medians of a few sweeps."""
        self.sweep()
        idle = [self.sweep() for _ in range(RUNS)]
        due = []
        for _ in range(RUNS):
            self.clock.forward(days=4)  # so that the guard lets as many go again
            self.sweep()
            for number in range(DUE):
                at = self.clock.now - timedelta(days=95, seconds=-number)
                make_account(self.conn, last_activity=at, vector_bytes=64)
            due.append(self.sweep())
            assert lane(self.report, Scope.BIOMETRICS).accounts == DUE
        return Cost(idle=median(idle), due=median(due) - median(idle))


@contextmanager
def crowd(server: Server, template: str, config: ConfigFolder, accounts: int) -> Iterator[Meter]:
    """So many accounts, and a worker with the guards on."""
    clock = MovingClock(NOW)
    with (
        temporary_database(server, template) as database,
        database.connect() as conn,
        # On a busy machine a batch that is rolled back and halved would be counted, too.
        open_worker(database.worker_dsn, config, clock, batch_deadline_ms=400) as worker,
    ):
        if conn.info.server_version < 150_000:
            pytest.skip("only PostgreSQL 15 and later report their figures when asked")
        fill(conn, config, accounts)
        yield Meter(conn=conn, worker=worker, clock=clock)


def measure(
    server: Server, template: str, config: ConfigFolder, sizes: tuple[int, ...]
) -> Mapping[int, Cost]:
    """The costs at several sizes."""
    config.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    found = {}
    for accounts in sizes:
        with crowd(server, template, config, accounts) as meter:
            found[accounts] = meter.cost()
        print(f"{accounts} accounts: {found[accounts]}")
    return found


def check(small: Cost, large: Cost) -> None:
    """The larger one costs as much as the smaller."""
    assert large.idle == pytest.approx(small.idle, rel=TOLERANCE)
    assert large.due == pytest.approx(small.due, rel=TOLERANCE)
    assert large.due < MOST_BUFFERS_OF_DUE


def test_the_cost_of_a_sweep_does_not_grow_with_the_table(
    server: Server, template: str, config_dir: ConfigFolder
) -> None:
    """Ten times the accounts, the same buffers: with nothing due, and with ten due accounts."""
    found = measure(server, template, config_dir, (SMALL, LARGE))
    check(found[SMALL], found[LARGE])


@pytest.mark.long
def test_the_cost_of_a_sweep_of_a_million_accounts(
    server: Server, template: str, config_dir: ConfigFolder
) -> None:
    """The same from a hundred thousand to a million."""
    found = measure(server, template, config_dir, (100_000, 1_000_000))
    check(found[100_000], found[1_000_000])
