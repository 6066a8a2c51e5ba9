"""The portal's pages: who may see and do what, and what each says."""

import re

from httpx import Response

from retention_worker.domain.access.role import Role
from tests.factories import AccountIds
from tests.integration.portal.scene import Browser, PortalScene
from tests.snapshot import diff, snapshot

PAGES = ("", "find", "settings", "ledger")


def delete(browser: Browser, kind: str, subject: object, scope: str, **more: object) -> Response:
    """Send the form that deletes, as the page gives it."""
    fields = {"kind": kind, "id": subject, "scope": scope, "typed": subject, "reason": "asked for"}
    return browser.post("delete", **fields | more)


def test_every_page_of_every_role_and_tenant(scene: PortalScene) -> None:
    """Own ids: by the role. Another tenant's are as unknown as ids that nobody has."""
    mine = scene.stage.account(idle_days=5, transactions=2)
    theirs = scene.stage.account(idle_days=5, tenant="birch")
    for tenant, own, other in (("acme", mine, theirs), ("birch", theirs, mine)):
        for role in Role:
            browser = scene.signed_in(role, tenant)
            may = role.includes(Role.SUPPORT)
            for page in PAGES:
                assert browser.get(page).status_code == 200, page
            assert browser.get("approve").status_code == (200 if role is Role.APPROVER else 403)
            _see(browser, own, 200, 200 if may else 403)
            _see(browser, other, 404, 404 if may else 403)
            unknown = AccountIds(
                tenant=tenant, account=other.transactions[0], transactions=(other.account,)
            )
            _see(browser, unknown, 404, 404 if may else 403)


def _see(browser: Browser, ids: AccountIds, reads: int, deletes: int) -> None:
    one = str(ids.transactions[0])
    assert browser.get("account", id=ids.account).status_code == reads
    assert browser.get("transaction", id=one).status_code == reads
    for kind, subject in (("account", ids.account), ("transaction", one)):
        for scope in ("all", "biometrics"):
            answer = browser.get("delete", kind=kind, id=subject, scope=scope)
            assert answer.status_code == deletes
    found = browser.get("find", id=one)
    assert found.status_code == (303 if reads == 200 else 404)


def test_another_tenant_gets_nowhere_by_sending(scene: PortalScene) -> None:
    """Each form with another tenant's ids, sent by its most powerful role: nothing changes."""
    theirs = scene.stage.account(idle_days=5, tenant="birch")
    browser = scene.signed_in("approver")
    before = snapshot(scene.stage.conn, exclude={"retention.portal_session"})
    for kind, subject in (("account", theirs.account), ("transaction", theirs.transactions[0])):
        for scope in ("all", "biometrics"):
            assert delete(browser, kind, subject, scope).status_code == 404
    assert browser.post("hold", id=theirs.account, reason="x").status_code == 404
    assert browser.post("release", id=theirs.account, reason="x").status_code == 404
    assert browser.get("receipt", kind="account", id=theirs.account).status_code == 404
    assert not diff(before, snapshot(scene.stage.conn, exclude={"retention.portal_session"}))


def test_what_is_sent_without_the_token_or_the_role_changes_nothing(scene: PortalScene) -> None:
    """No token, another session's token, another site, a viewer: 403 each."""
    mine = scene.stage.account(idle_days=5)
    support, other = scene.signed_in("support"), scene.signed_in("approver")
    viewer = scene.signed_in("viewer")
    before = snapshot(scene.stage.conn, exclude={"retention.portal_session"})
    forms = {
        "delete": {
            "kind": "account", "id": mine.account, "scope": "all", "typed": mine.account,
            "reason": "x",
        },
        "hold": {"id": mine.account, "reason": "x"},
        "release": {"id": mine.account, "reason": "x"},
        "sign-out": {},
    }  # fmt: skip
    for page, fields in forms.items():
        for token in ("", "x", other.csrf):
            assert support.post(page, **fields | {"csrf": token}).status_code == 403, page
        if page != "sign-out":
            assert viewer.post(page, **fields).status_code == 403
    support.client.headers["Sec-Fetch-Site"] = "cross-site"
    for page, fields in forms.items():
        assert support.post(page, **fields).status_code == 403
    assert not diff(before, snapshot(scene.stage.conn, exclude={"retention.portal_session"}))


