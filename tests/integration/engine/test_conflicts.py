"""The worker and the application want the same rows: the worker gives way, in its deadline."""

from __future__ import annotations

import threading
import time

import pytest
from psycopg.sql import SQL, Identifier

from retention_worker.domain.lane.lane import DeferReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.store.mapped import accounts, credentials
from tests.factories import AccountIds, add_transaction, authenticate
from tests.integration.engine.interleave import in_background, right_after
from tests.stage import Stage, lane

# What a batch may take, and what a busy test machine may add before a thread runs again.
DEADLINE_SECONDS = 0.1
SLACK_SECONDS = 0.6
# PostgreSQL looks for a deadlock after this long: until then the worker must have given way.
DEADLOCK_SECONDS = 1.0


def deferred(stage: Stage, account: AccountIds, scope: Scope = Scope.BIOMETRICS) -> str | None:
    """Why the account is deferred."""
    row = stage.conn.execute(
        "SELECT reason FROM retention.deferred WHERE account_id = %s AND scope = %s",
        (str(account.account), scope),
    ).fetchone()
    return row[0] if row else None


def test_a_transaction_that_is_being_inserted_gets_its_account_skipped(stage: Stage) -> None:
    """Its foreign-key check holds the account: nothing of it goes, and the others do not wait."""
    back, away = stage.account(idle_days=100), stage.account(idle_days=99)
    kept = stage.biometrics(back)
    with stage.database.connect() as app:
        # Dated back, so that no trigger takes the account's row: the foreign key's lock is alone.
        with app.transaction():
            app.execute(
                "INSERT INTO transactions (tenant_id, account_id, created_at, country,"
                " document_type) VALUES ('acme', %s, %s, 'DE', 'PASSPORT')",
                (back.account, stage.clock.now.replace(year=2020)),
            )
            report = stage.sweep()
            assert stage.biometrics(back) == kept
            assert deferred(stage, back) == DeferReason.LOCKED
        add_transaction(app, back.account, stage.clock.now)
    assert stage.biometrics(away) == 0
    assert lane(report, Scope.BIOMETRICS).accounts == 1

    stage.clock.forward(minutes=10)
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 0
    assert stage.biometrics(back) == kept


def test_an_insert_waits_for_the_batch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that begins after the account's lock commits after the batch, and stands."""
    account = stage.account(idle_days=100)
    seen_at_commit: list[int] = []

    def insert() -> None:
        with stage.database.connect() as app:
            add_transaction(app, account.account, stage.clock.now)
            seen_at_commit.append(stage.biometrics(account))

    with in_background() as start:

        def begin() -> None:
            start(insert)
            time.sleep(0.05)

        point = right_after(monkeypatch, accounts, "lock", begin)
        stage.sweep()
    assert point.happened
    assert seen_at_commit == [0]
    assert stage.count("SELECT count(*) FROM transactions WHERE status = 'PENDING'") == 1


@pytest.mark.parametrize("table", ["face_vectors", "face_templates", "authentication_vectors"])
def test_the_worker_loses_a_credential_that_is_locked(stage: Stage, table: str) -> None:
    """Somebody updates a credential for long: that account is deferred, in a bounded time."""
    busy, others = stage.account(idle_days=100), [stage.account(idle_days=99) for _ in range(5)]
    key, value = "transaction_id", busy.transactions[0]
    if table == "authentication_vectors":
        key, value = "account_id", busy.account
    with stage.database.connect() as app, app.transaction():
        app.execute(
            SQL("SELECT 1 FROM {} WHERE {} = %s FOR UPDATE").format(
                Identifier(table), Identifier(key)
            ),
            (value,),
        )
        began = time.monotonic()
        report = stage.sweep()
        took = time.monotonic() - began
    assert took < 10
    assert stage.biometrics(busy) > 0
    assert deferred(stage, busy) == DeferReason.TIMEOUT
    assert [stage.biometrics(each) for each in others] == [0] * 5
    assert lane(report, Scope.BIOMETRICS).accounts == 5

    stage.clock.forward(hours=1)
    stage.sweep()
    assert stage.biometrics(busy) == 0
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0


def test_a_locked_transaction_stops_nothing(stage: Stage) -> None:
    """The worker takes no lock on transactions: somebody who works on one does not meet it."""
    account = stage.account(idle_days=400)
    with stage.database.connect() as app, app.transaction():
        app.execute(
            "UPDATE transactions SET country = 'FR' WHERE account_id = %s", (account.account,)
        )
        report = stage.sweep()
    assert lane(report, Scope.ALL).accounts == 1
    assert stage.biometrics(account) == stage.others(account) == 0


def test_the_application_wins_what_would_be_a_deadlock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a credential and wants the account, the worker the other way round: it gets both."""
    stage.set(batch_deadline_ms=100)
    account = stage.account(idle_days=100)
    waited: list[float] = []
    holds_credential = threading.Event()
    locked = threading.Event()

    def application() -> None:
        with stage.database.connect() as app, app.transaction():
            app.execute(
                "SELECT 1 FROM face_vectors WHERE transaction_id = %s FOR UPDATE",
                (account.transactions[0],),
            )
            holds_credential.set()
            assert locked.wait(10)
            began = time.monotonic()
            authenticate(app, account.account, stage.clock.now)
            waited.append(time.monotonic() - began)

    with in_background() as start:
        done = start(application)
        assert holds_credential.wait(10)
        point = right_after(monkeypatch, accounts, "ask_look", locked.set)
        stage.sweep()
        done.result(20)  # a deadlock's victim raises here

    assert point.happened
    assert waited[0] < DEADLINE_SECONDS + SLACK_SECONDS
    assert waited[0] < DEADLOCK_SECONDS
    assert stage.biometrics(account) > 0
    assert (
        stage.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        == 0
    )


def test_a_hold_that_is_asked_for_during_a_batch_waits_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is acknowledged after the batch, and then says that nothing was left to keep."""
    account = stage.account(idle_days=400)
    acknowledged: list[tuple[bool, int]] = []

    def place() -> None:
        placed = holds.place(
            stage.worker,
            str(account.account),
            tenant="acme",
            reason="court",
            actor="clerk",
            until=None,
        )
        acknowledged.append((placed.credentials_left, stage.others(account)))

    def ask() -> None:
        start(place)
        time.sleep(0.1)
        assert not acknowledged

    # Biometrics are gone already, so that the lane `all` has the one batch.
    stage.conn.execute("DELETE FROM face_vectors; DELETE FROM face_templates")
    stage.conn.execute("DELETE FROM authentication_vectors")
    with in_background() as start:
        point = right_after(monkeypatch, credentials, "erase", ask)
        stage.sweep()
    assert point.happened
    assert acknowledged == [(False, 0)]


def test_a_worker_that_is_too_slow_gives_up_its_batch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held up between two statements past its deadline, it rolls back and does not go on."""
    stage.set(batch_deadline_ms=100)
    accounts_ = [stage.account(idle_days=100) for _ in range(4)]
    point = right_after(monkeypatch, accounts, "lock", lambda: time.sleep(0.2))
    stage.sweep()
    assert point.happened
    assert len(point.results) > 1  # the first batch came to nothing
    assert sum(stage.biometrics(each) for each in accounts_) == 0
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE scope = 'biometrics'") == 4
