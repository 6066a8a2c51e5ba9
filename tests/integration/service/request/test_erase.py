"""Ad-hoc erasure: one account or transaction now, proved like a sweep's."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from retention_worker.domain.errors import (
    ConfigurationError,
    GuardRefused,
    NeedsPerson,
    UnknownSubject,
)
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.request.request import DoneRequest
from tests.factories import AccountIds, add_image, add_transaction
from tests.snapshot import diff, snapshot
from tests.stage import Stage
from tests.worker import open_worker

BIOMETRIC_TABLES = {
    "public.face_vectors",
    "public.face_templates",
    "public.authentication_vectors",
}


def ask(
    stage: Stage, subject: object, *, kind: str = "account", scope: Scope = Scope.ALL, **more: str
) -> DoneRequest:
    """Ask for an erasure by the command line."""
    wanted: dict[str, Any] = {
        "tenant": "acme",
        "source": "cli",
        "actor": "test",
        "reason": "Art. 17",
    } | more
    return erase(
        stage.worker, RequestedErasure(kind=kind, subject=str(subject), scope=scope, **wanted)
    )


def test_an_account_goes_whatever_its_activity(stage: Stage) -> None:
    """Every credential of an active account goes at once; everything else stays as it was."""
    account = stage.account(idle_days=0, transactions=3)
    other = stage.account(idle_days=0)
    kept = stage.biometrics(other), stage.others(other)
    before = snapshot(stage.conn, exclude=["retention"])

    done = ask(stage, account.account)

    changes = diff(before, snapshot(stage.conn, exclude=["retention"]))
    assert changes.keys() == BIOMETRIC_TABLES | {"public.images", "public.extracted_data"}
    assert sum(len(change.removed) for change in changes.values()) == sum(done.rows.values())
    assert stage.biometrics(account) == stage.others(account) == 0
    assert (stage.biometrics(other), stage.others(other)) == kept
    assert not done.again


def test_biometrics_of_an_account(stage: Stage) -> None:
    """Biometrics only: images, extracted data and the rest stay."""
    account = stage.account(idle_days=0)
    before = snapshot(stage.conn, exclude=["retention"])

    ask(stage, account.account, scope=Scope.BIOMETRICS)

    changes = diff(before, snapshot(stage.conn, exclude=["retention"]))
    assert changes.keys() == BIOMETRIC_TABLES
    assert stage.others(account) > 0


@pytest.mark.parametrize("scope", list(Scope))
def test_one_transaction(stage: Stage, scope: Scope) -> None:
    """Only the credentials of that transaction go; the account's own and the others' stay."""
    account = stage.account(idle_days=0, transactions=3)
    one, *others = account.transactions
    alone = AccountIds(tenant="acme", account=account.account, transactions=(one,))
    rest = AccountIds(tenant="acme", account=account.account, transactions=tuple(others))
    before = stage.biometrics(rest), stage.others(rest), stage.others(alone)

    ask(stage, one, kind="transaction", scope=scope)

    authentications = "SELECT count(*) FROM authentication_vectors WHERE account_id = %s"
    assert stage.biometrics(alone) == stage.count(authentications, account.account)
    assert (stage.others(alone) == 0) is (scope is Scope.ALL)
    assert (stage.biometrics(rest), stage.others(rest)) == before[:2]
    row = stage.conn.execute("SELECT kind, subject_id, scope, complete FROM retention.erasure")
    assert row.fetchall() == [("transaction", str(one), str(scope), True)]


def test_asked_again_shows_the_first_time(stage: Stage) -> None:
    """The same wish again is no error, erases nothing and shows when it was done."""
    account = stage.account(idle_days=0)
    first = ask(stage, account.account)
    before = snapshot(stage.conn)
    stage.clock.forward(days=3)

    again = ask(stage, str(account.account).upper())

    assert again.again
    assert again.finished_at == first.finished_at
    assert diff(before, snapshot(stage.conn)) == {}


def test_new_data_after_an_erasure_goes_with_a_new_request(stage: Stage) -> None:
    """A person who returned and asks again has the new data erased."""
    account = stage.account(idle_days=0)
    ask(stage, account.account)
    transaction = add_transaction(stage.conn, account.account, stage.clock.now)
    add_image(stage.conn, transaction, stage.clock.now)

    stage.conn.execute("UPDATE transactions SET status = 'DONE'")
    assert not ask(stage, account.account).again
    assert stage.count("SELECT count(*) FROM images WHERE kind <> 'AUDIT'") == 0


@pytest.mark.parametrize("kind", ["account", "transaction"])
def test_what_is_not_there_is_refused(stage: Stage, kind: str) -> None:
    """Unknown ids, another tenant's, and texts that are no id: clear, and nothing changed."""
    stage.config.write_policy("birch", biometrics="10 days")
    account = stage.account(idle_days=0, tenant="birch")
    subject = account.account if kind == "account" else account.transactions[0]
    before = snapshot(stage.conn)
    for wrong in (subject, "00000000-0000-0000-0000-000000000000", "Jane"):
        with pytest.raises(UnknownSubject):
            ask(stage, wrong, kind=kind)
    with pytest.raises(ConfigurationError, match="reason"):
        ask(stage, subject, kind=kind, reason=" ")
    assert diff(before, snapshot(stage.conn)) == {}


