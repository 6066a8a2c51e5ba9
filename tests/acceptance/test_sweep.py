"""The commands `plan` and `sweep`, as a script and as a person have them."""

from datetime import UTC, datetime, timedelta

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import counts, gone, idle, ledger, number
from tests.config_folder import ConfigFolder


def populate(conn: psycopg.Connection) -> None:
    """Two accounts that lose everything, three that lose biometrics, one that loses nothing."""
    for days in (400, 380, 200, 150, 120, 5):
        idle(conn, days, transactions=2)


def test_a_plan_is_what_the_sweep_does(program: Program, conn: psycopg.Connection) -> None:
    """`plan --json` counts what `sweep --json` then erases, which is what the tables have lost."""
    populate(conn)
    before = counts(conn)
    planned = program.run("plan", "--json")
    assert planned.code == 0
    assert counts(conn) == before
    swept = program.run("sweep", "--json")
    assert swept.code == 0
    for scope, accounts in (("biometrics", 5), ("all", 2)):
        assert swept.lane(scope)["stop_reason"] == "exhausted"
        assert swept.lane(scope)["accounts"] == planned.lane(scope)["due"] == accounts
        assert swept.lane(scope)["rows"] == planned.lane(scope)["rows"]
        assert swept.lane(scope)["objects_queued"] == planned.lane(scope)["objects_queued"]
    totals: dict[str, int] = {}
    for lane in swept.json["lanes"]:
        for name, rows in lane["rows"].items():
            totals[name] = totals.get(name, 0) + rows
    lost = gone(before, counts(conn))
    assert {name: rows for name, rows in totals.items() if rows} == lost == ledger(conn)
    queued = number(conn, "SELECT count(*) FROM retention.object_deletion")
    assert swept.lane("all")["objects_queued"] == queued == lost["selfies and ID images"]
    assert program.json("sweep", "--reconcile")["lanes"][0]["accounts"] == 0


def test_people_get_tables_and_a_closing_line(program: Program, conn: psycopg.Connection) -> None:
    """Without --json: who lost what, that objects are not deleted yet, and in which time zone."""
    populate(conn)
    planned = program.run("plan")
    assert "would erase" in planned.out
    assert "Nothing was written." in planned.out
    swept = program.run("sweep")
    assert swept.code == 0
    assert "20 face vectors" in swept.out
    assert "queued," in swept.out
    assert "objects queued, not deleted)" in swept.out
    assert f"of {datetime.now(UTC):%Y-%m-%d}" in swept.out
    assert " UTC erased " in swept.out
    assert not swept.complaints
    assert {event["event"] for event in swept.log} >= {"sweep_started", "sweep_finished"}
    assert "\x1b" not in swept.out + swept.err
    assert max(map(len, swept.out.splitlines()[:8])) <= 100


def test_one_tenant_and_another_policy(
    program: Program, conn: psycopg.Connection, config_dir: ConfigFolder
) -> None:
    """--tenant leaves the others alone; --policy tries a file; --at looks at another time."""
    config_dir.write_policy("birch", all_credentials="30 days")
    idle(conn, 50)
    idle(conn, 50, tenant="birch")
    trial = config_dir.path / "trial"
    trial.mkdir()
    (trial / "acme.yaml").write_text("tenant: acme\nretention: {all_credentials: 40 days}\n")
    tried = program.run("plan", "--policy", str(trial / "acme.yaml"), "--json")
    assert [(lane["tenant"], lane["due"]) for lane in tried.json["lanes"]] == [("acme", 1)]
    later = (datetime.now(UTC) + timedelta(days=100)).isoformat()
    assert program.run("plan", "--at", later, "--json").lane("biometrics")["due"] == 1
    assert program.json("sweep", "--tenant", "acme")["lanes"][0]["tenant"] == "acme"
    assert ledger(conn) == {}
    both = program.run("sweep", "--tenant", "acme", "--tenant", "birch", "--json")
    assert both.lane("all", "birch")["accounts"] == 1


def test_a_broken_file_stops_its_tenant_alone(
    program: Program, conn: psycopg.Connection, config_dir: ConfigFolder
) -> None:
    """One tenant's file is wrong: the other is swept, and the exit code calls a person."""
    config_dir.write_policy("birch", all_credentials="30 days")
    config_dir.write_text("acme", "tenant: acme\nretention:\n  all_credentials: 360\n")
    idle(conn, 400)
    idle(conn, 50, tenant="birch")
    swept = program.run("sweep", "--json")
    assert swept.code == 1
    assert swept.lane("all", "birch")["accounts"] == 1
    broken = next(lane for lane in swept.json["lanes"] if lane["tenant"] == "acme")
    assert broken["stop_reason"] == "invalid_policy"
    assert broken["reason"].startswith(f"{config_dir.tenants}/acme.yaml:3:20: retention.all_cre")
    assert program.call("plan", "--tenant", "acme").code == 1
    assert number(conn, "SELECT count(DISTINCT tenant_id) FROM retention.erasure") == 1
    assert program.call("sweep").out.count("acme.yaml:3:20") == 1
