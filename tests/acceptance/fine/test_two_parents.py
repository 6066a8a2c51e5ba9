"""A row of two accounts goes with neither of them, and nobody says that it did."""

import pytest

from tests.acceptance.fine.small import DATAMAP, Small

FILES = """
  - name: files of transactions
    table: public.files
    class: other
    of: transaction
    key: transaction_id
    erase: {how}
  - name: files of accounts
    table: public.files
    class: other
    of: account
    key: account_id
    erase: rows
"""
PHOTOS = """
accounts: {table: public.accounts, id: id, tenant: tenant_id, last_activity: last_activity_at}
links:
  attached: {table: public.attached, id: id, of: account, key: account_id}
credentials:
  - name: photos
    table: public.photos
    class: other
    of: attached
    key: id
    parent_key: photo_id
    erase: {set: {content: null}}
"""


@pytest.fixture
def files(world: Small) -> Small:
    """Files that name a transaction and an account."""
    for statement in (
        "CREATE TABLE files (id bigserial PRIMARY KEY, transaction_id text REFERENCES transactions,"
        " account_id text REFERENCES accounts, content text DEFAULT 'c')",
        "CREATE INDEX ON files (transaction_id)",
        "CREATE INDEX ON files (account_id)",
        "GRANT ALL ON files TO retention_worker",
    ):
        world.execute(statement)
    world.person("ann")
    world.person("bob", idle=1)
    return world


@pytest.mark.parametrize("how", ["rows", "{set: {content: null}}"])
@pytest.mark.parametrize("both", [("ann", "bob"), ("bob", "ann")])
def test_two_entries(files: Small, both: tuple[str, str], how: str) -> None:
    """By its transaction it is ann's, who is due, by its account bob's, who is not; or reversed."""
    files.datamap(DATAMAP + FILES.replace("{how}", how))
    files.execute("INSERT INTO files (transaction_id, account_id) VALUES (%s, %s)", *both)
    files.execute("INSERT INTO files (transaction_id, account_id) VALUES ('ann', 'ann')")
    name = "files of transactions" if both[0] == "ann" else "files of accounts"
    sweep = files.run("sweep")
    assert sweep.code == 1
    words = " ".join((sweep.out + " ".join(sweep.complaints)).split())
    assert f"another account's, too: {name} (1)" in words
    assert files.run("plan").code == 1
    verify = files.run("verify")
    assert verify.code == 1
    assert "1 row(s) lead up to two accounts" in " ".join(verify.out.split())
    explained = files.run("explain", "ann", "--tenant", "acme").out
    assert "another account's, too" in " ".join(explained.split())
    erase = files.run("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked")
    assert erase.code == 1
    assert "another account's, too" in " ".join(erase.complaints)
    row = files.conn.execute("SELECT count(*) FROM files WHERE content IS NOT NULL").fetchone()
    assert row == (1,)


@pytest.mark.parametrize("other", ["bob", "ann"])
def test_one_row_attached_twice(world: Small, other: str) -> None:
    """A key that is not unique leads to two accounts; twice to one account is no harm."""
    for statement in (
        "CREATE TABLE photos (id text PRIMARY KEY, content text DEFAULT 'c')",
        "CREATE TABLE attached (id bigserial PRIMARY KEY, account_id text, photo_id text)",
        "CREATE INDEX ON attached (account_id)",
        "CREATE INDEX ON attached (photo_id)",
        "GRANT ALL ON photos, attached TO retention_worker",
    ):
        world.execute(statement)
    for name in ("photos", "attached"):
        world.execute(f"ALTER TABLE {name} ADD tenant_id text DEFAULT 'acme'")
    text = PHOTOS.replace("key: account_id}", "key: account_id, tenant: tenant_id}")
    world.datamap(text.replace("    key: id\n", "    key: id\n    tenant: tenant_id\n"))
    world.execute(
        "INSERT INTO accounts VALUES ('ann', 'acme', now() - interval '500 days'), "
        "('bob', 'acme', now())"
    )
    world.execute("INSERT INTO photos VALUES ('p')")
    world.execute(
        "INSERT INTO attached (account_id, photo_id) VALUES ('ann', 'p'), (%s, 'p')", other
    )
    sweep = world.run("sweep")
    row = world.conn.execute("SELECT count(*) FROM photos WHERE content IS NOT NULL").fetchone()
    assert (sweep.code, row) == ((1, (1,)) if other == "bob" else (0, (0,))), sweep.complaints
