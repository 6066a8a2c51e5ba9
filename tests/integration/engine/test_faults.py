"""Whatever breaks, the ledger counts what went, nothing active is lost, the next sweep is clean."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from retention_worker.domain.errors import DatabaseUnavailable
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.engine import audit
from tests.integration.engine.proxy import Cut, cutting_proxy
from tests.integration.engine.scene import APPLICATION_NOW, prepare_scene
from tests.integration.engine.traffic import Application
from tests.stage import NOW, UNGUARDED, Stage, lane
from tests.worker import MovingClock, open_worker


@pytest.mark.parametrize("cut", list(Cut))
def test_a_connection_is_cut_at_the_commit(
    database: Database, config_dir: ConfigFolder, tmp_path: Path, cut: Cut
) -> None:
    """Committed or not, who looks again finds out: nothing twice, nothing forgotten."""
    if "host" not in conninfo_to_dict(database.dsn):
        pytest.skip("the proxy stands before a Unix socket")
    scene = prepare_scene(database, config_dir, tmp_path / "log", away=60)
    clock = MovingClock(NOW)
    small = UNGUARDED | {"batch_max_accounts": 5}
    with (
        cutting_proxy(database.worker_dsn) as proxy,
        open_worker(proxy.dsn, config_dir, clock, **small) as worker,
        Application(database.dsn, scene.people, now=APPLICATION_NOW, seed=1) as application,
    ):
        proxy.every, proxy.cut = 4, cut
        for _ in range(12):
            with suppress(DatabaseUnavailable):
                sweep(worker)
            clock.forward(minutes=5)
        with database.connect() as conn:
            audit.check_committed(conn, application.record.merges)
    assert proxy.done > 10
    assert application.record.errors == []
    scene.end([application.record])


def test_the_report_counts_what_was_committed(stage: Stage) -> None:
    """A batch whose answer was lost on the way is in the report, because the ledger has it."""
    if "host" not in conninfo_to_dict(stage.database.dsn):
        pytest.skip("the proxy stands before a Unix socket")
    accounts = [stage.account(idle_days=100 + day) for day in range(6)]
    expected = sum(stage.biometrics(each) for each in accounts)
    small = UNGUARDED | {"batch_max_accounts": 2}
    with (
        cutting_proxy(stage.database.worker_dsn) as proxy,
        open_worker(proxy.dsn, stage.config, stage.clock, **small) as worker,
    ):

        def cut_next(*_: object) -> None:
            proxy.every = proxy.most = 1

        report = sweep(worker, progress=cut_next)
    assert proxy.done == 1
    assert lane(report, Scope.BIOMETRICS).accounts == 6
    assert sum(lane(report, Scope.BIOMETRICS).rows.values()) == expected
    batches = stage.count("SELECT count(*) FROM retention.batch WHERE scope = 'biometrics'")
    assert lane(report, Scope.BIOMETRICS).batches == batches


def test_the_disk_is_full(stage: Stage) -> None:
    """The batch rolls back whole, the database is said to be at fault, the next sweep goes on."""
    account = stage.account(idle_days=400)
    kept = stage.biometrics(account), stage.others(account)
    stage.conn.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END$$;"
        "CREATE TRIGGER full_disk BEFORE INSERT ON retention.batch "
        "FOR EACH ROW EXECUTE FUNCTION full_disk()"
    )
    with pytest.raises(DatabaseUnavailable, match="53100"):
        stage.sweep()
    assert (stage.biometrics(account), stage.others(account)) == kept
    for table in ("erasure", "object_deletion", "deferred"):
        assert stage.count(f"SELECT count(*) FROM retention.{table}") == 0
    assert stage.count("SELECT count(watermark_activity) FROM retention.lane") == 0

    stage.conn.execute("DROP TRIGGER full_disk ON retention.batch")
    stage.clock.forward(minutes=15)
    assert stage.sweep().exit_code == 0
    assert (stage.biometrics(account), stage.others(account)) == (0, 0)


@pytest.mark.parametrize("state", ["P0001", "23514", "22P02", "57014", "55P03", "40P01", "40001"])
@pytest.mark.parametrize("size", [1, 500])
def test_an_account_that_fails_stops_nobody(stage: Stage, state: str, size: int) -> None:
    """It is deferred with its error, the others go in the same sweep, and it is tried again."""
    accounts = [stage.account(idle_days=100 + day) for day in range(12)]
    bad = accounts[5]
    stage.conn.execute(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        f"IF OLD.transaction_id = '{bad.transactions[0]}' THEN "
        f"RAISE EXCEPTION 'secret content' USING ERRCODE = '{state}'; END IF; RETURN OLD; END$$;"
        "CREATE TRIGGER refuse BEFORE DELETE ON face_vectors "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    audit.accept(stage.config, "public.face_vectors.refuse")
    stage.set(batch_max_accounts=size)
    kept = stage.biometrics(bad)

    report = stage.sweep()

    assert [stage.biometrics(each) > 0 for each in accounts] == [each is bad for each in accounts]
    assert stage.biometrics(bad) == kept
    ended = lane(report, Scope.BIOMETRICS)
    assert (ended.stop_reason, ended.accounts, ended.deferred) == (StopReason.EXHAUSTED, 11, 1)
    row = stage.conn.execute("SELECT reason, detail, attempts FROM retention.deferred").fetchone()
    assert row is not None
    reason, detail, attempts = row
    timeout = state in {"57014", "55P03", "40P01", "40001"}
    assert reason == (DeferReason.TIMEOUT if timeout else DeferReason.ERROR)
    assert state in detail
    assert "secret" not in detail
    assert attempts == 1

    stage.conn.execute("DROP TRIGGER refuse ON face_vectors")
    stage.clock.forward(hours=1)
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 1
    assert stage.biometrics(bad) == 0
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0


def test_a_tenant_that_fails_stops_nobody(stage: Stage) -> None:
    """Where everything of a tenant fails, its lane says so, and the next tenant is served."""
    stage.config.write_policy("birch", biometrics="90 days")
    broken = [stage.account(idle_days=100 + day) for day in range(30)]
    fine = [stage.account(idle_days=100, tenant="birch") for _ in range(3)]
    stage.conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN "
        "IF (SELECT tenant_id FROM transactions WHERE id = OLD.transaction_id) = 'acme' "
        "THEN RAISE EXCEPTION 'no'; END IF; RETURN OLD; END$$;"
        "CREATE TRIGGER refuse BEFORE DELETE ON face_vectors "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    audit.accept(stage.config, "public.face_vectors.refuse")

    report = stage.sweep()

    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.FAILED
    assert report.exit_code == 1
    assert all(stage.biometrics(each) for each in broken)
    assert sum(stage.biometrics(each) for each in fine) == 0

    stage.conn.execute("DROP TRIGGER refuse ON face_vectors")
    stage.clock.forward(hours=12)
    assert stage.sweep().exit_code == 0
    assert sum(stage.biometrics(each) for each in broken) == 0


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
def test_a_timeout_of_the_role_is_not_ours(stage: Stage, setting: str) -> None:
    """Whatever the role has set, a batch has its own, and the rest of the sweep works with it."""
    stage.conn.execute(
        f"ALTER ROLE retention_worker IN DATABASE {stage.database.name} SET {setting} = '5s'"
    )
    account = stage.account(idle_days=400)
    stage.sweep()
    assert stage.biometrics(account) == stage.others(account) == 0


def test_the_session_is_ended_by_an_administrator(stage: Stage) -> None:
    """pg_terminate_backend between two batches: the lane connects again and goes on."""
    accounts = [stage.account(idle_days=100 + day) for day in range(6)]
    stage.set(batch_max_accounts=2)
    ended: list[int] = []

    def terminate(*_: object) -> None:
        if len(ended) < 2:
            ended.append(
                stage.count(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE application_name = 'retention-worker' AND datname = current_database()"
                )
            )

    report = stage.sweep(progress=terminate)
    assert len(ended) == 2
    assert all(ended)
    assert report.exit_code == 0
    assert sum(stage.biometrics(each) for each in accounts) == 0
    assert lane(report, Scope.BIOMETRICS).accounts == 6
