"""What is committed between the page and the lock, or just after the lock, still counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql

from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.store.mapped import accounts
from tests.factories import AccountIds, add_face_template, add_transaction, authenticate
from tests.integration.engine.interleave import right_after
from tests.snapshot import diff, snapshot
from tests.stage import Stage, lane

LOGINS = """
CREATE TABLE public.logins (account_id uuid NOT NULL, at timestamptz NOT NULL);
CREATE INDEX logins_by_account ON public.logins (account_id, at);
GRANT SELECT ON public.logins TO retention_worker;
"""
LOGIN_ACTIVITY = "  activity: [{table: public.logins, key: account_id, at: at}]\n\ntransactions:"


def reason_of(stage: Stage, account: AccountIds, scope: Scope) -> str | None:
    """Why the account is deferred."""
    row = stage.conn.execute(
        "SELECT reason FROM retention.deferred WHERE account_id = %s AND scope = %s",
        (str(account.account), scope),
    ).fetchone()
    return row[0] if row else None


def map_logins(stage: Stage) -> None:
    """A table of the application's whose rows are activity too."""
    stage.conn.execute(LOGINS)
    text = Path(stage.config.datamap).read_text("utf-8")
    stage.config.datamap.write_text(text.replace("\ntransactions:", LOGIN_ACTIVITY, 1), "utf-8")


@pytest.mark.parametrize(
    "event",
    [
        lambda stage, account: authenticate(stage.conn, account.account, stage.clock.now),
        lambda stage, account: add_transaction(stage.conn, account.account, stage.clock.now),
    ],
    ids=["authenticate", "new transaction"],
)
def test_activity_between_page_and_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, event: Callable[[Stage, AccountIds], object]
) -> None:
    """Who came back after being seen on the page, and before the lock, keeps everything."""
    back, away = stage.account(idle_days=400), stage.account(idle_days=399)
    kept = stage.biometrics(back), stage.others(back)

    point = right_after(monkeypatch, accounts, "page", lambda: event(stage, back))
    report = stage.sweep()

    assert point.happened
    assert str(back.account) in {each.key[0] for each in point.results[0]}
    assert (stage.biometrics(back), stage.others(back)) == kept
    assert stage.biometrics(away) == stage.others(away) == 0
    assert lane(report, Scope.ALL).accounts == lane(report, Scope.BIOMETRICS).accounts == 1


def test_activity_that_moves_but_not_past_the_cutoff(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event dated before the cutoff moves the account, and it still goes in the same sweep."""
    account = stage.account(idle_days=400)
    at = stage.clock.now.replace(year=2025, month=5, day=1)

    right_after(
        monkeypatch, accounts, "page", lambda: authenticate(stage.conn, account.account, at)
    )
    stage.sweep()

    assert stage.biometrics(account) == stage.others(account) == 0


@pytest.mark.parametrize("point", ["page", "lock"])
def test_a_newer_credential_around_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """A template enrolled meanwhile, which touches no account, defers its account whole."""
    # With it the insert would wait for the lock; a database may be without.
    stage.conn.execute("ALTER TABLE face_templates DISABLE TRIGGER USER")
    account = stage.account(idle_days=100)
    kept = stage.biometrics(account)

    right_after(
        monkeypatch,
        accounts,
        point,
        lambda: add_face_template(stage.conn, account.transactions[0], stage.clock.now),
    )
    report = stage.sweep()

    assert stage.biometrics(account) == kept + 1
    assert lane(report, Scope.BIOMETRICS).accounts == 0
    assert reason_of(stage, account, Scope.BIOMETRICS) == DeferReason.NEWER_CREDENTIAL


@pytest.mark.parametrize("point", ["page", "lock"])
def test_an_activity_row_around_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """A row elsewhere that counts as activity is seen even if it came after the account's lock."""
    map_logins(stage)
    account = stage.account(idle_days=100)
    kept = stage.biometrics(account)

    def log_in() -> None:
        stage.conn.execute("INSERT INTO logins VALUES (%s, %s)", (account.account, stage.clock.now))

    right_after(monkeypatch, accounts, point, log_in)
    stage.sweep()

    assert stage.biometrics(account) == kept
    assert reason_of(stage, account, Scope.BIOMETRICS) == DeferReason.NEWER_ACTIVITY


def test_a_hold_between_page_and_lock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold acknowledged before the account's lock wins."""
    account = stage.account(idle_days=100)
    kept = stage.biometrics(account)

    def place() -> None:
        placed = holds.place(
            stage.worker,
            str(account.account),
            tenant="acme",
            reason="court",
            actor="clerk",
            until=None,
        )
        assert placed.credentials_left

    right_after(monkeypatch, accounts, "page", place)
    report = stage.sweep()

    assert stage.biometrics(account) == kept
    assert lane(report, Scope.BIOMETRICS).on_hold == 1
    assert reason_of(stage, account, Scope.BIOMETRICS) == DeferReason.HOLD


@pytest.mark.parametrize("point", ["lock", "ask_look"])
@pytest.mark.parametrize("default", ["read committed", "repeatable read", "serializable"])
def test_a_merge_takes_its_transactions_along(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, point: str, default: str
) -> None:
    """Transactions that another account has taken over meanwhile keep their credentials.

    Whatever isolation the database has by default: the batch chooses its own.
    """
    stage.conn.execute(
        sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = {}").format(
            sql.Identifier(stage.database.name), default
        )
    )
    away = stage.account(idle_days=400, transactions=2)
    active = stage.account(idle_days=1)
    stays, goes = away.transactions
    before = snapshot(stage.conn, exclude=["retention"])

    right_after(
        monkeypatch,
        accounts,
        point,
        lambda: stage.conn.execute(
            "UPDATE transactions SET account_id = %s WHERE id = %s", (active.account, stays)
        ),
    )
    report = stage.sweep()

    moved = stage.count("SELECT count(*) FROM face_vectors WHERE transaction_id = %s", stays)
    assert moved == 2
    assert stage.count("SELECT count(*) FROM images WHERE transaction_id = %s", stays) == 4
    assert stage.count("SELECT count(*) FROM face_vectors WHERE transaction_id = %s", goes) == 0
    changes = diff(before, snapshot(stage.conn, exclude=["retention"]))
    removed = sum(
        len(each.removed) for table, each in changes.items() if table != "public.transactions"
    )
    assert removed == sum(sum(each.rows.values()) for each in report.lanes)


@pytest.mark.parametrize("scope", list(Scope))
def test_an_upload_after_the_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, scope: Scope
) -> None:
    """An upload that commits between the look and the erasure is kept, with all of its account.

    Without the trigger against recreation it touches the transaction alone, which nobody has
    locked. The others of the batch go by the next one.
    """
    stage.conn.execute("ALTER TABLE public.face_templates DISABLE TRIGGER ALL")
    back, away = stage.account(idle_days=400), stage.account(idle_days=399)
    kept = stage.biometrics(back), stage.others(back)
    if scope is Scope.ALL:
        stage.config.write_policy("acme", all_credentials="90 days")

    point = right_after(
        monkeypatch,
        accounts,
        "living",
        lambda: add_face_template(stage.conn, back.transactions[0], stage.clock.now),
    )
    report = stage.sweep()

    assert point.happened
    assert (stage.biometrics(back), stage.others(back)) == (kept[0] + 1, kept[1])
    assert stage.biometrics(away) == 0
    assert lane(report, scope).stop_reason is StopReason.EXHAUSTED
    assert reason_of(stage, back, scope) == DeferReason.NEWER_CREDENTIAL
