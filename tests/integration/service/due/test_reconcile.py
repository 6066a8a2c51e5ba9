"""What appears behind the watermark is found: late commits, imports, rows that came back."""

from datetime import timedelta

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from tests.factories import add_image, set_last_activity
from tests.stage import Stage, lane


@pytest.fixture
def swept(stage: Stage) -> Stage:
    """A tenant whose watermark lies 100 days back."""
    stage.account(idle_days=100)
    stage.account(idle_days=400)
    stage.sweep()
    return stage


def test_an_import_behind_the_watermark_is_found(swept: Stage) -> None:
    """Accounts that appear with old activity go when everything is looked through."""
    imported = [swept.account(idle_days=500 + n) for n in range(40)]

    swept.sweep(reconcile=True)

    assert all(swept.biometrics(each) == swept.others(each) == 0 for each in imported)


def test_each_sweep_looks_through_a_slice(swept: Stage) -> None:
    """Without being asked, sweep after sweep gets through everything behind the watermark."""
    imported = [swept.account(idle_days=500 + n) for n in range(40)]

    for _ in range(8):
        swept.clock.forward(minutes=15)
        swept.sweep()

    assert all(swept.biometrics(each) == swept.others(each) == 0 for each in imported)


def test_activity_set_backwards_is_found(swept: Stage) -> None:
    """An account whose activity was corrected to long ago goes at the next pass."""
    account = swept.account(idle_days=60)
    swept.conn.execute("UPDATE face_templates SET created_at = '1999-01-01'")
    set_last_activity(swept.conn, account.account, swept.clock.now - timedelta(days=300))

    swept.sweep(reconcile=True)

    assert swept.biometrics(account) == 0
    assert swept.others(account) > 0


def test_credentials_that_came_back_go_again(swept: Stage) -> None:
    """Rows that were restored for an account that was erased are erased again."""
    account = swept.account(idle_days=450)
    swept.sweep(reconcile=True)
    with swept.conn.transaction():
        swept.conn.execute("SET LOCAL session_replication_role = replica")
        add_image(swept.conn, account.transactions[0], swept.clock.now - timedelta(days=450))
    assert swept.others(account) == 1

    swept.sweep(reconcile=True)

    assert swept.others(account) == 0


def test_an_entry_that_is_new_in_the_map_starts_at_once(stage: Stage) -> None:
    """A table added to the map is erased for accounts that were erased long before it was."""
    text = stage.config.datamap.read_text()
    a = text.index("  - name: extracted fields")
    b = text.index("# What was looked at and stays")
    stage.config.datamap.write_text(
        text[:a] + text[b:].replace("retained:\n", "retained:\n  - public.extracted_data\n")
    )
    accounts = [stage.account(idle_days=400 + n) for n in range(30)]
    stage.sweep()
    left = stage.count("SELECT count(*) FROM extracted_data")
    assert left > 0
    for _ in range(3):
        stage.clock.forward(minutes=15)
        stage.sweep()
    assert stage.count("SELECT count(*) FROM extracted_data") == left

    stage.config.datamap.write_text(text)
    report = stage.sweep()

    assert stage.count("SELECT count(*) FROM extracted_data") == 0
    assert lane(report, Scope.ALL).accounts == len(accounts)


def test_the_guard_holds_behind_the_watermark_too(swept: Stage) -> None:
    """A column that a bad job set to 1970 waits for a person, in a pass as in a slice."""
    swept.set(guard_percent=5, guard_min_accounts=10)
    accounts = [swept.account(idle_days=5) for _ in range(30)]
    swept.conn.execute("UPDATE face_templates SET created_at = '1970-01-01'")
    swept.conn.execute("UPDATE accounts SET last_activity_at = '1970-01-01'")

    report = swept.sweep(reconcile=True)
    assert lane(report, Scope.ALL).stop_reason is StopReason.WAITING
    for _ in range(4):
        swept.clock.forward(minutes=15)
        swept.sweep()
    assert all(swept.biometrics(each) > 0 for each in accounts)
    assert all(swept.others(each) > 0 for each in accounts)


def test_a_paused_tenant_does_not_keep_the_others_from_their_slices(swept: Stage) -> None:
    """Lanes that record no pass leave their turn to those that do."""
    for name in ("ash", "beech"):
        swept.config.write_policy(name, all_credentials="360 days", biometrics="90 days")
        swept.account(idle_days=400, tenant=name)
    swept.sweep()
    for name in ("ash", "beech"):
        swept.config.write_policy(
            name, all_credentials="360 days", biometrics="90 days", paused=True
        )
    imported = swept.account(idle_days=500)

    for _ in range(4):
        swept.clock.forward(minutes=15)
        swept.sweep()

    assert swept.others(imported) == 0


def test_a_pass_under_the_same_map_is_not_repeated(swept: Stage) -> None:
    """Once everything was looked through, the next sweep does not start over at once."""
    swept.sweep(reconcile=True)
    first = swept.conn.execute("SELECT reconciled_at FROM retention.lane").fetchall()
    assert all(at == swept.clock.now for (at,) in first)
