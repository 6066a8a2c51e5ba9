"""Holds, pause, resume, the clock: what people do to stop erasures."""

from datetime import UTC, datetime, timedelta

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import idle, number

WHY = ("--reason", "case 4711")


def test_a_hold_keeps_an_account_until_it_is_released(
    program: Program, conn: psycopg.Connection
) -> None:
    """However its id is written, a held account is passed over; released, the next sweep comes."""
    held = idle(conn, 400)
    idle(conn, 400)
    account = str(held.account).upper()
    placed = program.json("hold", "place", account, "--tenant", "acme", *WHY)
    assert placed["account"] == str(held.account)
    assert placed["credentials_left"] is True
    lane = program.run("sweep", "--json").lane("all")
    assert (lane["accounts"], lane["on_hold"]) == (1, 1)
    listed = program.json("hold", "list", "--tenant", "acme")["holds"]
    assert [(hold["account"], hold["reason"], hold["until"]) for hold in listed] == [
        (str(held.account), "case 4711", None)
    ]
    table = program.run("hold", "list").out
    assert "case 4711" in table
    assert "1 active hold." in table
    assert "@" in listed[0]["placed_by"]
    released = program.json("hold", "release", account, "--tenant", "acme", *WHY)
    assert released["released"] == 1
    assert program.json("hold", "list")["holds"] == []
    assert program.run("sweep", "--json").lane("all")["accounts"] == 1


def test_a_hold_has_an_end_and_an_author(program: Program, conn: psycopg.Connection) -> None:
    """--until and --actor are kept, to the second and in UTC."""
    held = idle(conn, 400)
    options = ("--tenant", "acme", "--until", "2999-01-01T01:00:00+01:00", "--actor", "Ada", *WHY)
    done = program.run("hold", "place", str(held.account), *options)
    assert "until 2999-01-01 00:00:00 UTC" in done.out
    row = conn.execute("SELECT placed_by, until FROM retention.hold").fetchone()
    assert row == ("Ada", datetime(2999, 1, 1, tzinfo=UTC))


def test_holds_that_cannot_be(program: Program, conn: psycopg.Connection) -> None:
    """Each is one line that says what to do, and exit code 2."""
    place = ("hold", "place", "00000000-0000-0000-0000-000000000000", *WHY)
    for arguments, words in (
        (place, "name the tenant: --tenant T"),
        ((*place, "--tenant", "acme"), "tenant 'acme' has no account '00000000"),
        ((*place, "--tenant", "acme", "--until", "2999-01-01"), "has no time zone"),
        ((*place, "--tenant", "acme", "--until", "2001-01-01T00:00:00Z"), "the time has passed"),
        (("hold", "place", "xyz", "--tenant", "acme", *WHY), "'xyz' is no id here"),
        (("hold", "release", "xyz", "--tenant", "acme", *WHY), "'xyz' is no id here"),
        (("hold", "place", "xyz", "--reason", " "), "is empty: write a few words"),
        (("hold", "place", "xyz"), "Missing option '--reason'"),
    ):
        done = program.call(*arguments)
        assert (done.code, len(done.complaints), done.out) == (2, 1, ""), done
        assert words in done.complaints[0]
    assert number(conn, "SELECT count(*) FROM retention.hold") == 0


def test_a_pause_stops_sweeps_until_resumed(program: Program, conn: psycopg.Connection) -> None:
    """Paused, a sweep erases nothing and says who paused it; resumed, it does."""
    idle(conn, 400)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert program.run("pause", *WHY, "--actor", "Ada", "--until", until).code == 0
    paused = program.run("sweep", "--json")
    assert paused.code == 0
    assert paused.lane("all")["stop_reason"] == "paused"
    assert "Ada" in paused.lane("all")["reason"]
    assert paused.lane("all")["accounts"] == 0
    assert "Sweeps go again." in program.run("resume").out
    assert "Nothing was paused." in program.call("resume").out
    assert program.run("sweep", "--json").lane("all")["accounts"] == 1


def test_a_clock_that_ran_ahead_is_accepted_by_a_person(
    program: Program, conn: psycopg.Connection
) -> None:
    """A past sweep dated in the future refuses the next with exit 3; `clock accept` clears it."""
    idle(conn, 1)
    conn.execute(
        "INSERT INTO retention.sweep (started_at, version, host)"
        " VALUES (now() + interval '1 day', 'x', 'x')"
    )
    refused = program.run("sweep")
    assert (refused.code, len(refused.complaints)) == (3, 1)
    assert "clock accept" in refused.complaints[0]
    assert program.run("clock", "accept", *WHY).code == 0
    assert program.run("sweep").code == 0
