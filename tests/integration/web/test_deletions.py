"""The four deletions by the API: what goes, what stays, what is answered."""

import json
from typing import Any

import pytest

from retention_worker.domain.access.permission import Permission
from retention_worker.service.guard import holds
from retention_worker.service.ledger.receipts import check_receipt
from tests.factories import AccountIds, add_image, add_transaction
from tests.integration.web.api import Api, Caller, paths
from tests.snapshot import diff, snapshot
from tests.stage import Stage

VECTORS, TEMPLATES = "public.face_vectors", "public.face_templates"
AUTHENTICATIONS, IMAGES = "public.authentication_vectors", "public.images"
EXTRACTED, OUTBOX = "public.extracted_data", "retention.object_deletion"
# What a deletion writes down, whatever goes; a transaction's also what it showed of the account.
BOOKS = {
    "retention.request",
    "retention.request_chain",
    "retention.batch",
    "retention.erasure",
    "retention.erased_transaction",
    "retention.policy",
}
GOES = {
    "account": {VECTORS, TEMPLATES, AUTHENTICATIONS, IMAGES, EXTRACTED},
    "account biometrics": {VECTORS, TEMPLATES, AUTHENTICATIONS},
    "transaction": {VECTORS, TEMPLATES, IMAGES, EXTRACTED},
    "transaction biometrics": {VECTORS, TEMPLATES},
}


def drain(stage: Stage) -> None:
    """Stands for the job that deletes objects and takes them out of the outbox."""
    stage.conn.execute("DELETE FROM retention.object_deletion")


def rows_of(stage: Stage, account: AccountIds, what: str) -> dict[str, set[str]]:
    """The rows that a deletion has to take, by table, read without the worker's own SQL."""
    transactions = account.transactions[: 1 if what.startswith("transaction") else None]
    found = {}
    for table in GOES[what]:
        key = "account_id" if table == AUTHENTICATIONS else "transaction_id"
        ids = [account.account] if table == AUTHENTICATIONS else list(transactions)
        kept = " AND kind <> 'AUDIT'" if table == IMAGES else ""
        rows = stage.conn.execute(
            f"SELECT t::text FROM {table} t WHERE {key} = ANY (%s){kept}",
            (ids,),
        )
        found[table] = {text for (text,) in rows}
        assert found[table], table
    return found


@pytest.fixture
def remove(api: Api) -> Caller:
    """A client that may delete and nothing else."""
    return api.caller(Permission.DELETE, name="eraser")


@pytest.mark.parametrize("what", list(GOES))
def test_exactly_its_rows_go(api: Api, remove: Caller, what: str) -> None:
    """Every row of the database before and after: what has to go went, all else is as it was.

    Objects are queued one for one with the images that went; pending until they are gone (202),
    complete then (200), and asked again the same answer with the first time, nothing written.
    """
    stage = api.stage
    account = stage.account(idle_days=0, transactions=3)
    stage.account(idle_days=0)
    stage.account(idle_days=0, tenant="birch")
    expected = rows_of(stage, account, what)
    uris = {
        uri
        for (uri,) in stage.conn.execute(
            "SELECT object_uri FROM images WHERE transaction_id = ANY (%s) AND kind <> 'AUDIT'",
            (list(account.transactions[: 1 if what.startswith("transaction") else None]),),
        )
    }
    before = snapshot(stage.conn)

    answer = remove("DELETE", paths(account)[what], json={"reason": "Art. 17"})

    changes = diff(before, snapshot(stage.conn))
    assert {table for table in changes if table.startswith("public.")} == GOES[what]
    for table, rows in expected.items():
        assert set(changes[table].removed) == rows
        assert changes[table].added == []
    touched = {table for table in changes if table.startswith("retention.")}
    assert touched <= BOOKS | {OUTBOX, "retention.deferred", "retention.tenant"}
    queued = stage.conn.execute("SELECT uri FROM retention.object_deletion").fetchall()
    assert {uri for (uri,) in queued} == (uris if IMAGES in GOES[what] else set())
    body = answer.json()
    assert sum(body["rows"].values()) == sum(len(rows) for rows in expected.values())
    assert body["kind"] == what.split(maxsplit=1)[0]
    assert body["scope"] == ("biometrics" if "biometrics" in what else "all")

    if queued:
        assert (answer.status_code, body["state"], body["completedAt"]) == (202, "pending", None)
        assert body["objects"]["queued"] == body["objects"]["total"] == len(queued)
        assert remove("DELETE", paths(account)[what]).status_code == 202
        drain(stage)
    first = remove("DELETE", paths(account)[what])
    assert (first.status_code, first.json()["state"]) == (200, "complete")
    settled = snapshot(stage.conn)
    stage.clock.forward(minutes=30)
    again = remove("DELETE", paths(account)[what])
    assert (again.status_code, again.content) == (200, first.content)
    assert diff(settled, snapshot(stage.conn)) == {}


