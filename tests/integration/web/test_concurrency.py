"""Many at once, and more than a batch: one erasure, answers in time, nothing lost."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from retention_worker.domain.access.permission import Permission
from tests.integration.web.api import Api, paths


def test_fifty_at_once_end_in_one_erasure(api: Api) -> None:
    """Fifty deletions of one account at the same time: one request, one erasure, one name."""
    account = api.stage.account(idle_days=0, transactions=5)
    remove = api.caller(Permission.DELETE)
    path = paths(account)["account biometrics"]
    reasons = [{"reason": f"letter {n % 5}"} for n in range(50)]

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda why: remove("DELETE", path, json=why), reasons))

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["deletion"] for answer in answers}) == 1
    assert remove("DELETE", path).status_code == 200
    assert api.stage.count("SELECT count(*) FROM retention.request") == 1
    assert api.stage.count("SELECT count(*) FROM retention.erasure") == 1
    assert api.stage.count("SELECT count(*) FROM retention.batch") == 1
    assert api.stage.biometrics(account) == 0


def test_reads_go_on_beside_deletions(api: Api) -> None:
    """With deletions of twenty accounts under way, reads are answered."""
    stage = api.stage
    accounts = [stage.account(idle_days=0, transactions=3) for _ in range(20)]
    remove, read = api.caller(Permission.DELETE), api.caller(Permission.RETRIEVE)
    with ThreadPoolExecutor(20) as threads:
        going = [threads.submit(remove, "DELETE", paths(each)["account"]) for each in accounts]
        for each in accounts:
            assert read("GET", paths(each)["transaction"]).status_code == 200
        assert {each.result().status_code for each in going} == {202}
    assert stage.count("SELECT count(*) FROM retention.request WHERE state = 'done'") == 20


def test_a_client_that_asks_for_too_much(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many unfinished deletions as one may have: 429 with Retry-After, and nothing noted."""
    monkeypatch.setattr("retention_worker.service.request.background._MOST", 0)
    account = api.stage.account(idle_days=0)
    answer = api.caller(Permission.DELETE)("DELETE", paths(account)["account"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert api.stage.count("SELECT count(*) FROM retention.request") == 0


def test_ten_thousand_transactions(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a batch: 202 in time and until it is done, then 200; one complete row.

    The patience of five seconds is made a third of one: an idle machine needs no more than two.
    """
    monkeypatch.setattr("retention_worker.web.api.accounts._PATIENCE_SECONDS", 0.3)
    stage = api.stage
    stage.set(batch_max_transactions=100)
    account = stage.account(idle_days=0, transactions=1)
    _grow(api, str(account.account), 10_000)
    remove, read = api.caller(Permission.DELETE), api.caller(Permission.RETRIEVE)
    path = paths(account)["account biometrics"]

    began = time.monotonic()
    first = remove("DELETE", path)
    assert time.monotonic() - began < 3
    assert (first.status_code, first.json()["state"]) == (202, "pending")
    assert int(first.headers["Retry-After"]) > 0

    name, statuses = first.json()["deletion"], [202]
    while statuses[-1] == 202 and time.monotonic() - began < 60:
        answer = remove("DELETE", path)
        assert answer.json()["deletion"] == name
        statuses.append(answer.status_code)
    assert statuses[-1] == 200
    found = read("GET", f"/api/v1/deletions/{name}").json()
    assert found["state"] == "complete"
    assert found["rows"]["face templates"] == 10_000 + 1
    assert stage.biometrics(account) == 0
    assert stage.count("SELECT count(*) FROM retention.erasure WHERE complete") == 1
    assert stage.count("SELECT count(*) FROM retention.batch") > 50


def _grow(api: Api, account: str, transactions: int) -> None:
    """Give an account many transactions with a face template each, in two statements."""
    api.stage.conn.execute(
        "INSERT INTO transactions (tenant_id, account_id, created_at, country, document_type,"
        " status) SELECT 'acme', %s, %s, 'DE', 'PASSPORT', 'DONE' FROM generate_series(1, %s)",
        (account, api.stage.clock.now, transactions),
    )
    api.stage.conn.execute(
        "INSERT INTO face_templates (transaction_id, template, created_at)"
        " SELECT id, '\\x00', %s FROM transactions WHERE account_id = %s AND id NOT IN"
        " (SELECT transaction_id FROM face_templates)",
        (api.stage.clock.now, account),
    )
    api.stage.conn.execute("ANALYZE transactions, face_templates")