def test_each_deletion_takes_what_its_page_said(scene: PortalScene) -> None:
    """The four deletions: right rows, the right record, the page of the result."""
    browser = scene.signed_in("support")
    for kind in ("account", "transaction"):
        for scope in ("all", "biometrics"):
            mine = scene.stage.account(idle_days=5, transactions=2)
            subject = mine.account if kind == "account" else mine.transactions[0]
            page = browser.get("delete", kind=kind, id=subject, scope=scope)
            assert "face vectors" in page.text
            answer = delete(browser, kind, subject, scope)
            assert answer.status_code == 303
            result = browser.client.get(answer.headers["Location"])
            assert result.status_code == 200
            done = scope == "biometrics"
            assert ("Complete." if done else "Pending.") in result.text
            again = delete(browser, kind, subject, scope)
            assert again.headers["Location"] == answer.headers["Location"]
            row = scene.stage.conn.execute(
                "SELECT source, actor, reason, kind, scope FROM retention.request"
                " ORDER BY id DESC LIMIT 1"
            ).fetchone()
            assert row == ("portal", "support of acme", "asked for", kind, scope)
            part = browser.client.get(answer.headers["Location"], headers={"HX-Request": "true"})
            assert "<html" not in part.text
            receipt = browser.get("receipt", kind=kind, id=subject)
            assert receipt.headers["Content-Disposition"].startswith("attachment")
            assert receipt.json()["id"] == str(subject)
    assert browser.get("ledger").text.count("portal: support of acme") == 4
    assert browser.get("ledger/1").status_code == 200


def test_a_form_that_is_not_filled_rightly_deletes_nothing(scene: PortalScene) -> None:
    """Another id, no reason, a scope that is none: 422, and what is wrong beside the form."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.signed_in("support")
    for more, words in (
        ({"typed": "x"}, "This is not the id"),
        ({"reason": "  "}, "Write why"),
        ({"scope": "images"}, "missing or wrong"),
        ({"reason": "x" * 501}, "missing or wrong"),
    ):
        answer = delete(browser, "account", mine.account, str(more.pop("scope", "all")), **more)
        assert (answer.status_code, words in answer.text) == (422, True), words
        for field in re.findall(r'aria-describedby="([^"]+)"', answer.text):
            assert f'id="{field}"' in answer.text
            assert words in answer.text.split(f'id="{field}"')[1].split("</li>")[0]
    assert scene.stage.biometrics(mine) > 0


def test_holds_win_and_are_said(scene: PortalScene) -> None:
    """Placed: the page says so, none is offered, and one that is sent is 423."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.signed_in("support")
    assert browser.post("hold", id=mine.account, reason="").status_code == 422
    assert browser.post("hold", id=mine.account, reason="x", until="2020-01-01").status_code == 422
    assert browser.post("hold", id=mine.account, reason="court", until="soon").status_code == 422
    assert browser.post("hold", id=mine.account, reason="court").status_code == 303
    for page, subject in (("account", mine.account), ("transaction", mine.transactions[0])):
        shown = browser.get(page, id=subject).text
        assert "a legal hold keeps everything" in shown
        assert "Delete biometrics only" not in shown
        offered = browser.get("delete", kind=page, id=subject, scope="all").text
        assert "Nothing can be deleted" in offered
        assert 'name="typed"' not in offered
    assert delete(browser, "account", mine.account, "all").status_code == 423
    assert browser.post("release", id=mine.account, reason="").status_code == 422
    assert browser.post("release", id=mine.account, reason="over").status_code == 303
    assert browser.post("release", id=mine.account, reason="over").status_code == 404
    assert delete(browser, "account", mine.account, "all").status_code == 303


def test_a_hold_that_came_in_between_is_no_promise(scene: PortalScene) -> None:
    """Noted, then held before the end: neither page says that it goes on, or that nothing went."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.signed_in("support")
    where = delete(browser, "account", mine.account, "all").headers["Location"]
    scene.stage.conn.execute("UPDATE retention.request SET state = 'open', finished_at = NULL")
    assert browser.post("hold", id=mine.account, reason="court").status_code == 303
    page = browser.get(where.removeprefix("/portal/")).text
    assert "and goes on" not in page
    assert "in its way" in page
    held = delete(browser, "account", mine.account, "all")
    assert (held.status_code, "nothing was erased" in held.text) == (423, False)


def test_what_is_in_progress_is_deleted_only_where_one_says_so(scene: PortalScene) -> None:
    """Where the map names a state: neither a transaction that has not ended, nor its account."""
    mine = scene.stage.account(idle_days=5)
    one = mine.transactions[0]
    scene.stage.conn.execute("UPDATE transactions SET status = 'PENDING' WHERE id = %s", (one,))
    browser = scene.signed_in("support")
    assert "in progress" in browser.get("transaction", id=one).text
    answer = delete(browser, "transaction", one, "all")
    assert (answer.status_code, "in progress" in answer.text) == (422, True)
    answer = delete(browser, "account", mine.account, "all")
    assert (answer.status_code, str(one) in answer.text) == (422, True)
    assert scene.stage.biometrics(mine) > 0
    answer = delete(browser, "account", mine.account, "all", in_progress="true")
    assert answer.status_code in {200, 303}
    assert scene.stage.biometrics(mine) == 0


def test_ids_of_other_forms_are_unknown_and_never_an_error(scene: PortalScene) -> None:
    """Words, quotes, markup, no id at all: 404 or 422, nothing is echoed as markup."""
    browser = scene.signed_in("support")
    for strange in ("x", "'", '<script>alert("1")</script>', "[]", "\x00", "ä" * 300, " "):
        for page in ("account", "transaction", "find"):
            answer = browser.get(page, id=strange)
            assert answer.status_code in {404, 422, 200}, (page, strange)
            assert "<script>alert" not in answer.text
    for page in ("nowhere", "ledger/99", "ledger/x", "deletion/x", "account", "a/b"):
        assert browser.get(page).status_code in {404, 422}, page
    nobody = "00000000-0000-0000-0000-000000000000"
    assert browser.get(f"deletion/{nobody}").status_code == 404
    for page, query in (
        ("receipt", {"kind": "account", "id": "\x00"}),
        ("ledger", {"before": 10**30}),
        ("ledger/1", {"after": 10**30}),
        (f"ledger/{10**30}", {}),
    ):
        assert browser.get(page, **query).status_code == 404, page


def test_texts_that_no_database_keeps_are_never_an_error(scene: PortalScene) -> None:
    """Control characters in a reason or a name; what was pasted over two lines becomes one."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.signed_in("approver")
    assert delete(browser, "account", mine.account, "all", reason="a\x00b").status_code == 422
    for page in ("hold", "release"):
        assert browser.post(page, id=mine.account, reason="a\x00b").status_code == 422, page
    assert scene.stage.biometrics(mine) > 0
    assert browser.post("hold", id=mine.account, reason=" a\r\nb\xa0\tc ").status_code == 303
    reasons = scene.stage.conn.execute("SELECT reason FROM retention.hold").fetchall()
    assert reasons == [("a b c",)]
    assert scene.browser().sign_in("\x00").status_code == 401