@pytest.mark.parametrize("earlier", ["transaction", "sweep"])
def test_bytes_count_whoever_queued_them(api: Api, remove: Caller, earlier: str) -> None:
    """Rows that went before, by a sweep or another request: 202 as long as a byte is there."""
    account = api.stage.account(idle_days=400)
    if earlier == "sweep":
        api.stage.sweep()
    else:
        remove("DELETE", paths(account)["transaction"])
    assert api.stage.count("SELECT count(*) FROM retention.object_deletion") > 0
    biometrics = remove("DELETE", paths(account)["account biometrics"])
    assert biometrics.status_code == 200  # none of these bytes is of a face vector
    for what in ("account", "transaction"):
        answer = remove("DELETE", paths(account)[what])
        assert (answer.status_code, answer.json()["state"]) == (202, "pending"), what
    drain(api.stage)
    assert remove("DELETE", paths(account)["account"]).status_code == 200
    assert remove("DELETE", paths(account)["transaction"]).status_code == 200


def test_who_and_why_are_on_record(api: Api, remove: Caller) -> None:
    """The reason of the body, of the query, or the client's name; the client's id; source api."""
    given: list[dict[str, Any]] = [
        {"json": {"reason": "  by letter "}},
        {"params": {"reason": "by phone"}},
        {},
    ]
    for more in given:
        remove("DELETE", paths(api.stage.account(idle_days=0))["account"], **more)
    rows = api.stage.conn.execute(
        "SELECT source, actor, reason FROM retention.request ORDER BY id"
    ).fetchall()
    reasons = ["by letter", "by phone", "requested by API client eraser"]
    assert rows == [("api", remove.client_id, reason) for reason in reasons]
    for wrong in ("", " ", "x" * 501, "a\x00b"):
        path = paths(api.stage.account(idle_days=0))["account"]
        assert remove("DELETE", path, json={"reason": wrong}).status_code == 422


def test_a_reason_is_one_line(api: Api, remove: Caller) -> None:
    """Line breaks and hard spaces, as pasted texts have them, become spaces; else 422."""
    path = paths(api.stage.account(idle_days=1))["account biometrics"]
    for wrong in ("", "\x1c", "a\x00b", "a\u200bb", "a" * 501):
        assert remove("DELETE", path, json={"reason": wrong}).status_code == 422, wrong
    assert remove("DELETE", path, json={"reason": " Art.\u00a017:\nletter\t"}).status_code == 200
    reasons = api.stage.conn.execute("SELECT reason FROM retention.request").fetchall()
    assert reasons == [("Art. 17: letter",)]


def test_a_hold_wins(api: Api, remove: Caller) -> None:
    """423 for all four, and nothing is written; released, it goes."""
    account = api.stage.account(idle_days=0)
    holds.place(
        api.stage.worker,
        str(account.account),
        tenant="acme",
        reason="court",
        actor="test",
        until=None,
    )
    before = snapshot(api.stage.conn, exclude=["retention.token", "retention.client"])
    for path in paths(account).values():
        assert remove("DELETE", path).status_code == 423
    after = snapshot(api.stage.conn, exclude=["retention.token", "retention.client"])
    assert diff(before, after) == {}


def test_a_transaction_in_progress_is_refused(api: Api, remove: Caller) -> None:
    """409 while the map's state says so, for it and for its account, unless one says otherwise."""
    account = api.stage.account(idle_days=0)
    open_ = add_transaction(api.stage.conn, account.account, api.stage.clock.now)
    ids = AccountIds(tenant="acme", account=account.account, transactions=(open_,))
    found = paths(ids)
    assert remove("DELETE", found["transaction"]).status_code == 409
    assert remove("DELETE", found["transaction biometrics"]).status_code == 409
    assert api.stage.count("SELECT count(*) FROM retention.request") == 0
    assert remove("DELETE", found["account biometrics"]).status_code == 409
    body = {"reason": "Art. 17", "inProgress": True}
    assert remove("DELETE", found["account biometrics"], json=body).status_code == 200
    wanted = {"in_progress": "true"}
    assert remove("DELETE", found["transaction biometrics"], params=wanted).status_code == 200


def test_a_transaction_of_another_account_is_unknown(api: Api, remove: Caller) -> None:
    """The path has to be true: a transaction under an account that is not its own is not there."""
    one, other = (api.stage.account(idle_days=0) for _ in range(2))
    mixed = AccountIds(tenant="acme", account=one.account, transactions=other.transactions)
    for name in ("transaction", "transaction biometrics"):
        assert remove("DELETE", paths(mixed)[name]).status_code == 404
    assert api.caller(Permission.RETRIEVE)("GET", paths(mixed)["transaction"]).status_code == 404
    assert api.stage.others(other) > 0


