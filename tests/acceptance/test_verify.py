"""`verify`: a table and lines for people, JSON for scripts, an exit code that calls a person."""

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import idle
from tests.acceptance.terminal import converse


def test_before_and_after_a_sweep(program: Program, conn: psycopg.Connection) -> None:
    """What is overdue is said and ends with 1; after a sweep nothing is, and it ends with 0."""
    account = idle(conn, 400)

    done = program.call("verify")
    assert done.code == 1
    assert "wrong: acme · all: 1 account(s) hold credentials past their due date" in done.out
    assert str(account.account) in done.out
    assert "2 things are wrong." in done.out
    assert max(map(len, done.out.splitlines()[:6])) <= 100
    found = program.run("verify", "--json")
    assert found.code == 1
    assert [(lane["scope"], lane["overdue"]) for lane in found.json["lanes"]] == [
        ("biometrics", 1),
        ("all", 1),
    ]

    assert program.call("sweep").code == 0
    done = program.call("verify", "--tenant", "acme")
    assert done.code == 0
    assert "1 account of 1 tenant and 2 erasures were looked at" in done.out
    assert "nothing is wrong." in done.out
    assert "queued, not deleted" in done.out
    assert program.json("verify")["wrong"] == 0


def test_on_a_terminal(program: Program, conn: psycopg.Connection) -> None:
    """A bar moves from check to check, and is gone at the end."""
    idle(conn, 5)
    code, screen = converse(program, "verify", answers={})
    assert code == 0
    assert "nothing is wrong." in " ".join(screen.split())
    assert "/37 " in screen


def test_wrong_use(program: Program) -> None:
    """A tenant that nobody knows, and a database without the worker's schema."""
    done = program.call("verify", "--tenant", "nobody")
    assert done.code == 2
    assert len(done.complaints) == 1
    done = program.call("verify", RETENTION_SCHEMA="elsewhere")
    assert done.code == 2
    assert "run `retention-worker migrate`" in done.complaints[0]
