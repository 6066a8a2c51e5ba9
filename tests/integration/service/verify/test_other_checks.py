"""What came back, what the map and the policies miss, what is still to be done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from retention_worker.domain.errors import BatchTimeout, UnknownSubject
from retention_worker.domain.scope import Scope
from retention_worker.service.verify import rows
from tests.factories import add_image, add_transaction
from tests.integration.service.verify.proof import noted, only, proof, wrong
from tests.stage import Stage

DISABLE = "ALTER TABLE face_vectors DISABLE TRIGGER zz_no_recreation_face_vectors"
VECTOR = "INSERT INTO face_vectors (transaction_id, model, embedding) VALUES (%s, 'm', '\\x00')"


def test_images_of_an_erased_account(stage: Stage) -> None:
    """Rows as old as the erasure are back; an upload of today is new data."""
    account = stage.account(idle_days=400)
    stage.sweep()
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        add_image(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=400))
    found = only(proof(stage), "back")
    assert (found.tenant, found.count, found.examples) == ("acme", 1, (str(account.account),))
    assert "selfies and ID images" in found.message
    stage.clock.forward(minutes=1)
    add_image(stage.conn, account.transactions[0], stage.clock.now)
    assert wrong(stage) == []


def test_activity_elsewhere_explains_what_is_new(stage: Stage) -> None:
    """A face seen at a login that counts as activity, after the account's biometrics went."""
    stage.conn.execute(
        "CREATE TABLE logins (account_id uuid, at timestamptz);"
        "GRANT SELECT ON logins TO retention_worker"
    )
    text = stage.config.datamap.read_text()
    line = "  activity: [{table: public.logins, key: account_id, at: at}]\n\ntransactions:"
    stage.config.datamap.write_text(text.replace("\ntransactions:", line, 1))
    account = stage.account(idle_days=100)
    stage.sweep()
    stage.clock.forward(minutes=1)
    stage.conn.execute(
        "INSERT INTO authentication_vectors (account_id, embedding) VALUES (%s, '\\x00')",
        (account.account,),
    )
    assert wrong(stage) == ["back", "overdue"]
    stage.conn.execute("INSERT INTO logins VALUES (%s, %s)", (account.account, stage.clock.now))
    assert wrong(stage) == []


def test_a_vector_on_a_transaction_that_was_opened_again(stage: Stage) -> None:
    """Wrong however active the account is; on a new transaction it is not."""
    account = stage.account(idle_days=100)
    stage.sweep()
    stage.clock.forward(days=1)
    new = add_transaction(stage.conn, account.account, stage.clock.now)
    stage.conn.execute(DISABLE)
    stage.conn.execute(VECTOR, (new,))
    assert wrong(stage) == []
    stage.conn.execute(VECTOR, (account.transactions[0],))
    assert wrong(stage) == ["back"]


@pytest.mark.parametrize("scope", Scope)
def test_a_transaction_that_was_erased_alone(stage: Stage, scope: Scope) -> None:
    """Its biometrics are wrong, its images where they were erased too; the account is active."""
    account = stage.account(idle_days=1, transactions=2)
    stage.clock.forward(days=2)
    stage.conn.execute(
        "INSERT INTO retention.erasure (batch_id, tenant_id, kind, subject_id, scope, complete, "
        "erased_at) VALUES (1, 'acme', 'transaction', %s, %s, TRUE, %s)",
        (str(account.transactions[0]), scope, stage.clock.now),
    )
    back = [each for each in proof(stage).wrong if each.check == "back"]
    assert len(back) == (2 if scope is Scope.BIOMETRICS else 4)
    assert {each.examples for each in back} == {(str(account.transactions[0]),)}


def test_tenants_and_policies_that_miss_each_other(stage: Stage) -> None:
    """No file: worth knowing. A file that is gone or wrong: wrong. A file without accounts."""
    stage.account(idle_days=1)
    stage.account(idle_days=1, tenant="birch")
    stage.config.write_policy("cedar", biometrics="90 days")
    assert wrong(stage) == ["no-account"]
    assert noted(stage) == ["no-policy"]
    found = proof(stage)
    assert only(found, "no-policy").tenant == "birch"
    assert only(found, "no-policy").count == 1
    assert only(found, "no-account").tenant == "cedar"
    stage.sweep()
    stage.config.remove_policy("cedar")
    stage.config.write_text("acme", "tenant: acme\nretention: {biometrics: soon}\n")
    assert wrong(stage) == ["no-policy"]
    stage.config.remove_policy("acme")
    assert wrong(stage) == ["no-policy"]
    assert "acme.yaml is gone" in next(each.message for each in proof(stage).wrong)


def test_many_tenants_without_a_policy(stage: Stage) -> None:
    """Ten thousand of them are not ten thousand lines."""
    for number in range(60):
        stage.account(idle_days=1, tenant=f"t{number:02}", transactions=0)
    found = [each for each in proof(stage).observations if each.check == "no-policy"]
    assert len(found) == 51
    assert (found[-1].count, found[-1].message) == (10, "and 10 tenants more")


