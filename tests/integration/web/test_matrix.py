"""Who may do what: every route, every permission, every tenant; tokens that count no more."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from retention_worker.domain.access.permission import Permission
from retention_worker.service.access import clients
from tests.factories import AccountIds
from tests.integration.web.api import Api, Caller, paths
from tests.snapshot import diff, snapshot

WHY = {"json": {"reason": "test"}}


def routes(account: AccountIds, deletion: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every route behind a token, by its operation's name: method, path, body."""
    found, base = paths(account), "/api/v1/retention"
    kept = f"{base}/accounts/{account.account}"
    return {
        "deleteAccount": ("DELETE", found["account"], {}),
        "deleteAccountBiometrics": ("DELETE", found["account biometrics"], {}),
        "deleteTransaction": ("DELETE", found["transaction"], {}),
        "deleteTransactionBiometrics": ("DELETE", found["transaction biometrics"], {}),
        "transaction": ("GET", found["transaction"], {}),
        "deletion": ("GET", f"/api/v1/deletions/{deletion}", {}),
        "dataSettings": ("GET", f"{base}/data-settings", {}),
        "explain": ("GET", kept, {}),
        "placeHold": ("PUT", f"{kept}/hold", WHY),
        "releaseHold": ("DELETE", f"{kept}/hold", WHY),
        "approve": ("POST", f"{base}/approvals", WHY),
    }


PERMITTED = {
    "deleteAccount": {Permission.DELETE},
    "deleteAccountBiometrics": {Permission.DELETE, Permission.DELETE_BIOMETRICS},
    "deleteTransaction": {Permission.DELETE},
    "deleteTransactionBiometrics": {Permission.DELETE, Permission.DELETE_BIOMETRICS},
    "transaction": {Permission.RETRIEVE},
    "deletion": {Permission.RETRIEVE},
    "dataSettings": {Permission.RETRIEVE},
    "explain": {Permission.RETRIEVE},
    "placeHold": {Permission.HOLD},
    "releaseHold": {Permission.HOLD},
    "approve": {Permission.APPROVE},
}
# What concerns the tenant of the token, whoever asks: there is nothing of another's to name.
OWN = {"dataSettings", "approve"}
# What each answers where it is permitted, in the order in which the test asks.
GIVEN = {
    "transaction": 200,
    "dataSettings": 200,
    "explain": 200,
    "deletion": 200,
    "placeHold": 200,
    "releaseHold": 200,
    "approve": 409,  # nothing waits
    "deleteTransactionBiometrics": 200,
    "deleteAccountBiometrics": 200,
    "deleteTransaction": 202,
    "deleteAccount": 202,
}


@pytest.fixture
def account(api: Api) -> AccountIds:
    """An account of acme."""
    return api.stage.account(idle_days=0)


@pytest.fixture
def deletion(api: Api) -> str:
    """A deletion of acme."""
    path = paths(api.stage.account(idle_days=0))["account"]
    return str(api.caller(Permission.DELETE, name="maker")("DELETE", path).json()["deletion"])


def unchanged(api: Api, act: Callable[[], None]) -> None:
    """The whole database is as it was, apart from clients, tokens."""
    own = ["retention.client", "retention.token"]
    before = snapshot(api.stage.conn, exclude=own)
    act()
    assert diff(before, snapshot(api.stage.conn, exclude=own)) == {}


def test_the_matrix_is_whole(api: Api, account: AccountIds) -> None:
    """Every route of the document that wants a token is in this file."""
    document = api.http.get("/openapi.json").json()
    behind = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "client credentials" in str(operation.get("security"))
    }
    assert behind == PERMITTED.keys() == GIVEN.keys() == routes(account, "").keys()


def test_every_route_and_permission(api: Api, account: AccountIds, deletion: str) -> None:
    """Without a token 401, with each other permission 403 and nothing changed, else its answer."""
    callers = {each: api.caller(each) for each in Permission}
    nobody = Caller(api=api, token="")
    asked = routes(account, deletion)

    def refused() -> None:
        for name, (method, path, body) in asked.items():
            answer = nobody(method, path, **body)
            assert answer.status_code == 401, name
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            for permission in set(Permission) - PERMITTED[name]:
                answer = callers[permission](method, path, **body)
                assert answer.status_code == 403, (name, permission)
                assert answer.json().keys() == {"title", "status", "detail"}

    unchanged(api, refused)
    for name, status in GIVEN.items():
        method, path, body = asked[name]
        for permission in PERMITTED[name]:
            answer = callers[permission](method, path, **body)
            assert answer.status_code == status, (name, permission, answer.text)


