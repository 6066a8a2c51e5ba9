"""Sign-in, sessions and what stands around every page: cookies, headers, limits, ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from retention_worker.domain.access.role import Role
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.service.access import users
from retention_worker.service.access.signin import MOST_ATTEMPTS
from tests.integration.portal.scene import PASSWORD, Browser, PortalScene, csrf_of


def test_the_cookies_are_for_this_host_alone(scene: PortalScene) -> None:
    """By https: `__Host-`, Secure, HttpOnly, SameSite=Lax, another one at each sign-in."""
    browser = scene.browser()
    first = browser.sign_in(scene.user("viewer"))
    kept = {each.split("=")[0]: each for each in first.headers.get_list("set-cookie")}
    session = kept["__Host-retention-session"]
    for flag in ("; Secure", "; HttpOnly", "; SameSite=lax", "; Path=/"):
        assert flag in session
    assert "Max-Age" not in session
    assert "Domain" not in session
    again = browser.sign_in(scene.user("viewer"))
    assert session not in again.headers.get_list("set-cookie")
    rows = scene.stage.count("SELECT count(*) FROM retention.portal_session")
    assert rows == 1  # the session that the browser had before has ended


def test_without_tls_only_a_loopback_gets_a_session(scene: PortalScene) -> None:
    """On a loopback the cookie has no prefix; elsewhere it is Secure, whatever the request says."""
    for base, expected in (
        ("http://127.0.0.1:8080", "retention-form"),
        ("http://localhost", "retention-form"),
        ("http://portal.example.com", "__Host-retention-form"),
    ):
        given = scene.browser(base).get("sign-in").headers["set-cookie"]
        assert given.startswith(f"{expected}="), base
        assert ("Secure" in given) == expected.startswith("__Host-")
    scene.stage.set(web_url="https://portal.example.com")
    inside = scene.browser("http://127.0.0.1:8080").get("sign-in").headers["set-cookie"]
    assert inside.startswith("__Host-")


def test_every_answer_has_the_headers(scene: PortalScene) -> None:
    """Pages, errors and redirects: nothing inline, no frame, no referrer, nothing kept."""
    browser = scene.signed_in("viewer", by_password=True)
    for page in ("", "find", "account?id=x", "nowhere", "sign-in"):
        answer = browser.get(page)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert answer.text.count("<script") == answer.text.count('<script src="/static/')


def test_nobody_sees_anything_without_a_session(scene: PortalScene) -> None:
    """Every page leads to the sign-in and comes back after it; what is sent is refused."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.browser()
    for page in ("", "find", "settings", "ledger", "approve", "nowhere", "receipt"):
        answer = browser.get(page, id="x")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/portal/sign-in?next=%2Fportal%2F")
    assert browser.get(f"account?id={mine.account}").status_code == 303
    for page in ("delete", "hold", "release", "approve", "sign-out"):
        assert browser.post(page, id=mine.account).status_code == 401
    browser.client.cookies.set("__Host-retention-session", "made up")
    assert browser.get("settings").status_code == 303


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/portal/account?id=1", "/portal/account?id=1"),
        ("https://elsewhere.example", "/portal/"),
        ("//elsewhere.example", "/portal/"),
        ("/portal/\\elsewhere.example", "/portal/\\elsewhere.example"),
        ("/portal/\r\nSet-Cookie: a=b", "/portal/"),
        ("/elsewhere", "/portal/"),
        ("", "/portal/"),
    ],
)
def test_a_sign_in_leads_nowhere_else(scene: PortalScene, target: str, expected: str) -> None:
    """After it comes a page of the portal, whatever was asked for."""
    expected = "/portal/" if "\\" in expected else expected
    browser = scene.browser()
    name = scene.user("viewer")
    browser.csrf = csrf_of(browser.get("sign-in", next=target))
    answer = browser.post("sign-in", name=name, password=PASSWORD, next=target)
    assert (answer.status_code, answer.headers["Location"]) == (303, expected)


def test_a_failure_says_nothing_of_its_reason(scene: PortalScene) -> None:
    """Unknown, disabled and wrong are the same page; without the form's token it is 403."""
    known, gone = scene.user("viewer"), scene.user("viewer", name="gone")
    users.disable(scene.stage.worker, gone, actor="test")
    pages = set()
    for name, password in (("nobody", PASSWORD), (gone, PASSWORD), (known, "wrong"), ("", "")):
        answer = scene.browser().sign_in(name, password)
        assert answer.status_code == 401
        pages.add(answer.text.replace(f'value="{name}"', "").split("<form")[0])
    assert len(pages) == 1
    browser = scene.browser()
    browser.get("sign-in")
    assert browser.post("sign-in", csrf="x", name=known, password=PASSWORD).status_code == 403
    bare = scene.browser()
    assert bare.post("sign-in", csrf="", name=known, password=PASSWORD).status_code == 403


