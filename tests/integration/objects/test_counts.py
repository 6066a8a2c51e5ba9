"""What people read counts objects, however many rows named one."""

from typing import Any

import pytest

from retention_worker.domain.scope import Scope
from retention_worker.service.explain.explain import explain
from retention_worker.service.ledger import verify as verify_ledger
from retention_worker.service.ledger.receipts import issue
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.verify import verify
from tests.grants import ROLE
from tests.integration.objects.conftest import ObjectStage
from tests.integration.objects.test_kinds import maps
from tests.s3 import error
from tests.stage import lane, planned

SHARED = "s3://sample-images/shared"
FILES = (
    "{name: files, table: public.files, class: other, of: account, key: account_id, "
    "objects: {column: uri}, erase: rows}"
)
COPIES = (
    "{name: copies, table: public.copies, class: other, of: transaction, key: transaction_id, "
    "objects: [{column: uri}, {column: thumb}], erase: rows}"
)


@pytest.fixture
def twice(stage: ObjectStage) -> ObjectStage:
    """Files of accounts, and of transactions, that may name the same objects."""
    for statement in (
        "CREATE TABLE files (id serial PRIMARY KEY, account_id uuid, uri text)",
        "CREATE TABLE copies (id serial PRIMARY KEY, transaction_id uuid, uri text, thumb text)",
        "CREATE INDEX ON files (account_id)",
        "CREATE INDEX ON files (uri)",
        "CREATE INDEX ON copies (transaction_id)",
        "CREATE INDEX ON copies (uri)",
        "CREATE INDEX ON copies (thumb)",
        f"GRANT ALL ON files, copies TO {ROLE}",
    ):
        stage.conn.execute(statement.encode())
    maps(stage, FILES, COPIES)
    stage.s3.put(SHARED)
    stage.s3.put("s3://sample-images/other")
    return stage


def named(stage: ObjectStage, accounts: int = 1, **details: Any) -> list[Any]:
    """Accounts whose rows name one object four times each, and another once."""
    found = []
    for _ in range(accounts):
        account = stage.account(idle_days=400, **details)
        stage.conn.execute("DELETE FROM images")
        for _ in range(2):
            stage.conn.execute(
                "INSERT INTO files (account_id, uri) VALUES (%s, %s)", [account.account, SHARED]
            )
        stage.conn.execute(
            "INSERT INTO copies (transaction_id, uri, thumb) VALUES (%s, %s, %s), (%s, %s, NULL)",
            [
                account.transactions[0],
                SHARED,
                "s3://sample-images/other",
                account.transactions[0],
                SHARED,
            ],
        )
        found.append(account)
    return found


def completed(stage: ObjectStage) -> int:
    """What the ledger says of objects that are gone."""
    return stage.count("SELECT sum(objects)::int FROM retention.batch WHERE source = 'objects'")


@pytest.mark.parametrize("accounts", [1, 2])
def test_rows_that_name_one_object(twice: ObjectStage, accounts: int) -> None:
    """Plan, sweep, ledger, drain, explanation, receipt and outbox count two objects, not five."""
    first = named(twice, accounts)[0]
    assert planned(twice.plan(), Scope.ALL).objects_queued == 2
    assert lane(twice.sweep(), Scope.ALL).objects_queued == 2
    assert twice.count("SELECT sum(objects)::int FROM retention.batch") == 2
    assert twice.count("SELECT count(*) FROM retention.object_deletion") == 5 * accounts
    assert verify(twice.worker).wrong == ()
    twice.s3.requests.clear()
    report = twice.drain()
    assert (report.deleted, dict(report.left), completed(twice)) == (2, {}, 2)
    assert twice.s3.keys("sample-images") == set()
    receipt = issue(twice.worker, str(first.account), tenant="acme", kind="account")
    assert [proof.objects.gone for proof in receipt.proofs if proof.objects.total] == [2]
    found = explain(twice.worker, str(first.account), tenant="acme")
    counts = {each.entry.name: each.entry.outbox.gone for each in found.entries}
    assert (counts["files"], counts["copies"]) == (1, 2)
    assert verify(twice.worker, sample=100).wrong == ()
    assert verify_ledger(twice.worker).exit_code == 0


def test_what_is_left(twice: ObjectStage) -> None:
    """An object that is denied is one, in every list."""
    named(twice, 2)
    twice.s3.fail(lambda _, path, __: (403, error("AccessDenied")) if "delete" in path else None)
    twice.sweep()
    report = twice.drain()
    assert (report.deleted, dict(report.left)) == (0, {"denied": 2})
    [left] = [each for each in verify(twice.worker).observations if each.check == "objects"]
    assert left.count == 2


def test_an_object_that_was_kept_for_another_batch(twice: ObjectStage) -> None:
    """It goes once, and the row that waited for it longest goes with it: nobody counts it twice."""
    [early] = named(twice)
    late = twice.account(idle_days=350)
    twice.conn.execute("DELETE FROM images")
    twice.conn.execute(
        "INSERT INTO files (account_id, uri) VALUES (%s, %s)", [late.account, SHARED]
    )
    assert lane(twice.sweep(), Scope.ALL).objects_queued == 2
    report = twice.drain()
    assert (report.deleted, dict(report.left)) == (1, {"kept": 1})
    twice.clock.forward(days=11)
    assert lane(twice.sweep(), Scope.ALL).objects_queued == 1
    report = twice.drain()
    assert (report.deleted, dict(report.left), twice.states()) == (1, {}, {})
    assert verify(twice.worker).wrong == ()
    receipt = issue(twice.worker, str(early.account), tenant="acme", kind="account")
    assert [proof.objects.in_words() for proof in receipt.proofs if proof.objects.total] == [
        "2 of 2 objects gone"
    ]


def test_a_person_asks(twice: ObjectStage) -> None:
    """An erasure on request counts in the same way."""
    [account] = named(twice)
    wanted = RequestedErasure(
        kind="account",
        subject=str(account.account),
        scope=Scope.ALL,
        tenant="acme",
        source="cli",
        actor="me",
        reason="asked",
    )
    done = erase(twice.worker, wanted)
    assert done.objects_queued == 2


def test_a_row_that_is_removed_is_missed(twice: ObjectStage) -> None:
    """Counting objects hides no row of the outbox that somebody took away."""
    named(twice)
    twice.sweep()
    twice.conn.execute("DELETE FROM retention.object_deletion WHERE uri = %s", [SHARED])
    assert [each.check for each in verify(twice.worker).wrong] == ["objects_astray"]