def test_another_tenants_is_as_unknown_as_nobodys(
    api: Api, account: AccountIds, deletion: str
) -> None:
    """With every permission in another tenant: 404 to the byte as for what nobody has."""
    stranger = api.caller(*Permission, tenant="birch")
    nothing = AccountIds(tenant="acme", account=uuid4(), transactions=(uuid4(),))
    theirs, nobodys = routes(account, deletion), routes(nothing, str(uuid4()))

    def act() -> None:
        for name, (method, path, body) in theirs.items():
            if name in OWN:
                continue
            answer = stranger(method, path, **body)
            unknown = stranger(method, nobodys[name][1], **body)
            assert answer.status_code == unknown.status_code == 404, name
            assert answer.content == unknown.content, name
            same = {k: v for k, v in answer.headers.items() if k != "date"}
            assert same == {k: v for k, v in unknown.headers.items() if k != "date"}

    unchanged(api, act)
    assert stranger("GET", "/api/v1/retention/data-settings").json()["tenant"] == "birch"


def test_a_tenants_value_is_no_files_name(api: Api) -> None:
    """A client of the value `birch` never gets the tenant whose file is called birch."""
    stage = api.stage
    mine = stage.account(idle_days=0, tenant="birch")
    caller = api.caller(*Permission, tenant="birch")
    stage.config.write_policy("birch", all_credentials="10 days", tenant_id="cedar")
    theirs = stage.account(idle_days=0, tenant="cedar")
    stage.worker.memory = None  # read the files as they are now
    for name, (method, path, body) in routes(theirs, str(uuid4())).items():
        if name not in OWN:
            assert caller(method, path, **body).status_code == 404, name
    settings = caller("GET", "/api/v1/retention/data-settings").json()
    assert (settings["tenantId"], settings["policyValid"]) == ("birch", False)
    assert caller("POST", "/api/v1/retention/approvals", **WHY).status_code == 409
    assert caller("GET", paths(mine)["transaction"]).status_code == 200
    assert caller("DELETE", paths(mine)["account"]).status_code == 202
    assert stage.others(theirs) > 0


@pytest.mark.parametrize(
    "wrong",
    ["Jane", "%00", "%ED%A0%80", "x" * 3000, "0", "%5B%22a%22%5D", "..%2F..", "%F0%9F%92%A9"],
)
def test_texts_that_are_no_id(api: Api, account: AccountIds, wrong: str) -> None:
    """Words, NUL, halves of characters, what is too long: unknown, never an error of the server."""
    caller = api.caller(*Permission)
    found = paths(account)
    for method, path in (
        ("DELETE", f"/api/v1/accounts/{wrong}"),
        ("DELETE", f"/api/v1/accounts/{wrong}/biometrics"),
        ("DELETE", f"{found['account']}/workflow-executions/{wrong}"),
        ("GET", f"{found['account']}/workflow-executions/{wrong}"),
        ("GET", f"/api/v1/accounts/{wrong}/workflow-executions/{account.transactions[0]}"),
        ("GET", f"/api/v1/deletions/{wrong}"),
        ("GET", f"/api/v1/retention/accounts/{wrong}"),
    ):
        answer = caller(method, path)
        assert answer.status_code == 404, (method, path, answer.text)
    answer = caller("PUT", f"/api/v1/retention/accounts/{wrong}/hold", **WHY)
    assert answer.status_code == 404


def test_tokens_that_count_no_more(api: Api) -> None:
    """Expired after an hour, rotated, revoked, made up: 401 from then on; rotated goes on anew."""
    path = "/api/v1/retention/data-settings"

    def status(token: str) -> int:
        return Caller(api=api, token=token)("GET", path).status_code

    made = api.client(Permission.RETRIEVE)
    token = api.token(made)
    api.stage.clock.now += timedelta(minutes=60, microseconds=-1)
    assert status(token) == 200
    api.stage.clock.now += timedelta(microseconds=1)
    assert status(token) == 401

    token = api.token(made)
    rotated = clients.rotate(api.stage.worker, made.client.client_id, actor="test")
    assert status(token) == 401
    assert api.ask_token(made).status_code == 401
    token = api.token(rotated)
    assert status(token) == 200
    clients.revoke(api.stage.worker, made.client.client_id, actor="test")
    assert status(token) == 401
    assert api.ask_token(rotated).status_code == 401
    for wrong in ("x", token + "x", token[:-1], "ü", "a b"):
        headers = {"Authorization": b"Bearer " + wrong.encode()}
        assert api.http.get(path, headers=headers).status_code == 401
    assert api.http.get(path, headers={"Authorization": token}).status_code == 401
