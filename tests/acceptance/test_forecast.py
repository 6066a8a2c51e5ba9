"""`forecast`: a chart for people, JSON for scripts."""

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import idle


def test_a_chart_and_json(program: Program, conn: psycopg.Connection) -> None:
    """Due now and within the days, of both scopes."""
    for days in (400, 85, 80):
        idle(conn, days)

    done = program.run("forecast", "--days", "20")

    assert done.code == 0
    assert "biometrics" in done.out
    assert "█" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines()[:10])) <= 100
    found = program.json("forecast", "--days", "20")
    lanes = {each["scope"]: each for each in found["lanes"]}
    assert (lanes["biometrics"]["now"], lanes["all"]["now"]) == (1, 1)
    assert sum(lanes["biometrics"]["due"].values()) == 2


def test_wrong_use(program: Program) -> None:
    """No days, and a tenant that has no file."""
    for arguments in (("--days", "0"), ("--tenant", "nobody")):
        done = program.call("forecast", *arguments)
        assert done.code == 2
        assert len(done.complaints) == 1
