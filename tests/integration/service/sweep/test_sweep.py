"""Sweeps over moving time: what is due goes, nothing else does, and never early."""

from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from tests.factories import add_image, add_transaction, authenticate, make_account
from tests.snapshot import diff, snapshot
from tests.stage import Stage, lane

MICROSECOND = timedelta(microseconds=1)
BIOMETRIC_TABLES = {
    "public.face_vectors",
    "public.face_templates",
    "public.authentication_vectors",
}
CREDENTIAL_TABLES = BIOMETRIC_TABLES | {"public.images", "public.extracted_data"}


def test_biometrics_go_first_and_everything_else_stays(stage: Stage) -> None:
    """After the biometrics period only biometrics are gone; every other row is as it was."""
    idle = stage.account(idle_days=91, transactions=3)
    stage.account(idle_days=89, transactions=3)
    before = snapshot(stage.conn, exclude=["retention"])
    expected = stage.biometrics(idle)

    report = stage.sweep()

    changes = diff(before, snapshot(stage.conn, exclude=["retention"]))
    assert changes.keys() == BIOMETRIC_TABLES
    assert sum(len(change.removed) for change in changes.values()) == expected
    assert not any(change.added for change in changes.values())
    assert lane(report, Scope.BIOMETRICS).accounts == 1
    assert lane(report, Scope.ALL).accounts == 0
    assert report.exit_code == 0


def test_all_credentials_go_and_metadata_stays(stage: Stage) -> None:
    """After the longer period no credential is left; transactions, results and audits stay."""
    idle = stage.account(idle_days=361, transactions=2)
    before = snapshot(stage.conn, exclude=["retention"])

    report = stage.sweep()

    changes = diff(before, snapshot(stage.conn, exclude=["retention"]))
    assert changes.keys() == CREDENTIAL_TABLES
    assert stage.biometrics(idle) == stage.others(idle) == 0
    rows = sum(lane(report, Scope.ALL).rows.values()) + sum(
        lane(report, Scope.BIOMETRICS).rows.values()
    )
    assert sum(len(change.removed) for change in changes.values()) == rows
    assert stage.count("SELECT count(*) FROM images WHERE kind = 'AUDIT'") > 0


@pytest.mark.parametrize(
    ("offset", "gone"), [(MICROSECOND, False), (timedelta(0), True), (-MICROSECOND, True)]
)
def test_the_boundary_is_exact_to_the_microsecond(
    stage: Stage, offset: timedelta, gone: bool
) -> None:
    """An account is due at last activity + period, and not one microsecond before."""
    at = stage.clock.now - timedelta(days=90) + offset
    account = make_account(stage.conn, last_activity=at)

    stage.sweep()

    assert (stage.biometrics(account) == 0) is gone


@pytest.mark.parametrize(
    ("active", "kept_at", "gone_at"),
    [
        ("2023-01-31T12:00:00", "2023-02-28T23:59:59.999998", "2023-02-28T23:59:59.999999"),
        ("2024-02-29T08:00:00", "2024-03-29T07:59:59.999999", "2024-03-29T08:00:00"),
        ("2023-12-15T00:00:00", "2024-01-14T23:59:59.999999", "2024-01-15T00:00:00"),
    ],
)
def test_months_are_calendar_months_and_never_early(
    stage: Stage, active: str, kept_at: str, gone_at: str
) -> None:
    """A month is clipped to the month's end, leap years included, and nothing goes before."""
    stage.config.write_policy("acme", biometrics="1 month")
    at = datetime.fromisoformat(active).replace(tzinfo=UTC)
    account = make_account(stage.conn, last_activity=at)

    stage.clock.now = datetime.fromisoformat(kept_at).replace(tzinfo=UTC)
    stage.sweep()
    assert stage.biometrics(account) > 0

    stage.clock.now = datetime.fromisoformat(gone_at).replace(tzinfo=UTC)
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_an_active_account_keeps_transactions_of_any_age(stage: Stage) -> None:
    """What counts is the account's last activity: ten-year-old transactions stay with it."""
    account = stage.account(idle_days=3650, transactions=4)
    authenticate(stage.conn, account.account, stage.clock.now - timedelta(days=1))
    before = snapshot(stage.conn, exclude=["retention"])

    stage.sweep()

    assert diff(before, snapshot(stage.conn, exclude=["retention"])) == {}


def test_years_pass_account_by_account(stage: Stage) -> None:
    """Day by day over two years: each account loses each scope on its own day, not before."""
    accounts = [stage.account(idle_days=days) for days in range(0, 300, 37)]
    start = stage.clock.now
    ages = dict(zip(accounts, range(0, 300, 37), strict=True))
    for day in range(0, 400, 10):
        stage.clock.now = start + timedelta(days=day)
        stage.sweep()
        for account, age in ages.items():
            assert (stage.biometrics(account) == 0) is (age + day >= 90)
            assert (stage.others(account) == 0) is (age + day >= 360)


def test_a_second_sweep_erases_nothing(stage: Stage) -> None:
    """What is gone is gone: asked again at once, no batch is written."""
    for days in (100, 200, 400):
        stage.account(idle_days=days)
    stage.sweep()
    before = snapshot(stage.conn)

    report = stage.sweep()

    assert all(each.accounts == 0 and each.batches == 0 for each in report.lanes)
    changes = diff(before, snapshot(stage.conn))
    assert changes.keys() <= {"retention.sweep", "retention.tenant", "retention.lane"}


