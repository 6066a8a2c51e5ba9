"""The map says its conditions: which rows are hops, and which entry has which rows."""

import pytest

from tests.acceptance.fine.small import DATAMAP, NAMES, Small

POLYMORPHIC = """
CREATE TABLE attachments (
    id bigserial PRIMARY KEY, record_type text, record_id text, blob_id bigint UNIQUE);
CREATE TABLE blobs (id bigserial PRIMARY KEY, content text);
CREATE TABLE invoices (id text PRIMARY KEY);
CREATE INDEX ON attachments (record_id);
GRANT SELECT ON attachments, blobs TO retention_worker;
GRANT UPDATE (content), DELETE ON blobs TO retention_worker;
GRANT DELETE ON attachments TO retention_worker;
"""
LINKED = """
links:
  attachments:
    table: public.attachments
    id: blob_id
    of: transaction
    key: record_id
"""
BLOBS = """
  - name: blobs
    table: public.blobs
    class: other
    of: attachments
    key: id
    erase: {set: {content: null}}
"""
WHERE = "    where: {record_type: Transaction}\n"


def polymorphic(world: Small, where: str) -> None:
    """Attachments of transactions, and of invoices with the same numbers."""
    world.execute(POLYMORPHIC)
    head, credentials = DATAMAP.split("credentials:\n")
    world.datamap(head + LINKED.lstrip("\n") + where + "credentials:\n" + credentials + BLOBS)
    world.person("ann")
    world.execute("INSERT INTO invoices VALUES ('ann')")
    for kind, content in (("Transaction", "mine"), ("Invoice", "theirs")):
        world.execute("INSERT INTO blobs (content) VALUES (%s)", content)
        world.execute(
            "INSERT INTO attachments (record_type, record_id, blob_id) "
            "SELECT %s, 'ann', max(id) FROM blobs",
            kind,
        )


def contents(world: Small) -> list[str | None]:
    """What the blobs hold, in their order."""
    rows = world.conn.execute("SELECT content FROM blobs ORDER BY id").fetchall()
    return [content for (content,) in rows]


def test_a_key_beside_a_kind_is_refused_without_a_condition(world: Small) -> None:
    """The other parent's rows would go with it: doctor and sweeps refuse, and say what to do."""
    polymorphic(world, "")
    for command in ("doctor", "sweep", "plan"):
        done = world.run(command)
        assert done.code == 2, command
        assert "record_type" in done.out + done.err
    assert contents(world) == ["mine", "theirs"]


@pytest.mark.parametrize("command", ["sweep", "erase account", "erase transaction"])
def test_only_rows_that_fit_are_hops(world: Small, command: str) -> None:
    """Of two parents with one number only the one that the condition names loses anything."""
    polymorphic(world, WHERE)
    assert world.run("doctor").code == 0
    if command == "sweep":
        planned = world.run("plan", "--json").lane("all")["rows"]
        assert planned["blobs"] == 1
        assert world.run("sweep", "--json").lane("all")["rows"]["blobs"] == 1
    else:
        words = (*command.split(), "ann", "--tenant", "acme", "--yes", "--reason", "test")
        assert world.run(*words).code == 0
    assert contents(world) == [None, "theirs"]
    assert world.run("verify").code == 0
    explained = world.run("explain", "ann", "--tenant", "acme", "--json")
    assert explained.code == 0


def test_only_rows_that_fit_are_transactions(world: Small) -> None:
    """A transaction that the condition leaves out is none: not erased, not found, no orphan."""
    world.datamap(
        DATAMAP.replace("  id: id\n  account", "  id: id\n  where: {decision: ACCEPTED}\n  account")
    )
    world.person("ann")
    world.execute(
        "INSERT INTO transactions (id, account_id, created_at, decision) "
        "VALUES ('draft', 'ann', now(), 'NONE'); "
        "INSERT INTO face (transaction_id) VALUES ('draft')"
    )
    assert world.run("sweep").code == 0
    assert world.rows() == (1, 0)
    # The map says so, and it is said.
    for command in ("verify", "doctor"):
        done = world.run(command)
        assert done.code == 0
        assert "hang on rows of public.transactions" in " ".join(done.out.split())
    erase = ("erase", "transaction", "draft", "--tenant", "acme", "--yes", "--reason", "x")
    assert world.run(*erase).code == 2


