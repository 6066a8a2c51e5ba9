"""Data settings, explanations, holds and approvals by the API."""

from datetime import timedelta

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.scope import Scope
from tests.integration.web.api import Api
from tests.stage import lane

SETTINGS = "/api/v1/retention/data-settings"
APPROVALS = "/api/v1/retention/approvals"


def test_data_settings(api: Api) -> None:
    """Periods, entries, digest, since when it is applied, the last and the next sweep."""
    read = api.caller(Permission.RETRIEVE)
    before = read("GET", SETTINGS).json()
    assert (before["appliedAt"], before["lastSweep"]) == (None, None)
    api.stage.account(idle_days=100)
    api.stage.sweep()
    found = read("GET", SETTINGS).json()
    assert (found["tenant"], found["policyValid"], found["paused"]) == ("acme", True, False)
    assert {each["scope"]: each["period"] for each in found["scopes"]} == {
        "all": "360 days",
        "biometrics": "90 days",
    }
    assert "face vectors" in found["scopes"][1]["credentials"]
    assert found["appliedAt"] == found["lastSweep"] == "2026-06-01T12:00:00Z"
    assert found["nextSweep"] == "2026-06-01T12:00:00Z"
    assert len(found["policyDigest"]) == 64


def test_an_explanation(api: Api) -> None:
    """The same document as that of the command `explain --json`."""
    account = api.stage.account(idle_days=10)
    path = f"/api/v1/retention/accounts/{str(account.account).upper()}"
    found = api.caller(Permission.RETRIEVE)("GET", path).json()
    assert found["account"] == str(account.account)
    assert {each["scope"] for each in found["scopes"]} == set(Scope)
    assert found["sentences"]


def test_a_hold_is_placed_and_released(api: Api) -> None:
    """On record with the client's id; a sweep leaves the account; a release needs one to end."""
    account = api.stage.account(idle_days=400)
    hold = api.caller(Permission.HOLD)
    path = f"/api/v1/retention/accounts/{account.account}/hold"
    assert hold("DELETE", path, json={"reason": "none yet"}).status_code == 404
    until = (api.stage.clock.now + timedelta(days=3)).isoformat()
    placed = hold("PUT", path, json={"reason": "court", "until": until})
    assert placed.status_code == 200
    assert placed.json()["credentialsLeft"] is True
    api.stage.sweep()
    assert api.stage.others(account) > 0
    row = api.stage.conn.execute("SELECT placed_by, reason FROM retention.hold").fetchall()
    assert row == [(hold.client_id, "court")]
    released = hold("DELETE", path, json={"reason": "settled"})
    assert (released.status_code, released.json()["released"]) == (200, 1)
    for body in (
        {},
        {"reason": " "},
        {"reason": "x", "untill": until},
        {"reason": "x", "until": "2026-01-01T00:00:00Z"},
        {"reason": "x", "until": "2027-01-01T00:00:00"},
        {"reason": "x", "until": "0001-01-01T00:00:00+14:00"},
    ):
        assert hold("PUT", path, json=body).status_code == 422, body


def test_a_waiting_lane_is_approved(api: Api) -> None:
    """409 where nothing waits or another policy was meant; approved, the next sweep erases."""
    stage = api.stage
    stage.set(guard_percent=5, guard_min_accounts=1)
    approve, read = api.caller(Permission.APPROVE), api.caller(Permission.RETRIEVE)
    assert approve("POST", APPROVALS, json={"reason": "none"}).status_code == 409
    for _ in range(5):
        stage.account(idle_days=400)
    assert lane(stage.sweep(), Scope.ALL).accounts == 0
    found = read("GET", SETTINGS).json()
    assert any(each["waitingSince"] for each in found["scopes"])
    wrong = {"reason": "first backlog", "policyDigest": "0" * 64}
    assert approve("POST", APPROVALS, json=wrong).status_code == 409
    right = {"reason": "first backlog", "policyDigest": found["policyDigest"]}
    noted = approve("POST", APPROVALS, json=right)
    assert noted.status_code == 201, noted.text
    assert {each["atMost"] for each in noted.json()["approvals"]} == {5}
    assert stage.conn.execute("SELECT DISTINCT approved_by FROM retention.approval").fetchall() == [
        (approve.client_id,)
    ]
    assert lane(stage.sweep(), Scope.ALL).accounts == 5
