"""What goes wrong is one line that says what to do, and an exit code; never a traceback."""

from pathlib import Path

import psycopg
import pytest

from retention_worker.settings import known_variables
from tests.acceptance.program import Program, Result
from tests.acceptance.rows import idle
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.server import rewrite_url

SECRET = "Geheimnis!"
WRONG_SETTINGS = {
    "RETENTION_STREAMS": "0",
    "RETENTION_BATCH_TARGET_MS": "1",
    "RETENTION_MAX_REPLICATION_LAG_SECONDS": "-1",
    "RETENTION_EXPECTED_STANDBYS": "x" * 1_001,
    "RETENTION_MAX_TRANSACTION_AGE": "old",
    "RETENTION_MAX_DEAD_PERCENT": "101",
    "RETENTION_MAX_CONNECTION_PERCENT": "many",
    "RETENTION_STOP_WHEN_ARCHIVING_FAILS": "perhaps",
    "RETENTION_CONFIG_REVISION": "x" * 201,
    "RETENTION_SCHEMA": "x" * 64,
    "RETENTION_SCHEDULE": "hourly",
    "RETENTION_RECONCILE": "0 0 * * 0",
    "RETENTION_WINDOW": "1-5",
    "RETENTION_MIN_PERIOD": "1.5 days",
    "RETENTION_MAX_BIOMETRICS": "never",
    "RETENTION_MAX_ALL_CREDENTIALS": "10",
    "RETENTION_OVERDUE_AFTER": "24",
    "RETENTION_TIME_BUDGET": "0m",
    "RETENTION_DUTY_CYCLE_PERCENT": "0",
    "RETENTION_BATCH_MAX_ACCOUNTS": "ten",
    "RETENTION_BATCH_MAX_TRANSACTIONS": "0",
    "RETENTION_BATCH_DEADLINE_MS": "1",
    "RETENTION_GUARD_PERCENT": "101",
    "RETENTION_GUARD_MIN_ACCOUNTS": "-1",
    "RETENTION_MAX_CLOCK_SKEW_SECONDS": "0",
    "RETENTION_OBJECT_DRAIN": "perhaps",
    "RETENTION_OBJECT_SCHEDULE": "* * * * 0",
    "RETENTION_OBJECT_GRACE_SECONDS": "-1",
    "RETENTION_OBJECT_CONCURRENCY": "0",
    "RETENTION_OBJECT_RATE": "0",
    "RETENTION_OBJECT_TIMEOUT_SECONDS": "0",
    "RETENTION_OBJECT_SAMPLE_DAYS": "-1",
    "RETENTION_HEALTH_PORT": "65536",
    "RETENTION_WEB_PORT": "65536",
    "RETENTION_WEB_URL": "retention.example.com",
    "RETENTION_OIDC_ISSUER": "login",
    "RETENTION_OIDC_ROLES": "kyc-lead=boss",
    "RETENTION_LOG_LEVEL": "loud",
}
# Any text may be right, as far as one can see without trying: the tests below try.
TRIED = {
    "RETENTION_CONFIG_DIR",
    "RETENTION_DATABASE_URL",
    "RETENTION_HEALTH_HOST",
    "RETENTION_LEDGER_EXPORT",
    "RETENTION_OBJECT_FILES_ROOT",
    "RETENTION_WEB_HOST",
    "RETENTION_OIDC_CLIENT_ID",
    "RETENTION_OIDC_CLIENT_SECRET",
    "RETENTION_OIDC_NAME_CLAIM",
    "RETENTION_OIDC_TENANT_CLAIM",
    "RETENTION_OIDC_ROLE_CLAIM",
}


def one_line(done: Result, code: int, words: str) -> None:
    """The whole answer is one line with these words."""
    assert (done.code, len(done.complaints), done.out) == (code, 1, ""), done
    assert words in done.complaints[0]
    assert SECRET not in done.err


def test_every_wrong_setting_has_its_line(bare: Program) -> None:
    """Each variable is named with what is wrong, all of them at once; and none was forgotten."""
    assert known_variables() - WRONG_SETTINGS.keys() <= TRIED
    done = bare.run("sweep", **WRONG_SETTINGS)
    assert done.code == 2
    assert sorted(line.split(": ")[0] for line in done.complaints) == sorted(WRONG_SETTINGS)


def test_a_name_that_is_no_setting(bare: Program) -> None:
    """A misspelt setting is refused, in the environment and in .env alike."""
    misspelt = bare.call("policy", "check", RETENTION_GARD_PERCENT="5")
    one_line(misspelt, 2, "RETENTION_GARD_PERCENT: no setting has this name")
    (bare.folder / ".env").write_text("RETENTION_GARD_PERCENT=5\n")
    one_line(bare.call("policy", "check"), 2, "RETENTION_GARD_PERCENT: no setting has this name")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("", 2, "RETENTION_DATABASE_URL is not set"),
        (f"mysql://u:{SECRET}@h/d", 2, "RETENTION_DATABASE_URL is no address"),
        (f"postgresql://u:{SECRET}@127.0.0.1:1/d", 3, "the database cannot be reached"),
        (f"host=/nowhere password={SECRET}", 3, "the database cannot be reached"),
    ],
)
def test_databases_that_are_not_there(bare: Program, url: str, code: int, words: str) -> None:
    """Not set and wrong are exit 2, unreachable is 3; the password is nowhere."""
    one_line(bare.call("plan", RETENTION_DATABASE_URL=url), code, words)


