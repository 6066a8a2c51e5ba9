"""Sign-in by a real OpenID Connect provider that runs beside the test, on the loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from retention_worker.domain.access.role import Role
from tests.integration.portal.scene import Browser, PortalScene

WEB = "https://portal.example.com"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "-n", "true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                httpx.get(f"{address}/.well-known/openid-configuration").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def known(scene: PortalScene, issuer: str) -> PortalScene:
    """The portal with that provider; the provider's tokens have today's times."""
    scene.stage.clock.now = datetime.now(UTC)
    scene.stage.set(
        web_url=WEB,
        oidc_issuer=issuer,
        oidc_client_id="portal",
        oidc_client_secret=SecretStr("secret of the portal"),
        oidc_tenant_claim="org",
        oidc_role_claim="groups",
        oidc_roles={"kyc-support": Role.SUPPORT, "kyc-lead": Role.APPROVER},
    )
    return scene


def go(browser: Browser, issuer: str, claims: dict[str, Any]) -> str:
    """Away to the provider, let somebody in, and the address to which it sends the browser."""
    httpx.put(f"{issuer}/users/kim", json=claims).raise_for_status()
    away = browser.get("provider", next="/portal/settings")
    assert away.status_code == 303
    asked = parse_qs(urlsplit(away.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{WEB}/portal/provider/back"]
    let_in = httpx.post(away.headers["Location"], data={"sub": "kim"})
    assert let_in.status_code == 302
    back: str = let_in.headers["Location"]
    assert back.startswith(f"{WEB}/portal/provider/back?")
    return back.removeprefix(f"{WEB}/portal/")


def test_claims_become_tenant_and_role(known: PortalScene, issuer: str) -> None:
    """The name has the provider before it, the highest role counts, the page asked for comes."""
    browser = known.browser()
    claims = {"org": "acme", "groups": ["staff", "kyc-support"], "preferred_username": "kim"}
    answer = browser.get(go(browser, issuer, claims))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portal/settings")
    page = browser.get("settings").text
    assert "<b>oidc:kim</b> · acme · support" in page
    assert browser.get("approve").status_code == 403


def test_who_has_no_tenant_or_role_stays_outside(known: PortalScene, issuer: str) -> None:
    """Missing, unknown or of another type: 403 and no session."""
    for claims in (
        {},
        {"org": "acme"},
        {"org": "acme", "groups": "staff"},
        {"org": "acme", "groups": "approver"},  # our own word, which the mapping does not name
        {"org": "nowhere", "groups": "kyc-lead"},
        {"org": ["acme"], "groups": "kyc-lead"},
        {"groups": "kyc-lead"},
    ):
        browser = known.browser()
        answer = browser.get(go(browser, issuer, claims))
        assert (answer.status_code, browser.get("").status_code) == (403, 303), claims
    assert known.stage.count("SELECT count(*) FROM retention.portal_session") == 0


def test_an_answer_counts_once_and_in_its_own_browser(known: PortalScene, issuer: str) -> None:
    """Another browser's answer, another state, no code, an answer again: 403."""
    claims = {"org": "acme", "groups": "kyc-lead"}
    browser = known.browser()
    back = go(browser, issuer, claims)
    assert known.browser().get(back).status_code == 403
    other = known.browser()
    go(other, issuer, claims)
    assert other.get(back).status_code == 403
    assert browser.get("provider/back", state="x", code="y").status_code == 403
    assert browser.get("provider/back").status_code == 403
    kept = browser.client.cookies["__Host-retention-provider"]
    assert browser.get(back).status_code == 303
    again = known.browser()
    again.client.cookies.set("__Host-retention-provider", kept)
    assert again.get(back).status_code == 403


def test_a_token_of_another_time_audience_or_question(known: PortalScene, issuer: str) -> None:
    """Expired, for another client, with another nonce: 403."""
    claims = {"org": "acme", "groups": "kyc-lead"}
    browser = known.browser()
    back = go(browser, issuer, claims)
    known.stage.clock.forward(days=2)
    assert browser.get(back).status_code == 403
    known.stage.clock.forward(days=-2)
    browser = known.browser()
    back = go(browser, issuer, claims)
    kept = bytes.fromhex(browser.client.cookies["__Host-retention-provider"]).decode()
    state, nonce, verifier, target = json.loads(kept)
    changed = json.dumps([state, nonce + "x", verifier, target])
    browser.client.cookies.clear()
    browser.client.cookies.set("__Host-retention-provider", changed.encode().hex())
    assert browser.get(back).status_code == 403


def test_a_provider_that_is_not_there(known: PortalScene) -> None:
    """503 as a page; local users go on; without a provider there is no such page."""
    known.stage.set(oidc_issuer="http://127.0.0.1:1")
    browser = known.browser()
    assert browser.get("provider").status_code == 503
    assert "your organisation" in browser.get("sign-in").text
    assert browser.sign_in(known.user("viewer")).status_code == 303
    known.stage.set(oidc_issuer=None)
    assert known.browser().get("provider").status_code == 404
    assert "your organisation" not in known.browser().get("sign-in").text
