"""The portal in a real browser, as a support agent uses it; every row before and after."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser import open_page
from tests.acceptance.program import Program
from tests.acceptance.rows import idle
from tests.factories import AccountIds
from tests.snapshot import Snapshot, diff, snapshot

PASSWORD = "seventeen blue kites"
BIOMETRIC = {"public.face_vectors", "public.face_templates", "public.authentication_vectors"}
OTHER = {"public.images", "public.extracted_data"}


@pytest.fixture
def base(program: Program, conn: psycopg.Connection) -> Iterator[str]:
    """`serve` runs, and sam of acme is support; the address."""
    made = program.run(
        "user", "create", "sam", "--tenant", "acme", "--role", "support", "--password-stdin",
        input=f"{PASSWORD}\n",
    )  # fmt: skip
    assert made.code == 0, made
    with program.start("serve", "--port", "0") as running:
        port = running.await_events("web_started")[0]["port"]
        yield f"http://127.0.0.1:{port}"


def sign_in(page: Page) -> None:
    """By name and password."""
    page.goto("/portal/")
    page.get_by_label("Name").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="acme")).to_be_visible()


def find(page: Page, subject: UUID) -> None:
    """By the field on the first page."""
    page.goto("/portal/")
    page.get_by_label("Account or transaction").fill(str(subject))
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(subject))


def delete(page: Page, action: str, subject: UUID) -> None:
    """Click through: the action, what goes and stays, the reason, the id, the result."""
    find(page, subject)
    page.get_by_role("link", name=action).click()
    expect(page.get_by_role("heading", name="This goes, for good")).to_be_visible()
    page.get_by_label("Why is it deleted?").fill("asked for by letter")
    page.get_by_label("to confirm").fill(str(subject))
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Deletion of")


def gone(conn: psycopg.Connection, before: Snapshot) -> dict[str, list[str]]:
    """The rows that went, by table; none was added or changed."""
    changes = diff(before, snapshot(conn, exclude={"retention"}))
    assert not any(change.added for change in changes.values())
    return {table: change.removed for table, change in changes.items()}


@pytest.mark.parametrize("kind", ["account", "transaction"])
@pytest.mark.parametrize("action", ["Delete all credentials", "Delete biometrics only"])
def test_each_of_the_four_deletions(
    base: str, conn: psycopg.Connection, kind: str, action: str
) -> None:
    """By clicks: exactly the rows of the scope and of the subject go, and nothing else at all."""
    mine = idle(conn, 5, transactions=2)
    idle(conn, 5, transactions=2)  # another account of the tenant
    idle(conn, 5, tenant="birch")
    subject = mine.account if kind == "account" else mine.transactions[0]
    before = snapshot(conn, exclude={"retention"})
    with open_page(base) as page:
        sign_in(page)
        delete(page, action, subject)
        everything = action == "Delete all credentials"
        state = "Pending." if everything else "Complete."
        expect(page.locator("#state")).to_contain_text(state)
        find(page, subject)
        expect(page.locator("main")).to_contain_text("erased")
    wanted = expected(before, mine, kind, BIOMETRIC | OTHER if everything else BIOMETRIC)
    assert gone(conn, before) == wanted
    if everything:
        queued = conn.execute("SELECT count(*) FROM retention.object_deletion").fetchone()
        assert queued == (len(wanted["public.images"]),)


def expected(
    before: Snapshot, mine: AccountIds, kind: str, tables: set[str]
) -> dict[str, list[str]]:
    """The rows that name the subject, of those tables; audit screenshots stay."""
    subjects = (*mine.transactions, mine.account) if kind == "account" else mine.transactions[:1]
    found = {
        table: [
            row
            for row in before[table]
            if any(str(each) in row for each in subjects) and ",AUDIT," not in row
        ]
        for table in tables
    }
    return {table: rows for table, rows in found.items() if rows}


def test_with_the_keyboard_alone(base: str, conn: psycopg.Connection) -> None:
    """From the sign-in to the result without a mouse; the focus can be seen at each stop."""
    mine = idle(conn, 5)
    one = str(mine.transactions[0])
    with open_page(base) as page:
        page.goto("/portal/")
        page.keyboard.type("sam")  # the first field has the focus
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="acme")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, "find-id")
        page.keyboard.type(one)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text(one)
        tab_to(page, "Delete biometrics only")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="This goes, for good")).to_be_visible()
        tab_to(page, "reason")
        page.keyboard.type("asked for by letter")
        page.keyboard.press("Tab")
        page.keyboard.type(one)
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_contain_text("Complete.")


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the element of that id, or with that text, has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const e = document.activeElement;"
            " return [e.id, e.innerText, getComputedStyle(e).outlineStyle]; }"
        )
        assert found[2] != "none", found
        if wanted in found[:2]:
            return
    raise AssertionError(f"{wanted} cannot be reached by the keyboard")


def test_without_javascript(base: str, conn: psycopg.Connection) -> None:
    """What matters works by plain forms and links."""
    mine = idle(conn, 5, transactions=2)
    before = snapshot(conn, exclude={"retention"})
    with open_page(base, java_script_enabled=False) as page:
        sign_in(page)
        delete(page, "Delete all credentials", mine.transactions[0])
        expect(page.locator("#state")).to_contain_text("Pending.")
        page.get_by_role("link", name="Look again").click()
        expect(page.locator("#state")).to_contain_text("Pending.")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert gone(conn, before) == expected(before, mine, "transaction", BIOMETRIC | OTHER)


def test_a_pending_deletion_changes_by_itself(base: str, conn: psycopg.Connection) -> None:
    """With JavaScript the page follows; objects that nobody deleted are not called gone."""
    mine = idle(conn, 5)
    with open_page(base) as page:
        sign_in(page)
        delete(page, "Delete all credentials", mine.account)
        expect(page.locator("#state")).to_contain_text("Pending.")
        conn.execute("DELETE FROM retention.object_deletion")
        expect(page.locator("#state")).to_contain_text("Not proved.", timeout=30_000)


def test_a_wrong_id_deletes_nothing(base: str, conn: psycopg.Connection) -> None:
    """What is wrong is said above the form and beside the field; every row is there."""
    mine = idle(conn, 5)
    before = snapshot(conn, exclude={"retention"})
    with open_page(base) as page:
        sign_in(page)
        find(page, mine.account)
        page.get_by_role("link", name="Delete all credentials").click()
        page.get_by_label("Why is it deleted?").fill("a letter")
        page.get_by_label("to confirm").fill("something else")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("alert")).to_contain_text("This is not the id")
        expect(page.get_by_label("to confirm")).to_have_attribute("aria-invalid", "true")
    assert not gone(conn, before)


def test_on_a_narrow_screen(base: str, conn: psycopg.Connection) -> None:
    """No page is wider than a small telephone: only tables scroll, inside their own frame."""
    mine = idle(conn, 5, transactions=2)
    one = mine.transactions[0]
    with open_page(base, viewport={"width": 320, "height": 640}) as page:
        sign_in(page)
        delete(page, "Delete biometrics only", mine.account)
        for address in (
            *("/docs", "/portal/", "/portal/find", "/portal/settings", "/portal/ledger"),
            *(f"/portal/account?id={mine.account}", f"/portal/transaction?id={one}"),
            f"/portal/delete?kind=transaction&id={one}&scope=all",
            "/portal/ledger/1",
        ):
            page.goto(address)
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, (address, wide)
