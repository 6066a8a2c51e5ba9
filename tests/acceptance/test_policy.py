"""The command `policy`: files without a database, and what the database remembers of them."""

import csv
import io

import psycopg

from tests.acceptance.program import Program
from tests.acceptance.rows import idle
from tests.config_folder import ConfigFolder

BROKEN = "tenant: birch\nretention:\n  biometrics: 90\n  al_credentials: 1 year\n"


def test_check_needs_no_database(bare: Program, config_dir: ConfigFolder) -> None:
    """Right files end with 0; every fault is a line with its place, and the exit code 2."""
    right = bare.run("policy", "check")
    assert (right.code, right.out, right.err) == (0, "2 files: nothing is wrong.\n", "")
    broken = config_dir.write_text("birch", BROKEN)
    wrong = bare.run("policy", "check")
    assert wrong.code == 2
    lines = wrong.out.splitlines()
    assert lines[0].startswith(f"{broken}:3:15: retention.biometrics: ")
    assert lines[1].startswith(f"{broken}:4:3: retention.al_credentials: ")
    assert lines[2] == "2 faults in 1 file: those tenants are not swept until that is mended."
    document = bare.run("policy", "check", "--json").json
    assert document["files"] == 3
    assert [(each["line"], each["column"]) for each in document["problems"]] == [(3, 15), (4, 3)]


def test_check_of_given_files(bare: Program, config_dir: ConfigFolder) -> None:
    """FILE looks at that file alone, a policy or a data map."""
    broken = config_dir.write_text("birch", BROKEN)
    assert bare.call("policy", "check", str(config_dir.tenants / "acme.yaml")).code == 0
    assert bare.call("policy", "check", str(config_dir.datamap)).code == 0
    assert bare.call("policy", "check", str(broken)).code == 2
    config_dir.datamap.write_text("accounts: {}\n")
    assert bare.call("policy", "check", str(config_dir.datamap)).code == 2
    assert "nothing is swept until" in bare.run("policy", "check").out


def test_show_and_schema_need_no_database(bare: Program) -> None:
    """`show` says what is in force by the files, `schema` prints the schemas of both."""
    shown = bare.json("policy", "show", "acme")["policies"][0]
    assert (shown["all_credentials"], shown["biometrics"]) == ("360 days", "90 days")
    assert shown["digest"][:12] in bare.call("policy", "show").out
    assert bare.call("policy", "schema").json["title"]
    assert "accounts" in bare.call("policy", "schema", "datamap").json["properties"]
    unknown = bare.call("policy", "show", "nobody")
    assert (unknown.code, len(unknown.complaints)) == (2, 1)


def test_history_has_every_policy_that_was_applied(
    program: Program, config_dir: ConfigFolder, conn: psycopg.Connection
) -> None:
    """Newest first, with the revision and the file's text; the schedule says since when."""
    idle(conn, 1)
    assert program.run("sweep", RETENTION_CONFIG_REVISION="r1").code == 0
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="60 days")
    assert program.run("sweep", RETENTION_CONFIG_REVISION="r2").code == 0
    found = program.json("policy", "history", "acme")["history"]
    assert [(each["biometrics"], each["revision"]) for each in found] == [
        ("60 days", "r2"),
        ("90 days", "r1"),
    ]
    assert "60 days" in found[0]["content"]
    assert "r1" in program.call("policy", "history", "acme").out
    since = {
        line["scope"]: line["since"] for line in program.json("policy", "schedule")["schedule"]
    }
    assert since == {"all": found[1]["applied_at"], "biometrics": found[0]["applied_at"]}
    unknown = program.call("policy", "history", "nobody")
    assert (unknown.code, len(unknown.complaints)) == (2, 1)


def test_the_schedule_has_every_tenant(bare: Program, config_dir: ConfigFolder) -> None:
    """As Markdown, CSV and JSON: those without a period too, and those whose file is wrong."""
    config_dir.write_policy("never-inc", biometrics="30 days")
    config_dir.write_text("birch", BROKEN)
    table = bare.run("policy", "schedule", "--format", "csv")
    assert table.code == 1
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert [(row["tenant"], row["what"], row["period"]) for row in rows] == [
        ("acme", "all credentials", "360 days"),
        ("acme", "biometrics only", "90 days"),
        ("never-inc", "all credentials", "never"),
        ("never-inc", "biometrics only", "30 days"),
        ("birch", "everything", "not swept: the file is wrong"),
    ]
    assert "extracted fields" in rows[0]["credentials"]
    assert "extracted fields" not in rows[1]["credentials"]
    config_dir.remove_policy("birch")
    markdown = bare.run("policy", "schedule")
    assert markdown.code == 0
    lines = markdown.out.splitlines()
    assert lines[1].startswith("| ---")
    assert len({len(line) for line in lines}) == 1
    assert len(bare.json("policy", "schedule", "--format", "json")["schedule"]) == 4