def test_a_database_of_another_name(program: Program, database: Database) -> None:
    """The server is there, the database is not: unreachable, in one line."""
    url = rewrite_url(database.worker_dsn, dbname="nowhere", password=SECRET)
    one_line(program.call("sweep", RETENTION_DATABASE_URL=url), 3, "nowhere")


def test_a_schema_that_is_missing_is_migrated(program: Program, empty_database: Database) -> None:
    """Exit 2 and the command that helps; `migrate` says what it did, and once is enough."""
    with empty_database.connect() as conn:
        conn.execute(
            f'CREATE SCHEMA other; GRANT CREATE ON DATABASE "{empty_database.name}"'
            " TO retention_worker"
        )
    program.environment |= {
        "RETENTION_DATABASE_URL": empty_database.worker_dsn,
        "RETENTION_SCHEMA": "Own Schema",
    }
    one_line(program.run("sweep"), 2, "run `retention-worker migrate`")
    done = program.json("migrate")
    assert done["schema"] == "Own Schema"
    assert done["applied"]
    assert program.json("migrate")["applied"] == []
    assert "was up to date" in program.run("migrate").out


def test_a_data_map_that_is_wrong(
    program: Program, conn: psycopg.Connection, config_dir: ConfigFolder
) -> None:
    """A fault of the file has its place, a name that the catalog lacks its name: exit 2."""
    text = config_dir.datamap.read_text()
    config_dir.datamap.write_text(text.replace("erase: rows", "erase: row", 1))
    assert program.run("sweep").code == 2
    one_line(program.run("plan"), 2, f"{config_dir.datamap}:")
    config_dir.datamap.write_text(text.replace("public.face_vectors", "public.face_vektors", 1))
    drifted = program.run("sweep")
    assert drifted.code == 2
    assert "face_vektors" in drifted.err
    assert "Traceback" not in drifted.err


def test_folders_and_tenants_that_are_not_there(program: Program, tmp_path: Path) -> None:
    """Each is one line with the path or the name."""
    one_line(program.call("sweep", RETENTION_CONFIG_DIR=str(tmp_path / "none")), 2, "datamap.yaml")
    one_line(program.call("sweep", "--tenant", "nobody"), 2, "tenant 'nobody' has no policy file")
    one_line(program.call("plan", "--policy", "nobody.yaml"), 2, "nobody.yaml:1:1: ")


def test_wrong_use_is_one_line(bare: Program) -> None:
    """Unknown commands, options and values, and a missing argument."""
    for arguments, words in (
        (("swep",), "Did you mean"),
        (("sweep", "--bogus"), "--bogus"),
        (("plan", "--at", "yesterday"), "is no time: write ISO 8601"),
        (("plan", "--at", "2026-01-01T00:00:00"), "has no time zone"),
        (("approve", "acme", "--for", "soon"), "'soon' is no length of time"),
        (("approve",), "write a tenant, or --plan FILE"),
        (("hold", "place"), "Missing argument 'ACCOUNT'"),
    ):
        one_line(bare.call(*arguments), 2, words)


def test_help_and_version_need_nothing(tmp_path: Path) -> None:
    """Without a file or a setting; without a command the help comes with exit code 2."""
    nothing = Program(folder=tmp_path, environment={})
    assert nothing.run("--version").out.startswith("retention-worker ")
    assert "--reconcile" in nothing.run("sweep", "--help").out
    without = nothing.run()
    assert (without.code, without.err) == (2, "")
    assert "sweep" in without.out


def test_doctor_finds_says_and_mends(program: Program, conn: psycopg.Connection) -> None:
    """Safe: 0. Unsafe: 2, what to do, and the SQL; a warning alone is no failure."""
    idle(conn, 1)
    safe = {"safe": True, "findings": [], "stores": [], "tried": None}
    assert program.json("doctor") == safe
    conn.execute("DROP INDEX face_templates_by_transaction")
    warned = program.run("doctor")
    assert warned.code == 0
    assert "warning: public.face_templates: has no index" in warned.out
    conn.execute("ALTER TABLE face_vectors ENABLE ROW LEVEL SECURITY")
    refused = program.run("doctor", "--json")
    assert (refused.code, refused.json["safe"]) == (2, False)
    assert refused.json["findings"][0]["check"] == "row-security"
    script = program.run("doctor", "--sql", "--role", "someone").out
    assert 'ALTER ROLE "someone" BYPASSRLS' in script
    assert "CREATE INDEX CONCURRENTLY" in script
    assert program.run("sweep").code == 2
