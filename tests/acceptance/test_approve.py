"""The command `approve`: on a terminal by typing a name, elsewhere by options."""

import psycopg
import pytest

from tests.acceptance.program import Program
from tests.acceptance.rows import idle, number
from tests.acceptance.terminal import converse


@pytest.fixture
def waiting(program: Program, conn: psycopg.Connection) -> Program:
    """More accounts are due than may go without a person."""
    program.environment |= {
        "RETENTION_GUARD_PERCENT": "5",
        "RETENTION_GUARD_MIN_ACCOUNTS": "2",
    }
    for _ in range(5):
        idle(conn, 120, transactions=1)
    return program


def test_a_script_approves_with_a_reason(waiting: Program, conn: psycopg.Connection) -> None:
    """A lane that waits calls a person by exit code 1; approved, the next sweep erases it."""
    first = waiting.run("sweep", "--json")
    assert first.code == 1
    assert first.lane("biometrics")["stop_reason"] == "waiting"
    assert first.lane("biometrics")["accounts"] == 0
    assert waiting.run("plan", "--json").lane("biometrics")["due"] == 5
    for incomplete in ((), ("--yes",), ("--reason", "why")):
        refused = waiting.call("approve", "acme", *incomplete)
        assert (refused.code, len(refused.complaints)) == (2, 1)
        assert "--yes" in refused.complaints[0]
    arguments = ("approve", "acme", "--yes", "--reason", "first backlog", "--for", "2d")
    given = waiting.json(*arguments)["approvals"]
    assert [(each["scope"], each["at_most"]) for each in given] == [("biometrics", 5)]
    row = conn.execute(
        "SELECT reason, expires_at - approved_at = interval '2 days' FROM retention.approval"
    ).fetchone()
    assert row == ("first backlog", True)
    second = waiting.run("sweep", "--json")
    assert (second.code, second.lane("biometrics")["accounts"]) == (0, 5)
    nothing = waiting.call(*arguments)
    assert (nothing.code, len(nothing.complaints)) == (2, 1)
    assert "nothing of tenant 'acme' waits" in nothing.complaints[0]


def test_a_saved_plan_is_approved_as_it_is(waiting: Program, conn: psycopg.Connection) -> None:
    """`plan --json` in a file, looked at, approved: these lanes and no more accounts."""
    saved = waiting.folder / "plan.json"
    saved.write_text(waiting.run("plan", "--json").out)
    idle(conn, 120)
    given = waiting.json("approve", "--plan", str(saved), "--yes", "--reason", "reviewed")
    assert [(each["scope"], each["at_most"]) for each in given["approvals"]] == [("biometrics", 5)]
    # One more is due than was shown, so a person has to look again.
    swept = waiting.run("sweep", "--json")
    assert (swept.code, swept.lane("biometrics")["stop_reason"]) == (1, "waiting")


def test_a_person_sees_and_types_the_name(waiting: Program, conn: psycopg.Connection) -> None:
    """On a terminal: what waits as a table, the tenant's name typed again, the reason asked for."""
    asked = {"To approve, type 'acme'": "acme", "Why": "looked at it"}
    code, screen = converse(waiting, "approve", "acme", "--at-most", "9", answers=asked)
    assert code == 0, screen
    assert "face vectors" in screen
    assert "cannot be brought back" in screen
    assert "9 accounts last active up to" in " ".join(screen.split())
    row = conn.execute("SELECT reason, at_most FROM retention.approval").fetchone()
    assert row == ("looked at it", 9)


def test_another_name_approves_nothing(waiting: Program, conn: psycopg.Connection) -> None:
    """A slip of the pen, or a mind that was changed, leaves everything as it was."""
    code, screen = converse(waiting, "approve", "acme", answers={"To approve": "acne"})
    assert code == 2
    assert "nothing was approved" in screen
    assert number(conn, "SELECT count(*) FROM retention.approval") == 0


def test_a_sweep_on_a_terminal_shows_progress_and_no_log(
    waiting: Program, conn: psycopg.Connection
) -> None:
    """The bar counts accounts while it goes; the events stay out of a person's way."""
    waiting.environment["RETENTION_GUARD_MIN_ACCOUNTS"] = "10"
    code, screen = converse(waiting, "sweep", answers={})
    assert code == 0
    assert "5 accounts" in screen
    assert "sweep_started" not in screen
    assert "erased 20 rows in 1 lane in" in " ".join(screen.split())