def test_an_account_that_is_locked(api: Api, remove: Caller) -> None:
    """Locked by somebody else: told to ask again within seconds, and nothing is noted."""
    account = api.stage.account(idle_days=0)
    with api.stage.database.connect() as other, other.transaction():
        other.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account.account,))
        answer = remove("DELETE", paths(account)["account"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert api.stage.count("SELECT count(*) FROM retention.request") == 0


def test_rows_that_are_locked_go_later(api: Api, remove: Caller) -> None:
    """Rows that somebody holds: 202 within seconds; asked again once they are free, it is done."""
    api.stage.set(batch_deadline_ms=50)
    account = api.stage.account(idle_days=0)
    path = paths(account)["account biometrics"]
    with api.stage.database.connect() as other, other.transaction():
        other.execute(
            "SELECT 1 FROM face_vectors WHERE transaction_id = %s FOR UPDATE",
            (account.transactions[0],),
        )
        answer = remove("DELETE", path)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    api.stage.set(batch_deadline_ms=4_000)
    assert remove("DELETE", path).status_code in {200, 202}
    api.stage.sweep()
    done = remove("DELETE", path)
    assert (done.status_code, done.json()["deletion"]) == (200, answer.json()["deletion"])


def test_a_deletion_is_read_with_its_receipt(api: Api, remove: Caller, tmp_path: Any) -> None:
    """State, rows, objects, who and why; the receipt, as a document, is checked offline."""
    account = api.stage.account(idle_days=0)
    noted = remove("DELETE", paths(account)["account"], json={"reason": "Art. 17"}).json()
    read = api.caller(Permission.RETRIEVE)
    found = read("GET", f"/api/v1/deletions/{noted['deletion']}").json()
    assert {name: found[name] for name in noted} == noted
    assert (found["source"], found["actor"], found["reason"]) == (
        "api",
        remove.client_id,
        "Art. 17",
    )
    assert found["receipt"]["erasures"][0]["objects_not_deleted"] == found["objects"]["queued"] > 0

    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(found["receipt"], indent=2, ensure_ascii=False) + "\n")
    assert check_receipt(receipt).problems == ()


def test_a_transaction_after_its_erasure(api: Api, remove: Caller) -> None:
    """Metadata and decision stay; which credentials are there, what was wiped when, what fails."""
    stage = api.stage
    account = stage.account(idle_days=0, transactions=2)
    read, found = api.caller(Permission.RETRIEVE), paths(account)
    before = read("GET", found["transaction"]).json()
    assert before["wipedOutAt"] is before["biometricsWipedOutAt"] is before["unavailable"] is None
    assert all(each["count"] > 0 for each in before["credentials"])
    assert "authentication vectors" not in {each["name"] for each in before["credentials"]}

    remove("DELETE", found["transaction biometrics"])
    biometrics = read("GET", found["transaction"]).json()
    at = biometrics["biometricsWipedOutAt"]
    assert biometrics["wipedOutAt"] is None
    assert biometrics["unavailable"]["since"] == at
    assert "matching" in biometrics["unavailable"]["functions"]
    assert {each["class"] for each in biometrics["credentials"] if each["count"]} == {"other"}

    stage.clock.forward(minutes=10)
    remove("DELETE", found["account"])
    after = read("GET", found["transaction"]).json()
    assert after["biometricsWipedOutAt"] == at
    assert after["wipedOutAt"] is None  # not while an object of it is there
    assert after["objectsPending"] > 0
    assert not any(each["count"] for each in after["credentials"])
    kept = ("metadata", "decision", "state", "inProgress")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert before["metadata"]["country"]

    stage.clock.forward(minutes=10)
    new = add_transaction(stage.conn, account.account, stage.clock.now)
    add_image(stage.conn, new, stage.clock.now)
    ids = AccountIds(tenant="acme", account=account.account, transactions=(new,))
    returned = read("GET", paths(ids)["transaction"]).json()
    assert returned["wipedOutAt"] is None
    assert returned["inProgress"] is True

    stage.conn.execute("DELETE FROM retention.object_deletion")
    assert read("GET", found["transaction"]).json()["wipedOutAt"] > at
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        stage.conn.execute("ALTER TABLE face_vectors DISABLE TRIGGER USER")
        stage.conn.execute(
            "INSERT INTO face_vectors (transaction_id, model, embedding) VALUES (%s, 'm', 'x')",
            (account.transactions[0],),
        )
    back = read("GET", found["transaction"]).json()
    assert back["biometricsWipedOutAt"] is back["unavailable"] is back["wipedOutAt"] is None


def test_a_sweep_is_seen_too(api: Api) -> None:
    """What retention erased shows on the transaction as what was asked for does."""
    account = api.stage.account(idle_days=400)
    api.stage.sweep()
    api.stage.conn.execute("DELETE FROM retention.object_deletion")
    shown = api.caller(Permission.RETRIEVE)("GET", paths(account)["transaction"]).json()
    assert shown["wipedOutAt"] is not None
    assert shown["biometricsWipedOutAt"] is not None
