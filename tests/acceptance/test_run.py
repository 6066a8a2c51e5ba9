"""The long-running process: schedule, signals, files that change, a database that goes away."""

import json
import signal
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psycopg
import pytest

from retention_worker.embedded import EmbeddedServer
from tests.acceptance.program import Program, Running
from tests.acceptance.rows import counts, gone, idle, ledger, number
from tests.config_folder import ConfigFolder
from tests.database import prepare_reference, temporary_database

QUICKLY = (sys.executable, Path(__file__).parent / "quick_run.py")
SLOWLY = {"RETENTION_BATCH_MAX_ACCOUNTS": "1", "RETENTION_DUTY_CYCLE_PERCENT": "10"}


def health(running: Running, path: str = "/health") -> Any:
    """What the process answers."""
    port = running.await_events("worker_started")[0]["health_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)


def test_it_sweeps_at_once_and_answers(program: Program, conn: psycopg.Connection) -> None:
    """The first sweep needs no schedule; /health knows the last one and the next; Ctrl-C is 0."""
    idle(conn, 100)
    with program.start("run") as running:
        running.await_events("sweep_finished")
        answer = health(running)
        with pytest.raises(HTTPError, match="404"):
            health(running, "/")
        done = running.end(signal.SIGINT)
    assert number(conn, "SELECT count(*) FROM face_vectors") == 0
    assert answer["status"] == "ok"
    assert answer["next_sweep"] > answer["started_at"]
    # The sweep is noted a moment after its last event.
    assert answer["last_sweep"] is None or answer["last_sweep"]["exit"] == 0
    assert (done.code, done.out, done.complaints) == (0, "", [])
    assert [event["event"] for event in done.log][-2:] == ["worker_stopping", "worker_stopped"]


def test_sigterm_ends_it_after_the_batch_in_hand(
    program: Program, conn: psycopg.Connection
) -> None:
    """Exit 0, twice asked or not; what the ledger says is what the tables lost."""
    for days in range(30):
        idle(conn, 100 + days, transactions=1)
    before = counts(conn)
    with program.start("run", **SLOWLY) as running:
        running.await_events("batch_committed")
        running.process.send_signal(signal.SIGTERM)
        done = running.end()
    assert done.code == 0, done.err
    assert done.log[-1] | {"timestamp": 0} == {
        "event": "worker_stopped",
        "exit": 0,
        "level": "info",
        "timestamp": 0,
    }
    lost = gone(before, counts(conn))
    assert 0 < lost["face vectors"] < before["face vectors"]
    assert ledger(conn) == lost
    assert program.run("sweep", "--json").lane("biometrics")["stop_reason"] == "exhausted"
    assert number(conn, "SELECT count(*) FROM face_vectors") == 0


def test_files_are_read_again_at_each_sweep(
    program: Program, conn: psycopg.Connection, config_dir: ConfigFolder
) -> None:
    """A new tenant, a shorter period and a broken file count from the next sweep on."""
    idle(conn, 50)
    idle(conn, 50, tenant="birch")
    with replace(program, command=QUICKLY).start("run") as running:
        running.await_events("sweep_finished")
        assert ledger(conn) == {}
        config_dir.write_policy("birch", biometrics="30 days")
        running.await_events("batch_committed")
        config_dir.write_text("birch", "tenant: birch\nretention: 5\n")
        config_dir.write_policy("acme", biometrics="40 days")
        running.await_events("batch_committed", 2)
        broken = running.await_events("invalid_policy")
        assert running.end().code == 0
    assert broken[0]["tenant"] == "birch"
    assert number(conn, "SELECT count(*) FROM face_vectors") == 0


def test_a_database_that_restarts_is_waited_for(program: Program) -> None:
    """Away at the start, and killed in the middle: said, waited for, and everything is erased."""
    with EmbeddedServer() as server, temporary_database(server) as database:
        prepare_reference(database)
        with database.connect() as conn:
            for days in range(12):
                idle(conn, 100 + days, transactions=1)
        server.kill()
        program.environment["RETENTION_DATABASE_URL"] = database.worker_dsn
        with replace(program, command=QUICKLY).start("run", **SLOWLY) as running:
            running.await_events("database_unavailable")
            assert health(running)["last_sweep"] is None
            server.start()
            running.await_events("batch_committed", 2)
            server.kill()
            before = len(running.events("sweep_finished"))
            running.await_events("connection_lost")
            server.start()
            running.await_events("sweep_finished", before + 1)
            assert running.end().code == 0
        with database.connect() as conn:
            assert number(conn, "SELECT count(*) FROM face_vectors") == 0
            assert number(conn, "SELECT sum(accounts) FROM retention.batch") == 12


def test_it_refuses_to_start_with_what_is_wrong(
    program: Program, conn: psycopg.Connection, config_dir: ConfigFolder
) -> None:
    """A data map that does not fit, a schema that is unknown, a port that is taken: exit 2."""
    with program.start("run") as running:
        running.await_events("sweep_finished")
        port = running.events("worker_started")[0]["health_port"]
        taken = program.call("run", RETENTION_HEALTH_PORT=str(port))
    assert (taken.code, len(taken.complaints)) == (2, 1)
    assert f"127.0.0.1:{port} cannot be had" in taken.complaints[0]
    conn.execute("INSERT INTO retention.migration VALUES (9999, 'later', 'x')")
    newer = program.call("run")
    assert newer.code == 2
    assert "run the newer version" in newer.complaints[-1]
    config_dir.datamap.write_text("accounts: 1\n")
    assert program.call("run").code == 2
