"""Files that people edit: missing, wrong, changed or stale never means delete."""

import pytest

from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.stage import UNGUARDED, Stage, lane
from tests.worker import open_worker


def test_a_broken_file_stops_its_tenant_alone(stage: Stage) -> None:
    """A tenant whose file is wrong is not swept and says so; the others go on."""
    stage.config.write_text("birch", "tenant: birch\nretention:\n  biometrics: 0 days\n")
    birch = stage.account(idle_days=4000, tenant="birch")
    acme = stage.account(idle_days=400)

    report = stage.sweep()

    assert stage.biometrics(birch) > 0
    assert stage.biometrics(acme) == 0
    broken = next(each for each in report.lanes if each.tenant == "birch")
    assert broken.stop_reason is StopReason.INVALID_POLICY
    assert broken.reason is not None
    assert "birch.yaml:3:" in broken.reason
    assert report.exit_code == 1


def test_a_missing_file_means_never(stage: Stage) -> None:
    """A tenant whose file was taken away keeps everything."""
    account = stage.account(idle_days=400)
    stage.config.write_policy("birch", biometrics="10 days")
    stage.config.remove_policy("acme")

    stage.sweep()

    assert stage.biometrics(account) > 0


def test_an_unknown_tenant_is_refused(stage: Stage) -> None:
    """Asking for a tenant without a file is an error, not an empty success."""
    with pytest.raises(UnknownSubject, match="nobody"):
        stage.sweep(tenants=["nobody"])


def test_a_policy_that_matches_no_account_is_reported(stage: Stage) -> None:
    """A tenant_id that is misspelt shows in the report, instead of an empty success."""
    stage.config.write_policy("birch", biometrics="10 days", tenant_id="brich")
    stage.account(idle_days=400, tenant="birch")
    stage.account(idle_days=1)

    report = stage.sweep()

    assert "'brich'" in str(lane(report, Scope.BIOMETRICS, "birch").reason)
    assert lane(report, Scope.BIOMETRICS).reason is None


def test_two_files_of_one_tenant_written_differently_stop_both(stage: Stage) -> None:
    """`1` and `01` are one tenant to a numeric column: the shorter period must not win."""
    stage.conn.execute("DROP INDEX IF EXISTS accounts_activity")
    for table in ("accounts", "transactions"):
        stage.conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_tenant_id_fkey")
    account = stage.account(idle_days=400, tenant="1")
    stage.conn.execute("ALTER TABLE accounts ALTER tenant_id TYPE integer USING tenant_id::integer")
    stage.config.remove_policy("acme")
    stage.config.write_policy("long", all_credentials="900 days", tenant_id="1")
    stage.config.write_policy("short", all_credentials="300 days", tenant_id="01")

    report = stage.sweep()

    assert {each.tenant: each.stop_reason for each in report.lanes} == {
        "long": StopReason.INVALID_POLICY,
        "short": StopReason.INVALID_POLICY,
    }
    assert stage.others(account) > 0


def test_a_stray_file_is_reported(stage: Stage) -> None:
    """A file that is no policy does not pass in silence."""
    (stage.config.tenants / "notes.txt").write_text("call acme")
    report = stage.sweep()
    assert any(
        each.tenant == "notes.txt" and each.stop_reason is StopReason.INVALID_POLICY
        for each in report.lanes
    )


def test_a_change_during_a_sweep_ends_the_lane(stage: Stage) -> None:
    """An edit while a lane runs ends it after the batch in hand; the next sweep has the new one."""
    stage.set(batch_max_accounts=1)
    accounts = [stage.account(idle_days=100 + n) for n in range(5)]

    def edit(*_: object) -> None:
        stage.config.write_policy("acme", all_credentials="360 days", biometrics="200 days")

    report = stage.sweep(progress=edit)

    found = lane(report, Scope.BIOMETRICS)
    assert (found.accounts, found.stop_reason) == (1, StopReason.POLICY_CHANGED)
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 0
    assert sum(stage.biometrics(each) > 0 for each in accounts) == 4


def test_a_policy_that_another_replica_applied_ends_the_lane(stage: Stage) -> None:
    """When another replica applies a new policy meanwhile, this one stops before its next batch."""
    stage.set(batch_max_accounts=1)
    for n in range(5):
        stage.account(idle_days=100 + n)

    def other(*_: object) -> None:
        stage.conn.execute("UPDATE retention.lane SET policy_digest = 'another'")

    found = lane(stage.sweep(progress=other), Scope.BIOMETRICS)
    assert (found.accounts, found.stop_reason) == (1, StopReason.POLICY_CHANGED)


def test_a_stale_replica_does_not_win(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A replica whose unchanged file is older than what another applied since leaves the lane."""
    stage.sweep()
    newer = ConfigFolder(tmp_path_factory.mktemp("newer") / "config")
    newer.write_policy("acme", all_credentials="720 days", biometrics="300 days")
    account = stage.account(idle_days=100)
    with open_worker(stage.database.worker_dsn, newer, stage.clock, **UNGUARDED) as other:
        sweep(other)

    report = stage.sweep()
    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.STALE_POLICY
    assert stage.biometrics(account) > 0
    assert report.exit_code == 1

    stage.config.write_policy("acme", all_credentials="720 days", biometrics="60 days")
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 1


def test_every_policy_that_was_applied_is_logged_once(stage: Stage) -> None:
    """The log has the text and the revision of each policy that counted, and no repetition."""
    stage.set(config_revision="4f2c")
    stage.sweep()
    stage.sweep()
    stage.config.write_policy("acme", biometrics="91 days", notes="only the notes differ")
    stage.sweep()
    stage.config.write_policy("acme", biometrics="91 days", notes="other notes")
    stage.sweep()

    rows = stage.conn.execute(
        "SELECT content, revision FROM retention.policy ORDER BY id"
    ).fetchall()
    assert [revision for _, revision in rows] == ["4f2c", "4f2c"]
    assert "91 days" in rows[1][0]


def test_a_bound_that_a_file_breaks_stops_the_tenant(stage: Stage) -> None:
    """The operator's bounds hold for files that were fine before."""
    account = stage.account(idle_days=400)
    stage.set(max_biometrics=Period(days=30))

    report = stage.sweep()

    assert stage.biometrics(account) > 0
    assert [each.stop_reason for each in report.lanes] == [StopReason.INVALID_POLICY]


def test_a_single_tenant_map_takes_one_file(stage: Stage) -> None:
    """Without a tenant column a second policy file is refused, not guessed about."""
    text = stage.config.datamap.read_text().replace("  tenant: tenant_id\n", "")
    stage.config.datamap.write_text(text)
    stage.config.write_policy("birch", biometrics="10 days")
    account = stage.account(idle_days=400)

    with pytest.raises(ConfigurationError, match="exactly one policy file"):
        stage.sweep()
    assert stage.biometrics(account) > 0