def test_a_hold_ends_with_its_day(scene: PortalScene) -> None:
    """To the last microsecond of the day in UTC; the last day of the calendar is one too."""
    mine = scene.stage.account(idle_days=5)
    browser = scene.signed_in("support")
    for day in ("2999-02-28", "9999-12-31"):
        assert browser.post("hold", id=mine.account, reason="court", until=day).status_code == 303
        assert f"until {day} 23:59:59" in browser.get("account", id=mine.account).text
        assert browser.post("release", id=mine.account, reason="over").status_code == 303


def test_an_account_and_a_transaction_of_the_same_id(scene: PortalScene) -> None:
    """As where ids are numbers: both are offered, so that the right one can be chosen."""
    one, other = scene.stage.account(idle_days=5), scene.stage.account(idle_days=5)
    same = scene.stage.account(idle_days=5, account_id=one.transactions[0]).account
    browser = scene.signed_in("viewer")
    page = browser.get("find", id=same)
    assert page.status_code == 200
    for kind in ("account", "transaction"):
        assert f'href="/portal/{kind}?id={same}"' in page.text
    for kind, subject in (("account", other.account), ("transaction", other.transactions[0])):
        found = browser.get("find", id=subject)
        assert found.headers["Location"] == f"/portal/{kind}?id={subject}"


def test_what_is_not_configured_rightly_is_not_unknown(scene: PortalScene) -> None:
    """A data map that is wrong: 503, and never "there is no such account"."""
    mine = scene.stage.account(idle_days=5)
    scene.stage.worker.memory = None  # files as they are, at once
    browser = scene.signed_in("viewer")
    scene.stage.config.datamap.write_text("accounts: {}\n")
    assert browser.get("find", id=mine.account).status_code == 503


def test_the_pages_say_what_is_due_and_pending(scene: PortalScene) -> None:
    """Due, overdue, on hold, pending objects and open requests are on the first page."""
    stage = scene.stage
    stage.account(idle_days=400)
    erased = stage.account(idle_days=5)
    browser = scene.signed_in("support")
    delete(browser, "account", erased.account, "all")
    stage.conn.execute(
        "INSERT INTO retention.request (tenant_id, kind, subject_id, subject_key, account_id,"
        " scope, source, actor, reason, requested_at, due_by) SELECT tenant_id, kind, 'x',"
        " subject_key, account_id, scope, source, 'ann', reason, requested_at,"
        " requested_at - interval '1 day' FROM retention.request LIMIT 1"
    )
    page = browser.get("").text
    assert "<dt>Overdue</dt><dd>1</dd>" in page
    assert "<dt>queued</dt>" in page
    assert "<b>late</b>" in page
    settings = browser.get("settings").text
    assert "360 days" in settings
    assert "<svg" in settings
    assert "1 due now" in settings


def test_a_tenant_whose_policy_is_wrong_or_missing_has_pages(scene: PortalScene) -> None:
    """Nothing is a crash: the pages say that nothing is erased by age, and why."""
    scene.stage.worker.memory = None  # files as they are, at once
    browser = scene.signed_in("approver")
    scene.stage.config.write_text("acme", "tenant: acme\nretention: {biometrics: 0 days}\n")
    for page in (*PAGES, "approve"):
        assert browser.get(page).status_code == 200, page
    assert "The policy file is wrong" in browser.get("settings").text
    scene.stage.config.remove_policy("acme")
    for page in (*PAGES, "approve"):
        assert browser.get(page).status_code == 200, page
    assert "has no policy file" in browser.get("settings").text
