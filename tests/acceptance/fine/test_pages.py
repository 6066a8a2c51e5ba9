"""The portal's pages do not say that something is erased, or that nothing is left, when it is."""

import html
import os
import re
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from retention_worker.bootstrap import context_of
from retention_worker.settings import load
from tests.acceptance.fine.small import DATAMAP, WITH_OBJECTS, Small
from tests.acceptance.fine.test_two_parents import FILES
from tests.integration.portal.scene import Browser, PortalScene

Pages = tuple[Small, Browser]


@pytest.fixture
def pages(world: Small) -> Iterator[Pages]:
    """The small product with somebody of support at its portal."""
    with patch.dict(os.environ, world.program.environment):
        settings = load()
    with closing(context_of(settings).pool) as pool:
        worker = context_of(settings)
        worker.pool = pool
        stage: Any = SimpleNamespace(worker=worker)
        yield world, PortalScene(stage).signed_in("support")


def said(browser: Browser, page: str, **query: str) -> str:
    """What a page says, without its marks."""
    text = browser.get(page, **query).text
    text = text.split('id="main"', 1)[-1]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def erase(world: Small) -> int:
    """Ask for all of ann's."""
    words = ("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked")
    return world.run(*words).code


def test_rows_that_are_kept_and_a_request_that_is_not_finished(pages: Pages) -> None:
    """A file that is another account's, too: neither by age nor on request is all erased."""
    world, browser = pages
    for statement in (
        "CREATE TABLE files (id bigserial PRIMARY KEY, transaction_id text REFERENCES transactions,"
        " account_id text REFERENCES accounts)",
        "CREATE INDEX ON files (transaction_id)",
        "CREATE INDEX ON files (account_id)",
        "GRANT ALL ON files TO retention_worker",
    ):
        world.execute(statement)
    world.person("ann")
    world.person("bob", idle=1)
    world.datamap(DATAMAP + FILES.replace("{how}", "rows"))
    world.execute("INSERT INTO files (transaction_id, account_id) VALUES ('ann', 'bob')")
    assert world.run("sweep").code == 1
    assert erase(world) == 1
    for page in ("account", "transaction"):
        text = said(browser, page, id="ann")
        assert "All credentials were erased" not in text
        assert "All credentials of the account," not in text
        assert "not finished" in text
        assert "nothing left to delete" not in text
    assert "still there" in said(browser, "account", id="ann")
    overview = browser.get("").text
    assert re.search(r'tile bad">\s*<h2>All credentials', overview)
    assert "not finished None" not in said(browser, "")


@pytest.mark.parametrize("state", ["queued", "failed", "denied", "kept"])
def test_objects_that_are_still_there(pages: Pages, state: str) -> None:
    """Rows are gone, an object is not: nothing is called erased without a word of it."""
    world, browser = pages
    world.datamap(WITH_OBJECTS)
    world.execute("GRANT SELECT (object_uri) ON images TO retention_worker")
    for name in ("ann", "bob"):  # one batch of both: whose rows it counts, nobody knows
        world.person(name)
    world.execute("UPDATE images SET object_uri = 's3://nowhere/' || transaction_id")
    assert world.run("sweep").code == 0
    world.execute("UPDATE retention.object_deletion SET state = %s", state)
    account = said(browser, "account", id="ann")
    assert f"rows gone, 0 of 1 object gone, 1 {state}" in account
    assert "images other 0 nothing there" not in account
    transaction = browser.get("transaction", id="ann").text
    assert "Rows of all credentials were erased" in transaction
    assert not re.search(r'notice good">[^<]*all credentials', transaction, re.IGNORECASE)
    for page in ("account", "transaction"):
        text = said(browser, page, id="ann")
        assert "1 objects are still to go" in text
        assert "nothing left to delete" not in text


def test_a_hold_that_lost_its_account(pages: Pages) -> None:
    """The first page counts it, and says that it holds nothing."""
    world, browser = pages
    world.person("ann")
    world.person("ben", idle=5)
    assert world.run("hold", "place", "ann", "--tenant", "acme", "--reason", "court").code == 0
    assert "lost what was held" not in said(browser, "")
    world.execute("UPDATE accounts SET id = 'anna' WHERE id = 'ann'")
    assert "1 of them lost what was held" in said(browser, "")
    assert "a legal hold keeps everything" in said(browser, "account", id="anna")


def test_a_deletion_whose_rows_are_there_again(pages: Pages) -> None:
    """It was complete; it does not say that everything is gone since."""
    world, browser = pages
    world.person("ann")
    assert erase(world) == 0
    row = world.conn.execute("SELECT deletion FROM retention.request").fetchone()
    assert row is not None
    assert "Everything of it is gone since" in said(browser, f"deletion/{row[0]}")
    world.execute("INSERT INTO images (transaction_id, kind) VALUES ('ann', 'SELFIE')")
    text = said(browser, f"deletion/{row[0]}")
    assert "gone since" not in text
    assert "1 rows are there by now" in text