def test_a_name_that_was_tried_too_often_waits(scene: PortalScene) -> None:
    """Ten attempts, at once too; then 429 with the time, the right password included."""
    name = scene.user("viewer")
    browsers = [scene.browser() for _ in range(MOST_ATTEMPTS + 4)]

    def attempt(browser: Browser) -> int:
        return browser.sign_in(name, "a wrong one").status_code

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(attempt, browsers))
    assert answers == [401] * MOST_ATTEMPTS + [429] * 4
    refused = scene.browser().sign_in(name)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert scene.browser().sign_in(scene.user("support")).status_code == 303
    scene.stage.clock.forward(minutes=15)
    assert scene.browser().sign_in(name).status_code == 303


def test_a_sign_in_forgets_the_failures_before(scene: PortalScene) -> None:
    """Who mistypes now and then is never locked out."""
    name = scene.user("viewer")
    for _ in range(3):
        for _ in range(MOST_ATTEMPTS - 1):
            assert scene.browser().sign_in(name, "a wrong one").status_code == 401
        assert scene.browser().sign_in(name).status_code == 303


def test_sessions_end(scene: PortalScene) -> None:
    """Half an hour without a request, eight hours in all, sign-out, another password, disable."""
    clock = scene.stage.clock
    idle = scene.signed_in("viewer", by_password=True)
    clock.forward(minutes=29)
    assert idle.get("").status_code == 200
    clock.forward(minutes=29)
    assert idle.get("").status_code == 200
    clock.forward(minutes=30)
    assert idle.get("").status_code == 303
    busy = scene.signed_in("viewer", by_password=True)
    for _ in range(8 * 60 // 20 - 1):
        clock.forward(minutes=20)
        assert busy.get("find").status_code == 200
    clock.forward(minutes=20)
    assert busy.get("find").status_code == 303
    left = scene.signed_in("viewer", by_password=True)
    token = left.client.cookies["__Host-retention-session"]
    assert left.post("sign-out").status_code == 303
    left.client.cookies.set("__Host-retention-session", token)
    assert left.get("").status_code == 303
    worker, name = scene.stage.worker, scene.user("viewer")
    changed = scene.signed_in("viewer", by_password=True)
    users.set_password(worker, name, "another thirteen kites", actor="test")
    assert changed.get("").status_code == 303
    browser = scene.browser()
    assert browser.sign_in(name, "another thirteen kites").status_code == 303
    users.disable(worker, name, actor="test")
    assert browser.get("").status_code == 303


def test_only_hashes_are_kept(scene: PortalScene) -> None:
    """Neither the password nor the session's token is anywhere in the database."""
    browser = scene.signed_in("viewer", by_password=True)
    token = browser.client.cookies["__Host-retention-session"]
    rows = scene.stage.conn.execute(
        "SELECT u::text || s::text FROM retention.portal_user u, retention.portal_session s"
    ).fetchall()
    assert len(rows) == 1
    assert "$argon2id$" in rows[0][0]
    assert PASSWORD not in rows[0][0]
    assert token not in rows[0][0]


def test_users_that_are_refused(scene: PortalScene) -> None:
    """Names and passwords that are no good, names that were given before, unknown tenants."""
    worker = scene.stage.worker
    scene.user("viewer", name="ann")

    def make(name: str = "bob", password: str = PASSWORD, tenant: str = "acme") -> None:
        users.create(worker, name, tenant=tenant, role=Role.VIEWER, password=password, actor="test")

    for name in ("", " ", "x" * 101, "oidc:ann", "a\nb", "ann"):
        with pytest.raises(ConfigurationError):
            make(name=name)
    for password in ("", "eleven char", "x" * 129, "aaaaaaaaaaaaaaaa", "bob and his dog"):
        with pytest.raises(ConfigurationError):
            make(password=password)
    with pytest.raises(UnknownSubject):
        make(tenant="nowhere")
    users.disable(worker, "ann", actor="test")
    for call in (
        users.disable,
        lambda w, n, actor: users.set_password(w, n, PASSWORD, actor=actor),
    ):
        with pytest.raises(UnknownSubject):
            call(worker, "ann", actor="test")
    with pytest.raises(ConfigurationError):
        make(name="ann")  # a disabled user's name is never given anew
    assert [each.name for each in users.listed(worker, "acme")] == ["ann"]
    assert users.listed(worker, "birch") == []
