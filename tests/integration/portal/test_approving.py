"""A second person lets a waiting lane go, as it was shown."""

import re

import pytest

from tests.integration.portal.scene import Browser, PortalScene

_FIELD = re.compile(r'name="(scope|digest|cutoff|due)" value="([^"]*)"')


@pytest.fixture
def waiting(scene: PortalScene) -> PortalScene:
    """Both lanes of acme wait, because more is due than may go without a person."""
    scene.stage.set(guard_percent=5, guard_min_accounts=2)
    for _ in range(6):
        scene.stage.account(idle_days=100)
    scene.stage.sweep()
    return scene


def test_a_form_that_says_others(waiting: PortalScene) -> None:
    """Other accounts than those that are due now: nothing is approved."""
    browser = waiting.signed_in("approver")
    filled = shown(browser) | {"typed": "acme", "reason": "x", "accounts": "0" * 64}
    assert browser.post("approve", **filled).status_code == 409
    assert waiting.stage.count("SELECT count(*) FROM retention.approval") == 0


def shown(browser: Browser) -> dict[str, str]:
    """The hidden fields of the first form."""
    return dict(_FIELD.findall(browser.get("approve").text.split("</form>")[1]))


def test_what_was_shown_goes_with_the_next_sweep(waiting: PortalScene) -> None:
    """The cause and the numbers are shown; the approval is noted with who and why."""
    browser = waiting.signed_in("approver")
    assert "wait for an approval since" in browser.get("settings").text
    fields = shown(browser)
    assert fields["due"] == "6"
    for more in ({"typed": "birch"}, {"reason": " "}):
        wrong = {"typed": "acme", "reason": "looked at"} | more
        assert browser.post("approve", **fields, **wrong).status_code == 422
    answer = browser.post("approve", **fields, typed="acme", reason="looked at")
    assert answer.status_code == 303
    row = waiting.stage.conn.execute(
        "SELECT approved_by, reason, at_most, scope FROM retention.approval"
    ).fetchall()
    assert row == [("approver of acme", "looked at", 6, "biometrics")]
    said = "approved for 6 accounts at the most"
    assert said in browser.get("settings").text
    waiting.stage.sweep()
    assert waiting.stage.count("SELECT count(*) FROM face_vectors") == 0
    assert said not in browser.get("settings").text
    assert browser.post("approve", **fields, typed="acme", reason="again").status_code == 409


def test_another_policy_or_more_than_was_shown(waiting: PortalScene) -> None:
    """A changed digest is 409; a later cutoff and a larger number are cut to what is due."""
    browser = waiting.signed_in("approver")
    fields = shown(browser)
    filled = fields | {"typed": "acme", "reason": "x"}
    assert browser.post("approve", **filled | {"digest": "0" * 64}).status_code == 409
    assert browser.post("approve", **filled | {"due": "0"}).status_code == 422
    more = filled | {"cutoff": "2099-01-01T00:00:00+00:00", "due": "99"}
    assert browser.post("approve", **more).status_code == 303
    row = waiting.stage.conn.execute(
        "SELECT at_most, cutoff < now() + interval '1 year' FROM retention.approval"
    ).fetchone()
    assert row == (6, True)


@pytest.mark.parametrize(
    ("revision", "status"),
    [
        ("4f2a91c approver of acme", 403),
        ("4f2a91c Author: APPROVER OF ACME.", 403),
        ("4f2a91c approver of acmes", 303),
        ("4f2a91c someone else", 303),
    ],
)
def test_the_author_of_the_revision_may_not(scene: PortalScene, revision: str, status: int) -> None:
    """Whose name stands in the revision of the policy is refused, on the page and when sending."""
    scene.stage.set(guard_percent=5, guard_min_accounts=2, config_revision=revision)
    for _ in range(6):
        scene.stage.account(idle_days=100)
    scene.stage.sweep()
    author = scene.signed_in("approver")
    page = author.get("approve").text
    assert ("You cannot approve this" in page) == (status == 403)
    scene.stage.set(config_revision=None)  # the log remembers it
    fields = {"scope": "biometrics", "digest": _digest(scene), "cutoff": "2026-05-01T00:00:00Z"}
    answer = author.post("approve", **fields, due=1, typed="acme", reason="x")
    assert answer.status_code == status


def _digest(scene: PortalScene) -> str:
    row = scene.stage.conn.execute("SELECT digest FROM retention.policy").fetchone()
    assert row is not None
    return str(row[0])


def test_others_may_not_even_look(waiting: PortalScene) -> None:
    """Viewers and support are refused; nothing waits for another tenant's approver."""
    for role in ("viewer", "support"):
        browser = waiting.signed_in(role)
        assert browser.get("approve").status_code == 403
        assert browser.post("approve", scope="all", digest="x", cutoff="x", due=1).status_code in {
            403,
            422,
        }
    assert "Nothing waits" in waiting.signed_in("approver", "birch").get("approve").text
