"""`user`: people who may use the portal, made on a terminal and by scripts."""

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.terminal import converse

PASSWORD = "seventeen blue kites"
SAM = ("user", "create", "sam", "--tenant", "acme", "--role", "support")


def test_from_the_first_user_to_a_disabled_one(program: Program, conn: psycopg.Connection) -> None:
    """Made, listed, given another password, disabled; no password is printed or kept."""
    made = program.run(*SAM, "--password-stdin", "--json", input=f"{PASSWORD}\n")
    assert (made.code, made.json["role"], made.json["tenant_id"]) == (0, "support", "acme")
    (listed,) = program.json("user", "list")["users"]
    assert (listed["name"], listed["disabled_at"]) == ("sam", None)
    changed = program.run("user", "password", "sam", "--password-stdin", input="thirteen kites\n")
    assert changed.code == 0
    assert "signed out everywhere" in changed.out
    assert program.json("user", "disable", "sam")["disabled_at"]
    assert "disabled" in program.run("user", "list").out
    assert program.run("user", "disable", "sam").code == 2
    again = program.run(*SAM, "--password-stdin", input=f"{PASSWORD}\n")
    assert (again.code, "is taken" in again.err) == (2, True)
    everything = conn.execute("SELECT u::text FROM retention.portal_user u").fetchall()
    assert PASSWORD not in str(everything)
    assert PASSWORD not in made.out + made.err


def test_on_a_terminal_the_password_is_asked_for_twice(program: Program) -> None:
    """It is not shown; two that differ change nothing."""
    answers = {"Password: ": PASSWORD, "Again: ": "another one"}
    code, screen = converse(program, *SAM, answers=answers)
    assert (code, "differ" in screen, PASSWORD in screen) == (2, True, False)
    code, screen = converse(program, *SAM, answers={"Password: ": PASSWORD, "Again: ": PASSWORD})
    assert (code, PASSWORD in screen) == (0, False)


def test_what_is_refused_is_one_line(program: Program) -> None:
    """No terminal, a short password, an unknown tenant or role."""
    for arguments, given, words in (
        (SAM, "", "--password-stdin"),
        ((*SAM, "--password-stdin"), "short\n", "12 to 128 characters"),
        ((*SAM, "--password-stdin"), "", "12 to 128 characters"),
        ((*SAM[:4], "nowhere", *SAM[5:], "--password-stdin"), f"{PASSWORD}\n", "no tenant"),
        ((*SAM[:6], "boss", "--password-stdin"), f"{PASSWORD}\n", "boss"),
    ):
        done = program.run(*arguments, input=given)
        assert (done.code, len(done.complaints)) == (2, 1), done
        assert words in done.complaints[0]
