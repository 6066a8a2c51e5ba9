"""An account larger than a batch goes in parts, each locked and looked at again."""

from datetime import timedelta

from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from tests.factories import add_face_template, authenticate
from tests.stage import Stage, lane


def test_a_large_account_goes_in_parts(stage: Stage) -> None:
    """Many transactions take many batches, and one complete erasure row at the end."""
    stage.set(batch_max_transactions=10)
    large = stage.account(idle_days=100, transactions=95)
    small = [stage.account(idle_days=100 + n) for n in (-1, 1)]
    expected = stage.biometrics(large)

    report = stage.sweep()

    assert stage.biometrics(large) == 0
    assert all(stage.biometrics(each) == 0 for each in small)
    assert lane(report, Scope.BIOMETRICS).accounts == 3
    rows = stage.conn.execute(
        "SELECT e.complete, b.accounts, b.counts FROM retention.erasure e "
        "JOIN retention.batch b ON b.id = e.batch_id WHERE e.subject_id = %s ORDER BY e.id",
        (str(large.account),),
    ).fetchall()
    assert [complete for complete, _, _ in rows] == [False] * (len(rows) - 1) + [True]
    assert len(rows) >= 10
    assert sum(sum(counts.values()) for _, _, counts in rows) == expected
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0


def test_a_person_who_returns_in_between_keeps_the_rest(stage: Stage) -> None:
    """Active again after the first part: what is left stays, and no erasure is called complete."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=100, transactions=60)
    before = stage.biometrics(account)
    batches: list[int] = []

    def sign_in(*_: object) -> None:
        if not batches:
            authenticate(stage.conn, account.account, stage.clock.now)
        batches.append(1)

    stage.sweep(progress=sign_in)

    left = stage.biometrics(account)
    assert 0 < left < before
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE complete") == 0
    stage.clock.forward(days=90)
    stage.sweep()
    assert stage.biometrics(account) == 0
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE complete") == 1


def test_a_hold_in_between_keeps_the_rest(stage: Stage) -> None:
    """A hold placed between two parts keeps what is left."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=100, transactions=60)
    placed: list[holds.Placed] = []

    def hold(*_: object) -> None:
        if not placed:
            placed.append(
                holds.place(
                    stage.worker,
                    str(account.account),
                    tenant="acme",
                    reason="court",
                    actor="test",
                    until=stage.clock.now + timedelta(days=5),
                )
            )

    stage.sweep(progress=hold)
    left = stage.biometrics(account)
    assert left > 0
    assert placed[0].credentials_left

    stage.clock.forward(days=5)
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_an_interrupted_account_goes_on_where_it_was(stage: Stage) -> None:
    """Stopped between two parts, the next sweep finishes it."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=100, transactions=60)
    stage.sweep(progress=lambda *_: stage.worker.stop.set())
    assert stage.biometrics(account) > 0
    assert stage.count("SELECT count(*) FROM retention.deferred WHERE reason = 'partial'") == 1

    stage.worker.stop.clear()
    stage.sweep()

    assert stage.biometrics(account) == 0
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE complete") == 1


def test_a_newer_credential_of_an_early_part_decides_to_the_end(stage: Stage) -> None:
    """The ledger's complete row has the activity that decided, though its evidence went before."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=200, transactions=60)
    made = stage.clock.now - timedelta(days=100)
    add_face_template(stage.conn, account.transactions[0], made)

    stage.sweep()

    rows = stage.conn.execute(
        "SELECT last_activity FROM retention.erasure WHERE scope = 'biometrics'"
    ).fetchall()
    assert len(rows) > 1
    assert set(rows) == {(made,)}
    assert stage.count("SELECT count(*) FROM retention.deferred WHERE scope = 'biometrics'") == 0


def test_a_longer_period_in_between_counts_from_what_went_before(stage: Stage) -> None:
    """The newest credential went with the first part; the rest waits as if it were there."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=200, transactions=60)
    made = stage.clock.now - timedelta(days=100)
    add_face_template(stage.conn, account.transactions[0], made)

    def stop_without_it(*_: object) -> None:
        if not stage.count("SELECT count(*) FROM face_templates WHERE created_at = %s", made):
            stage.worker.stop.set()

    stage.sweep(progress=stop_without_it)
    stage.worker.stop.clear()
    left = stage.biometrics(account)
    stage.config.write_policy("acme", "360 days", "120 days")

    stage.clock.now = made + timedelta(days=120, microseconds=-1)
    stage.sweep()
    assert stage.biometrics(account) == left > 0

    stage.clock.forward(microseconds=1)
    stage.sweep()
    assert stage.biometrics(account) == 0