@pytest.mark.parametrize("kind", ["account", "transaction"])
def test_a_hold_wins(stage: Stage, kind: str) -> None:
    """An account on hold is refused, its transactions too, and nothing is noted or changed."""
    account = stage.account(idle_days=0)
    holds.place(
        stage.worker,
        str(account.account),
        tenant="acme",
        reason="court",
        actor="test",
        until=None,
    )
    before = snapshot(stage.conn)
    with pytest.raises(GuardRefused, match="hold"):
        ask(stage, account.account if kind == "account" else account.transactions[0], kind=kind)
    assert diff(before, snapshot(stage.conn)) == {}


def test_a_pause_does_not_stop_it(stage: Stage) -> None:
    """A pause is for sweeps: a person's right goes on."""
    account = stage.account(idle_days=0)
    pause.pause(stage.worker, reason="migration", actor="test", until=None)
    ask(stage, account.account)
    assert stage.others(account) == 0


def test_a_large_account_goes_in_parts(stage: Stage) -> None:
    """Many transactions take many batches, and one complete erasure row at the end."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=0, transactions=45)
    done = ask(stage, account.account)
    rows = stage.conn.execute("SELECT complete FROM retention.erasure ORDER BY id").fetchall()
    assert [complete for (complete,) in rows] == [False] * (len(rows) - 1) + [True]
    assert len(rows) >= 5
    counted = stage.count(
        "SELECT sum(n::bigint) FROM retention.batch, jsonb_each_text(counts) AS c (name, n)"
    )
    assert counted == sum(done.rows.values())
    assert stage.biometrics(account) == stage.others(account) == 0


def test_a_locked_account_is_finished_by_the_next_sweep(stage: Stage) -> None:
    """What could not be done now is noted, said, and done by the next sweep, cutoff or not."""
    stage.set(batch_deadline_ms=20)
    account = stage.account(idle_days=0)
    with stage.database.connect() as other, other.transaction():
        other.execute(
            "SELECT 1 FROM images WHERE transaction_id = %s FOR UPDATE", (account.transactions[0],)
        )
        with pytest.raises(NeedsPerson, match="noted"):
            ask(stage, account.account)
    assert stage.others(account) > 0
    assert stage.count("SELECT count(*) FROM retention.request WHERE state = 'open'") == 1

    stage.set(batch_deadline_ms=4_000)
    stage.sweep()

    assert stage.others(account) == 0
    assert stage.count("SELECT count(*) FROM retention.request WHERE state = 'done'") == 1


def test_many_at_once_are_one_erasure(stage: Stage) -> None:
    """Twenty requests for the same account at the same time end in one erasure."""
    account = stage.account(idle_days=0, transactions=5)
    answers: list[DoneRequest] = []

    def one() -> None:
        with open_worker(stage.database.worker_dsn, stage.config, stage.clock) as worker:
            answers.append(
                erase(
                    worker,
                    RequestedErasure(
                        kind="account",
                        subject=str(account.account),
                        tenant="acme",
                        scope=Scope.ALL,
                        source="api",
                        actor="test",
                        reason="Art. 17",
                    ),
                )
            )

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 20
    assert stage.count("SELECT count(*) FROM retention.request") == 1
    assert stage.count("SELECT count(*) FROM retention.erasure") == 1
    assert stage.biometrics(account) == stage.others(account) == 0


def test_requests_make_a_chain_of_their_own(stage: Stage) -> None:
    """Each ad-hoc batch holds the hash of the one before, whatever the lanes do in between."""
    stage.account(idle_days=400)
    for _ in range(3):
        ask(stage, stage.account(idle_days=0).account)
        stage.sweep()
    rows = stage.conn.execute(
        "SELECT previous_hash, hash FROM retention.batch WHERE request_id IS NOT NULL ORDER BY id"
    ).fetchall()
    assert [previous for previous, _ in rows] == [None, *(head for _, head in rows)][:-1]


def test_what_stays_does_not_go_before_its_time(stage: Stage) -> None:
    """A transaction's erasure takes no evidence along that kept the account alive."""
    account = stage.account(idle_days=400, transactions=2)
    stage.conn.execute(
        "UPDATE face_templates SET created_at = %s WHERE transaction_id = %s",
        (stage.clock.now - timedelta(days=1), account.transactions[0]),
    )
    ask(stage, account.transactions[0], kind="transaction")

    stage.sweep()

    rest = AccountIds(tenant="acme", account=account.account, transactions=account.transactions[1:])
    assert stage.biometrics(rest) > 0
    assert stage.others(rest) > 0
    stage.clock.forward(days=359)
    stage.sweep()
    assert stage.biometrics(rest) == stage.others(rest) == 0
