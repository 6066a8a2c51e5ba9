"""`serve` as a process: its client by command, its answers by HTTP, its end by signals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGKILL, SIGTERM
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest

from tests.acceptance.program import Program, Running
from tests.acceptance.rows import idle, number
from tests.database import Database


@contextmanager
def serving(
    program: Program, *permissions: str, **environment: str
) -> Iterator[tuple[Running, httpx.Client]]:
    """A process that serves, and a client of it with a token."""
    scopes = [word for each in permissions for word in ("--scope", each)]
    made = program.json("client", "create", "back office", "--tenant", "acme", *scopes)
    with program.start("serve", "--port", "0", **environment) as running:
        port = running.await_events("web_started")[0]["port"]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            answer = http.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(made["client_id"], made["client_secret"]),
            )
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield running, http


@pytest.mark.parametrize("signal", [SIGTERM, SIGINT])
def test_it_stops_cleanly(program: Program, conn: psycopg.Connection, signal: Any) -> None:
    """Exit 0, and a deletion in hand is answered first; no id of a person is in the log."""
    account = idle(conn, 1)
    path = f"/api/v1/accounts/{account.account}"
    with serving(program, "retrieve", "delete") as (running, http):
        assert http.get("/ready").status_code == 200
        assert http.get(f"{path}/workflow-executions/{account.transactions[0]}").status_code == 200
        assert http.delete(path).status_code == 202
        done = running.end(signal)
    assert (done.code, done.out) == (0, "")
    assert "Traceback" not in done.err
    assert str(account.account) not in done.err
    assert str(account.transactions[0]) not in done.err


def test_what_a_killed_process_noted_is_finished(
    program: Program, conn: psycopg.Connection, database: Database
) -> None:
    """Killed between the note and the end: nothing went, nothing is forgotten, a sweep does it."""
    program.environment["RETENTION_BATCH_DEADLINE_MS"] = "200"
    account = idle(conn, 1)
    with serving(program, "delete") as (running, http), database.connect() as other:
        with other.transaction():
            other.execute(
                "SELECT 1 FROM face_vectors WHERE transaction_id = %s FOR UPDATE",
                (account.transactions[0],),
            )
            asked = Thread(target=_delete, args=(http, f"/api/v1/accounts/{account.account}"))
            asked.start()
            opened = "SELECT count(*) FROM retention.request WHERE state = 'open'"
            end = time.monotonic() + 20
            while number(conn, opened) == 0 and time.monotonic() < end:
                time.sleep(0.01)
            running.end(SIGKILL)
            asked.join(10)
        assert number(conn, opened) == 1
    assert number(conn, "SELECT count(*) FROM extracted_data") > 0
    assert program.run("sweep").code == 0
    assert number(conn, "SELECT count(*) FROM extracted_data") == 0
    assert number(conn, "SELECT count(*) FROM retention.request WHERE state = 'done'") == 1


def _delete(http: httpx.Client, path: str) -> None:
    try:
        http.delete(path)
    except httpx.HTTPError:
        return


def test_clients_by_command(program: Program, conn: psycopg.Connection) -> None:
    """Made, listed, rotated, revoked; a secret is shown once; a tenant that is not there: no."""
    idle(conn, 1)
    made = program.json(
        "client", "create", "crm", "--tenant", "acme", "--scope", "delete:biometrics"
    )
    listed = program.run("client", "list", "--json")
    assert made["client_id"] in listed.out
    assert made["client_secret"] not in listed.out
    rotated = program.json("client", "rotate", made["client_id"])
    assert rotated["client_secret"] != made["client_secret"]
    assert program.run("client", "revoke", made["client_id"]).code == 0
    assert program.call("client", "rotate", made["client_id"]).code == 2
    nobody = program.call("client", "create", "x", "--tenant", "nobody", "--scope", "hold")
    assert nobody.code == 2
    wrong = program.call("client", "create", "x", "--tenant", "acme", "--scope", "everything")
    assert wrong.code == 2


def test_an_address_that_cannot_be_had(program: Program) -> None:
    """One line with both settings, exit 2; nothing is left behind."""
    done = program.run("serve", "--host", "192.0.2.1", "--port", "1")
    assert done.code == 2
    assert "RETENTION_WEB_HOST" in done.complaints[0]
