"""What goes wrong is a problem of a fixed form, and never shows what is inside."""

from collections.abc import Iterator

import pytest

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import ConfigurationError, DatabaseUnavailable
from tests.integration.web.api import Api, paths

SECRET = "Jane Doe"
SETTINGS = "/api/v1/retention/data-settings"


def test_a_defect_has_a_fixed_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """500, the same text whatever it was; neither the answer nor the log has the message."""

    def crash(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr("retention_worker.web.api.retention.data_settings", crash)
    answer = api.caller(Permission.RETRIEVE)("GET", SETTINGS)
    assert (answer.status_code, answer.json()["status"]) == (500, 500)
    assert answer.json().keys() == {"title", "status", "detail"}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    written = capsys.readouterr()
    assert SECRET not in answer.text + written.out + written.err
    assert "request_crashed" in written.out + written.err


@pytest.mark.parametrize(
    "error", [DatabaseUnavailable(f"no {SECRET}"), ConfigurationError(f"{SECRET}.yaml:1:1")]
)
def test_what_passes_says_when_to_ask_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """503 with Retry-After where the database or the files are not as they have to be."""
    caller = api.caller(Permission.RETRIEVE)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("retention_worker.web.api.retention.data_settings", fail)
    answer = caller("GET", SETTINGS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert SECRET not in answer.text


def test_what_is_no_request(api: Api) -> None:
    """Unknown paths, other methods, bodies that are too large or no JSON."""
    caller = api.caller(*Permission)
    hold = "/api/v1/retention/accounts/x/hold"
    wrong = {"headers": {"Content-Type": "application/json"}}
    assert caller("GET", "/nowhere").status_code == 404
    assert caller("PATCH", SETTINGS).status_code == 405
    assert caller("PUT", hold, json={"reason": "x" * 70_000}).status_code == 413
    token = {"Authorization": f"Bearer {caller.token}"}
    for content in (b"{", b"\xff", b'{"reason": "\\ud800"}', b'{"\\ud800": 1}', b"[" * 20_000):
        answer = api.http.put(hold, content=content, headers=wrong["headers"] | token)
        assert answer.status_code in {400, 422}, content[:20]
        assert answer.json().keys() == {"title", "status", "detail"}


def test_who_watches_needs_no_token(api: Api) -> None:
    """Health, readiness, metrics and the document; no tenant and no id is in the metrics."""
    account = api.stage.account(idle_days=1)
    path = f"/api/v1/accounts/{account.account}/workflow-executions/{account.transactions[0]}"
    assert api.caller(Permission.RETRIEVE)("GET", path).status_code == 200
    for each in ("/health", "/ready", "/docs", "/openapi.json"):
        assert api.http.get(each).status_code == 200, each
    for each in ("/health", "/ready"):
        assert (api.http.head(each).status_code, api.http.head(each).content) == (200, b""), each
    metrics = api.http.get("/metrics").text
    assert "/workflow-executions/{transaction}" in metrics
    assert str(account.account) not in metrics
    assert "acme" not in metrics


def test_an_encoded_slash_never_becomes_another_path(api: Api) -> None:
    """An id with a slash in it cannot be named: 404, and nothing of another resource goes."""
    account = api.stage.account(idle_days=1)
    caller = api.caller(*Permission)
    path = paths(account)["account"]
    one = account.transactions[0]
    for rest in ("%2Fbiometrics", "%2fbiometrics", f"%2Fworkflow-executions/{one}"):
        answer = caller("DELETE", path + rest)
        assert (answer.status_code, answer.json()["status"]) == (404, 404), rest
    assert caller("GET", f"{path}%2Fworkflow-executions/{one}").status_code == 404
    assert api.stage.count("SELECT count(*) FROM retention.request") == 0


def test_nobody_is_sent_elsewhere(api: Api) -> None:
    """A slash at the end is another path: no redirect that takes a token to what Host says."""
    account = api.stage.account(idle_days=1)
    caller = api.caller(*Permission)
    for path in (paths(account)["account"], SETTINGS, "/health"):
        answer = caller("DELETE", path + "/", follow_redirects=False)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None), path


def test_a_body_that_grows_too_large(api: Api) -> None:
    """413 too where its length was not announced."""
    hold = "/api/v1/retention/accounts/x/hold"
    token = {"Authorization": f"Bearer {api.caller(*Permission).token}"}

    def parts() -> Iterator[bytes]:
        yield from [b" " * 10_000] * 10

    for method, path in (("PUT", hold), ("POST", "/oauth2/token"), ("POST", "/portal/sign-in")):
        headers = token | {
            "Content-Type": "application/json"
            if path == hold
            else "application/x-www-form-urlencoded"
        }
        answer = api.http.request(method, path, content=parts(), headers=headers)
        assert answer.status_code == 413, path
