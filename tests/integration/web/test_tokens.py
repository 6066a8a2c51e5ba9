"""POST /oauth2/token: who gets one, for what, and what is kept of it."""

import base64

import httpx

from retention_worker.domain.access.permission import Permission
from tests.integration.web.api import Api, Caller
from tests.snapshot import snapshot


def test_a_token_for_an_hour(api: Api) -> None:
    """By the form that OAuth names, not to be kept; neither secret nor token is in the database."""
    made = api.client(Permission.RETRIEVE, Permission.DELETE)
    answer = api.ask_token(made)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.json()
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 3600)
    assert found["scope"] == "delete retrieve"
    assert len(found["access_token"]) > 40
    everything = "\n".join(row for rows in snapshot(api.stage.conn).values() for row in rows)
    assert found["access_token"] not in everything
    assert made.secret not in everything


def test_fewer_permissions(api: Api) -> None:
    """A token may be asked for with less than the client has, and never with more."""
    made = api.client(Permission.RETRIEVE, Permission.DELETE)
    token = api.token(made, scope="retrieve")
    path = "/api/v1/accounts/x"
    assert Caller(api=api, token=token)("DELETE", path).status_code == 403
    for scope in ("approve", "retrieve approve", "everything", "\x00"):
        answer = api.ask_token(made, scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_what_is_no_request_for_a_token(api: Api) -> None:
    """Another grant, no grant, no Basic, no base64, no colon: each with OAuth's own word."""
    made = api.client(Permission.RETRIEVE)
    auth = (made.client.client_id, made.secret)
    for data, error in (
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
    ):
        answer = api.http.post("/oauth2/token", data=data, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, error)
    pairs = [
        base64.b64encode(each).decode() for each in (b"nocolon", b"\xff:\xff", b"\x00:x", b":")
    ]
    for header in ("", "Basic", "Basic !!", "Bearer x", *(f"Basic {each}" for each in pairs)):
        answer = api.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": header},
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), header
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_name_that_no_client_has_is_not_kept(api: Api) -> None:
    """What is too long for a client's id is refused at once: nobody fills the memory with it."""
    for _ in range(12):
        answer = api.http.post(
            "/oauth2/token", data={"grant_type": "client_credentials"}, auth=("x" * 5_000, "secret")
        )
        assert answer.status_code == 401


def test_wrong_secrets_are_slowed_down(api: Api) -> None:
    """Ten wrong secrets in a minute, and even the right one waits; other clients do not."""
    made, other = api.client(Permission.RETRIEVE), api.client(Permission.HOLD)

    def status(secret: str) -> int:
        answer: httpx.Response = api.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(made.client.client_id, secret),
        )
        if answer.status_code == 429:
            assert 0 < int(answer.headers["Retry-After"]) <= 60
        return answer.status_code

    assert [status("wrong") for _ in range(11)] == [401] * 10 + [429]
    assert status(made.secret) == 429
    assert api.ask_token(other).status_code == 200
