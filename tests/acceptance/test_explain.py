"""`explain` for support: sentences, a table, JSON, and one line for what is not there."""

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import idle


def test_sentences_and_a_table(program: Program, conn: psycopg.Connection) -> None:
    """What goes when, for a person; nothing in colours and nothing wrapped in a pipe."""
    account = idle(conn, 30)

    done = program.run("explain", str(account.account), "--tenant", "acme")

    assert done.code == 0
    assert "(in 59 days), unless the account is active before." in done.out
    assert "selfies and ID images" in done.out
    assert "activity: public.accounts.last_activity_at:" in done.out
    assert "\x1b" not in done.out


def test_one_json_document(program: Program, conn: psycopg.Connection) -> None:
    """The same for scripts, before and after the erasure."""
    account = idle(conn, 400)
    done = program.run("explain", str(account.account), "--tenant", "acme", "--json")
    assert done.code == 1  # overdue: no sweep ever ran
    assert [each["overdue"] for each in done.json["scopes"]] == [True, True]

    program.run("sweep")

    found = program.json("explain", str(account.account), "--tenant", "acme")
    assert {each["state"] for each in found["entries"]} == {"erased"}
    assert {each["period"] for each in found["erasures"]} == {"360 days", "90 days"}


def test_an_unknown_account_is_one_line(program: Program) -> None:
    """Exit code 2, and no traceback."""
    for subject in ("00000000-0000-0000-0000-000000000000", "Jane"):
        done = program.run("explain", subject, "--tenant", "acme")
        assert (done.code, done.out) == (2, "")
        assert len(done.complaints) == 1