def test_accounts_that_are_never_due(stage: Stage) -> None:
    """An infinite last activity, and none at all."""
    infinite, never, minus = (stage.account(idle_days=900) for _ in range(3))
    stage.conn.execute("ALTER TABLE accounts ALTER last_activity_at DROP NOT NULL")
    for account, value in ((infinite, "infinity"), (minus, "-infinity"), (never, None)):
        stage.conn.execute(
            "UPDATE accounts SET last_activity_at = %s WHERE id = %s", (value, account.account)
        )
    assert wrong(stage) == ["future"]
    counts = [each.count for each in proof(stage).observations if each.check == "no-activity"]
    assert counts == [1, 1]


def test_rows_that_no_entry_claims(stage: Stage) -> None:
    """A kind that is neither declared nor retained, by its name."""
    account = stage.account(idle_days=1)
    stage.conn.execute("ALTER TABLE images DROP CONSTRAINT images_kind_check")
    for kind in ("LIVENESS_VIDEO", "LIVENESS_VIDEO", "AUDIT"):
        add_image(stage.conn, account.transactions[0], stage.clock.now, kind)
    found = only(proof(stage), "unclaimed")
    assert (found.wrong, found.count) == (True, 2)
    assert "2 row(s) with kind=LIVENESS_VIDEO" in found.message


def test_orphans(stage: Stage) -> None:
    """Credentials without a transaction, and those whose transaction has no account."""
    account = stage.account(idle_days=1, transactions=1)
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        stage.conn.execute("DELETE FROM accounts WHERE id = %s", (account.account,))
    found = [each for each in proof(stage).observations if each.check == "orphans"]
    names = {each.message.split(":")[0] for each in found} - {"public.authentication_vectors"}
    assert names == {
        "public.extracted_data",
        "public.face_templates",
        "public.face_vectors",
        "public.images",
    }
    assert set(wrong(stage)) == {"no-account", "orphans"}


def test_uploads_that_were_never_attached(stage: Stage) -> None:
    """They name no parent: counted apart, and wrong once they are old, where their age is known."""
    stage.account(idle_days=1)
    stage.conn.execute("ALTER TABLE face_templates ALTER transaction_id DROP NOT NULL")
    insert = "INSERT INTO face_templates (template, created_at) VALUES ('x', %s)"
    stage.conn.execute("ALTER TABLE face_templates DISABLE TRIGGER USER")
    stage.conn.execute(insert, (stage.clock.now,))
    assert (wrong(stage), noted(stage)) == ([], ["unattached"])
    stage.conn.execute(insert, (stage.clock.now - timedelta(days=40),))
    assert wrong(stage) == ["unattached"]
    assert "1 of them for long" in next(each.message for each in proof(stage).wrong)


def test_objects_and_requests(stage: Stage) -> None:
    """Objects that are queued are counted; a request that is past its day is wrong."""
    account = stage.account(idle_days=400)
    stage.sweep()
    found = only(proof(stage), "objects")
    assert (found.wrong, found.oldest) == (False, stage.clock.now)
    assert found.count > 0
    for hours, state in ((-1, "open"), (-1, "done"), (1, "open")):
        stage.conn.execute(
            "INSERT INTO retention.request (tenant_id, kind, subject_id, subject_key, account_id, "
            "scope, source, actor, reason, requested_at, due_by, state) VALUES ('acme', 'account',"
            " %s, '{a}', 'a', 'all', 'cli', 'a', 'r', %s, %s, %s)",
            (
                f"{account.account}{hours}{state}",
                stage.clock.now - timedelta(days=30),
                stage.clock.now + timedelta(hours=hours),
                state,
            ),
        )
    assert wrong(stage) == ["requests"]
    assert only(proof(stage), "requests").count == 1


def test_what_took_too_long_is_not_verified(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that ends at its time limit is wrong, and the others go on."""

    def slow(*_: object, **__: object) -> None:
        raise BatchTimeout("too long")

    monkeypatch.setattr(rows, "orphans", slow)
    stage.account(idle_days=400)
    assert wrong(stage) == ["overdue", "unfinished"]


def test_a_tenant_that_nobody_knows(stage: Stage) -> None:
    """A misspelt name is not a clean bill."""
    with pytest.raises(UnknownSubject):
        proof(stage, tenant="acne")


def test_it_shares_no_statement_with_the_sweep() -> None:
    """Not one module of it imports one that erases, plans or compiles the map for the sweep."""
    package = Path(rows.__file__).parents[2]
    forbidden = ("service.sweep", "service.request", "service.due", "service.plan", "store.mapped")
    for folder in ("service/verify", "store/verify"):
        for file in sorted((package / folder).glob("*.py")):
            text = file.read_text("utf-8")
            assert not [name for name in forbidden if f"retention_worker.{name}" in text], file
            assert "mapsql" not in text, file