def test_rows_that_two_entries_claim_are_counted_once(world: Small) -> None:
    """A file on both its account and its transaction: the plan says what the sweep then does."""
    world.execute(
        "CREATE TABLE files (id bigserial PRIMARY KEY, account_id text, transaction_id text); "
        "CREATE INDEX ON files (account_id); CREATE INDEX ON files (transaction_id); "
        "GRANT SELECT, DELETE ON files TO retention_worker"
    )
    world.datamap(
        DATAMAP
        + """
  - {name: mine, table: public.files, class: other, of: account, key: account_id, erase: rows}
  - {name: its, table: public.files, class: other, of: transaction, key: transaction_id,
     erase: rows}
"""
    )
    world.person("ann")
    for owners in (("ann", "ann"), ("ann", None), (None, "ann")):
        world.execute("INSERT INTO files (account_id, transaction_id) VALUES (%s, %s)", *owners)
    planned = world.run("plan", "--json").lane("all")["rows"]
    done = world.run("sweep", "--json")
    assert done.code == 0
    assert planned == done.lane("all")["rows"]
    assert planned["mine"] + planned["its"] == 3


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            "{name: more, table: public.face, class: other, of: transaction, key: transaction_id, "
            "erase: rows}",
            "is of another class and claims rows",
        ),
        (
            "{name: names, table: public.transactions, class: other, of: account, key: account_id, "
            "erase: {set: {name: ''}}}",
            "an erasure of one transaction would leave its data",
        ),
    ],
)
def test_entries_that_cannot_do_what_they_say(world: Small, entry: str, words: str) -> None:
    """They are refused with a line that says what to write."""
    world.datamap(DATAMAP + f"  - {entry}\n")
    for command in ("doctor", "sweep"):
        done = world.run(command)
        assert done.code == 2
        assert words in done.err


def test_a_distributed_table_is_refused_by_name(world: Small) -> None:
    """By every command that would write or promise anything: a stand-in for Citus' own catalog."""
    world.execute(
        'CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char"); '
        "GRANT SELECT ON pg_dist_partition TO retention_worker"
    )
    world.person("ann")
    assert world.run("doctor").code == 0
    world.execute("INSERT INTO pg_dist_partition VALUES ('accounts', 'h')")
    for command in (("doctor",), ("migrate",), ("plan",), ("sweep",), ("run",)):
        done = world.run(*command)
        assert done.code == 2, command
        assert "public.accounts" in done.out + done.err
        assert "distributed by Citus" in done.out + done.err
    assert world.rows() == (1, 1)


def test_sentences_that_were_not_true(world: Small) -> None:
    """What is for ever, in the future, of nobody, or nowhere is said to be."""
    world.person("ben", idle=5)
    world.person("ann")
    world.execute("UPDATE accounts SET last_activity_at = 'infinity' WHERE id = 'ann'")
    done = world.run("explain", "ann", "--tenant", "acme")
    assert done.code == 1
    assert "lie in the future" in " ".join(done.out.split())
    assert "9999" not in done.out
    shown = world.run("explain", "ann", "--tenant", "acme", "--json")
    assert "9999" not in shown.out
    world.person("cid")
    world.execute("UPDATE transactions SET account_id = NULL WHERE id = 'cid'")
    wanted = ("erase", "transaction", "cid", "--tenant", "acme", "--yes", "--reason", "x")
    done = world.run(*wanted)
    assert (done.code, "has no account" in " ".join(done.complaints)) == (2, True)
    told = ("--tenant", "acme", "--reason", "court")
    assert world.run("hold", "place", "ben", *told).code == 0
    assert world.run("hold", "move", "ben", "--to", "ben", *told).code == 2
    assert world.run("hold", "list", "--tenant", "nobody").code == 2
    assert world.run("report", "2026-01", "--tenant", "nobody").code == 2
    assert world.run("hold", "list", "--tenant", "acme").code == 0


@pytest.mark.parametrize(
    ("column", "blank", "words"),
    [
        ("note varchar(3) NOT NULL DEFAULT 'x'", "'gone'", "22001"),
        ("note word DEFAULT 'x'", "''", "note is refused by its type (23514)"),
        ("note text CHECK (note LIKE 'a%')", "'b'", "CHECK transactions_note_check refuses it"),
        ("note text CHECK (note LIKE 'a%')", "'a'", None),
        ("note text CHECK (note <> 'b' OR id = 'ann')", "'b'", None),
        ("note varchar(4)", "'gone'", None),
    ],
)
def test_a_blank_is_held_against_the_column(
    world: Small, column: str, blank: str, words: str | None
) -> None:
    """Type, domain, length and CHECK, before anything was tried."""
    world.execute("CREATE DOMAIN word AS text CHECK (length(VALUE) > 0)")
    world.execute(f"ALTER TABLE transactions ADD {column}")
    world.execute("GRANT ALL ON transactions TO retention_worker")
    world.datamap(DATAMAP + NAMES.replace("{name: ''}", f"{{note: {blank}}}"))
    world.person("ann", idle=5)
    done = world.run("doctor")
    said = " ".join(done.out.split())
    assert (done.code != 0) == (words is not None), said
    assert words is None or words in said
