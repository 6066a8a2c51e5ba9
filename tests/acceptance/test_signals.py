"""Signals in the middle of a sweep: nothing is lost, and the next one goes on."""

import signal
import time

import psycopg
import pytest

from tests.acceptance.program import Program
from tests.acceptance.rows import counts, gone, idle, ledger, number
from tests.database import Database

ACCOUNTS = 40
# An account a batch with pauses between: seconds, of which the test needs a few tenths.
SLOWLY = {"RETENTION_BATCH_MAX_ACCOUNTS": "1", "RETENTION_DUTY_CYCLE_PERCENT": "10"}


@pytest.mark.parametrize(("number_", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_sweep_after_the_batch_in_hand(
    program: Program, conn: psycopg.Connection, number_: signal.Signals, code: int
) -> None:
    """The report comes, the ledger is what the tables lost, and the next sweep does the rest."""
    for days in range(ACCOUNTS):
        idle(conn, 100 + days, transactions=1, extracted=False)
    before = counts(conn)
    with program.start("sweep", "--json", **SLOWLY) as running:
        running.await_events("batch_committed", 2)
        stopped = running.end(number_)
    assert stopped.code == code, stopped.err
    lane = stopped.lane("biometrics")
    assert lane["stop_reason"] == "stopped"
    assert 2 <= lane["accounts"] < ACCOUNTS
    assert ledger(conn) == gone(before, counts(conn)) == lane["rows"]
    rest = program.run("sweep", "--json").lane("biometrics")
    assert rest["accounts"] == ACCOUNTS - lane["accounts"]
    assert number(conn, "SELECT count(*) FROM face_vectors") == 0
    assert ledger(conn) == gone(before, counts(conn))


def test_a_second_ctrl_c_ends_it_at_once(
    program: Program, conn: psycopg.Connection, database: Database
) -> None:
    """Even while the database keeps the worker waiting: exit 130, and no traceback."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with database.connect() as observer, conn.transaction():
        conn.execute("LOCK TABLE retention.lane IN ACCESS EXCLUSIVE MODE")
        with program.start("sweep") as running:
            while number(observer, waits) == 0:
                assert running.process.poll() is None
                time.sleep(0.05)
            for _ in range(2):
                running.process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            done = running.wait()
    assert (done.code, done.complaints) == (130, [])