def test_a_returning_person_starts_anew(stage: Stage) -> None:
    """After an erasure new data of the same account lives its own full period."""
    account = stage.account(idle_days=400)
    stage.sweep()
    transaction = add_transaction(stage.conn, account.account, stage.clock.now)
    add_image(stage.conn, transaction, stage.clock.now)

    stage.clock.forward(days=359)
    stage.sweep()
    assert stage.count("SELECT count(*) FROM images WHERE transaction_id = %s", transaction) == 1

    stage.clock.forward(days=1)
    stage.sweep()
    assert stage.count("SELECT count(*) FROM images WHERE transaction_id = %s", transaction) == 0


def test_tenants_have_their_own_periods(stage: Stage) -> None:
    """A tenant's period never touches another tenant; one without a file is left alone."""
    stage.config.write_policy("birch", biometrics="30 days")
    acme = stage.account(idle_days=60, tenant="acme")
    birch = stage.account(idle_days=60, tenant="birch")
    unknown = stage.account(idle_days=6000, tenant="nobody")

    report = stage.sweep()

    assert stage.biometrics(acme) > 0
    assert stage.biometrics(birch) == 0
    assert stage.others(birch) > 0
    assert stage.biometrics(unknown) > 0
    assert {each.tenant for each in report.lanes} == {"acme", "birch"}


def test_a_longer_period_erases_nothing_more(stage: Stage) -> None:
    """Made longer after a sweep, a period lets nothing go until it has passed."""
    account = stage.account(idle_days=80)
    other = stage.account(idle_days=95)
    stage.sweep()
    assert stage.biometrics(other) == 0
    stage.config.write_policy("acme", biometrics="200 days")

    stage.clock.forward(days=30)
    stage.sweep()
    assert stage.biometrics(account) > 0

    stage.clock.forward(days=90)
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_accounts_without_a_usable_activity_are_never_due(stage: Stage) -> None:
    """No activity, and infinite activity either way, means never, and stops nobody else."""
    stage.conn.execute("ALTER TABLE accounts ALTER last_activity_at DROP NOT NULL")
    strange = [stage.account(idle_days=1) for _ in range(3)]
    for account, value in zip(strange, (None, "infinity", "-infinity"), strict=True):
        stage.conn.execute(
            "UPDATE accounts SET last_activity_at = %s::timestamptz WHERE id = %s",
            (value, account.account),
        )
    ancient = stage.account(idle_days=4000)
    stage.conn.execute(
        "UPDATE accounts SET last_activity_at = '0044-03-15 BC' WHERE id = %s", (ancient.account,)
    )

    report = stage.sweep()

    assert all(stage.biometrics(account) > 0 for account in strange)
    assert stage.biometrics(ancient) == 0
    assert lane(report, Scope.ALL).stop_reason is StopReason.EXHAUSTED
    assert lane(stage.sweep(), Scope.ALL).stop_reason is StopReason.EXHAUSTED


def test_one_batch_is_one_ledger_row_with_what_it_erased(stage: Stage) -> None:
    """Batch and erasure rows say exactly which accounts and how many rows went, in a chain."""
    stage.set(batch_max_accounts=2)
    accounts = [stage.account(idle_days=100 + n) for n in range(5)]
    expected = sum(stage.biometrics(account) for account in accounts)

    report = stage.sweep()

    batches = stage.conn.execute(
        "SELECT id, accounts, counts, previous_hash, hash, body FROM retention.batch ORDER BY id"
    ).fetchall()
    assert lane(report, Scope.BIOMETRICS).batches == len(batches) >= 3
    assert sum(sum(counts.values()) for _, _, counts, *_ in batches) == expected
    heads = [None, *(hash_ for *_, hash_, _ in batches)]
    assert [previous for *_, previous, _, _ in batches] == heads[:-1]
    erased = stage.conn.execute(
        "SELECT subject_id, complete FROM retention.erasure WHERE kind = 'account'"
    ).fetchall()
    assert sorted(erased) == sorted((str(each.account), True) for each in accounts)


def test_objects_are_queued_with_their_rows(stage: Stage) -> None:
    """Each image's object is in the outbox, once, from the batch that erased its row."""
    stage.account(idle_days=400, transactions=2)
    uris = {
        uri
        for (uri,) in stage.conn.execute(
            "SELECT object_uri FROM images WHERE kind <> 'AUDIT' AND object_uri IS NOT NULL"
        )
    }
    assert uris

    report = stage.sweep()

    queued = stage.conn.execute("SELECT uri, state FROM retention.object_deletion").fetchall()
    assert sorted(queued) == sorted((uri, "queued") for uri in uris)
    assert lane(report, Scope.ALL).objects_queued == len(uris)


def test_only_the_named_tenants_are_swept(stage: Stage) -> None:
    """With tenants named, the others keep what is due."""
    stage.config.write_policy("birch", biometrics="30 days")
    acme = stage.account(idle_days=100)
    birch = stage.account(idle_days=100, tenant="birch")

    stage.sweep(tenants=["birch"])

    assert stage.biometrics(acme) > 0
    assert stage.biometrics(birch) == 0
