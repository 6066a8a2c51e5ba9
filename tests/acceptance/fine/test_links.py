"""Rows that are found by way of what refers to them: both go in one statement, or neither does."""

from dataclasses import dataclass

import pytest

from tests.acceptance.fine.small import DATAMAP, WITH_TENANTS, Small

PHOTO = "CREATE TABLE photo (id text PRIMARY KEY, uri text, tenant_id text DEFAULT 'acme');"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How photos are found: `refers` is the column of `table` that refers to them."""

    table: str
    refers: str
    schema: str
    link: str
    photos: str
    references: str

    def datamap(self, *, photos: str = "other", references: str = "other") -> str:
        """The small product's map, with photos of one class and what refers to them of another."""
        head, credentials = WITH_TENANTS.split("credentials:\n")
        found = (
            "table: public.photo, tenant: tenant_id, objects: {column: uri}, "
            f"class: {photos}, erase: rows"
        )
        return (
            f"{head}{self.link}credentials:\n{credentials}"
            f"  - {{name: photos, {found}, {self.photos}}}\n"
            f"  - {{name: references, class: {references}, {self.references}}}\n"
        )

    def plant(self, world: Small, *, action: str = "NO ACTION", **classes: str) -> None:
        """The tables, with what the role may do, and the map."""
        world.execute(PHOTO + self.schema.replace("ACTION", f"ON DELETE {action}"))
        world.execute(
            f"CREATE INDEX ON {self.table} ({self.refers});"
            f"GRANT ALL ON photo, {self.table} TO retention_worker"
        )
        world.datamap(self.datamap(**classes))

    def refer(self, world: Small, name: str, photo: str, number: int) -> None:
        """Another photo of the person (unless it is there), whom `person` has made."""
        world.execute(
            "INSERT INTO photo (id, uri) VALUES (%s, 's3://p/' || %s) ON CONFLICT DO NOTHING",
            photo,
            photo,
        )
        if self.table == "attached":
            world.execute("INSERT INTO attached VALUES (%s, %s)", name, photo)
        elif self.table == "accounts":
            world.execute("UPDATE accounts SET photo_id = %s WHERE id = %s", photo, name)
        else:
            world.execute(
                "INSERT INTO transactions (id, account_id, tenant_id, created_at, photo_id) "
                "VALUES (%s, %s, 'acme', now() - interval '500 days', %s)",
                f"{name}{number:02}",
                name,
                photo,
            )

    def left(self, world: Small) -> tuple[int, int]:
        """How many photos there are, and how many references to them."""
        row = world.conn.execute(
            f"SELECT (SELECT count(*) FROM photo), (SELECT count({self.refers}) "
            f"FROM {self.table})".encode()
        ).fetchone()
        assert row is not None
        return row[0], row[1]


JOINED = Shape(
    table="attached",
    refers="photo_id",
    schema="CREATE TABLE attached (account_id text REFERENCES accounts, "
    "photo_id text REFERENCES photo ACTION, tenant_id text DEFAULT 'acme'); "
    "CREATE INDEX ON attached (account_id);",
    link="links:\n  attached:\n    "
    "{table: public.attached, id: photo_id, of: account, key: account_id, tenant: tenant_id}\n",
    photos="of: attached, key: id",
    references="table: public.attached, of: account, key: account_id, erase: rows",
)
POINTED = Shape(
    table="accounts",
    refers="photo_id",
    schema="ALTER TABLE accounts ADD photo_id text REFERENCES photo ACTION;",
    link="",
    photos="of: account, key: id, parent_key: photo_id",
    references="table: public.accounts, of: account, key: id, erase: {set: {photo_id: null}}",
)
POINTED_BY_TRANSACTIONS = Shape(
    table="transactions",
    refers="photo_id",
    schema="ALTER TABLE transactions ADD photo_id text REFERENCES photo ACTION;",
    link="",
    photos="of: transaction, key: id, parent_key: photo_id",
    references="table: public.transactions, of: transaction, key: id, "
    "erase: {set: {photo_id: null}}",
)
SHAPES = {
    "joined": JOINED,
    "pointed to by the account": POINTED,
    "pointed to by transactions": POINTED_BY_TRANSACTIONS,
}
EVERY = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def ledger(world: Small) -> dict[str, int]:
    """Rows an entry of all batches together."""
    found = world.conn.execute(
        "SELECT key, sum(value::int)::int FROM retention.batch, jsonb_each_text(counts) "
        "WHERE key IN ('photos', 'references') GROUP BY key"
    ).fetchall()
    return dict(found)


def queued(world: Small) -> int:
    """How many objects wait for their deletion."""
    row = world.conn.execute("SELECT count(*) FROM retention.object_deletion").fetchone()
    assert row is not None
    return int(row[0])


def of_photos(rows: dict[str, int]) -> tuple[int, int]:
    """What a plan or a report counts of the two entries."""
    return rows.get("photos", 0), rows.get("references", 0)


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
@EVERY
def test_a_sweep_takes_both(world: Small, shape: Shape, action: str) -> None:
    """Doctor is content, a plan says what the sweep and the ledger then do, and nothing is left."""
    shape.plant(world, action=action)
    for name, idle in (("ann", 500), ("ben", 500), ("zoe", 5)):
        world.person(name, idle=idle)
        shape.refer(world, name, f"of {name}", 1)
    for words in (("doctor",), ("doctor", "--try")):
        assert world.run(*words).code == 0, world.run(*words).out
    found = world.run("doctor", "--try", "--json").json["tried"]
    tried = {each["entry"]: each["outcome"] for each in found}
    assert (tried["photos"], tried["references"]) == ("tried", "tried")
    assert shape.left(world) == (3, 3)
    planned = world.run("plan", "--json").lane("all")
    done = world.run("sweep", "--json")
    assert done.code == 0, done.complaints
    lane = done.lane("all")
    assert (planned["rows"], planned["objects_queued"]) == (lane["rows"], lane["objects_queued"])
    assert of_photos(lane["rows"]) == (2, 2)
    assert (lane["objects_queued"], queued(world)) == (2, 2)
    assert ledger(world) == {"photos": 2, "references": 2}
    assert shape.left(world) == (1, 1)
    assert world.run("verify").code == 0, world.run("verify").out
    assert world.run("ledger", "verify").code == 0
    assert world.run("explain", "ann", "--tenant", "acme").code == 0
    again = world.run("sweep", "--reconcile", "--json")
    assert (again.code, again.lane("all")["rows"]) == (0, {})


@EVERY
def test_an_account_on_request(world: Small, shape: Shape) -> None:
    """Both go, are counted an entry each, and nothing of another account does."""
    shape.plant(world)
    for name in ("ann", "zoe"):
        world.person(name, idle=5)
        shape.refer(world, name, f"of {name}", 1)
    words = ("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked")
    done = world.run(*words)
    assert done.code == 0, done.complaints
    assert ledger(world) == {"photos": 1, "references": 1}
    assert (shape.left(world), queued(world)) == ((1, 1), 1)
    assert world.run("verify").code == 0


def test_one_transaction_on_request(world: Small) -> None:
    """Its photo goes; one that another transaction refers to goes with the last of them."""
    shape = POINTED_BY_TRANSACTIONS
    shape.plant(world)
    world.person("ann", idle=5)
    for number, photo in enumerate(("own", "both", "both")):
        shape.refer(world, "ann", photo, number)
    left = []
    for number in range(3):
        words = ("erase", "transaction", f"ann{number:02}", "--tenant", "acme", "--yes")
        done = world.run(*words, "--reason", "asked")
        assert done.code == 0, done.complaints
        left.append((shape.left(world), ledger(world)))
    assert left == [
        ((1, 2), {"photos": 1, "references": 1}),
        ((1, 1), {"photos": 1, "references": 2}),
        ((0, 0), {"photos": 2, "references": 3}),
    ]
    assert world.run("verify").code == 0


@pytest.mark.parametrize("command", ["sweep", "erase account"])
@pytest.mark.parametrize("shape", [JOINED, POINTED_BY_TRANSACTIONS], ids=["joined", "pointed"])
def test_a_large_account_in_parts(world: Small, shape: Shape, command: str) -> None:
    """A stretch at a time: a photo that several rows refer to goes once, when it is free."""
    shape.plant(world)
    world.person("ann")
    for number in range(9):
        shape.refer(world, "ann", f"p{number}", number)
    shape.refer(world, "ann", "p1", 9)
    before = world.run("plan", "--json").lane("all")["rows"]
    assert of_photos(before) == (9, 10)
    few = {"RETENTION_BATCH_MAX_TRANSACTIONS": "2"}
    if command == "sweep":
        done = world.run("sweep", "--json", **few)
        assert of_photos(done.lane("all")["rows"]) == (9, 10)
        assert done.lane("all")["batches"] > 3
    else:
        words = (*command.split(), "ann", "--tenant", "acme", "--yes", "--reason", "asked")
        done = world.run(*words, **few)
    assert done.code == 0, done.complaints
    assert ledger(world) == {"photos": 9, "references": 10}
    assert (shape.left(world), queued(world)) == ((0, 0), 9)
    assert world.run("verify").code == 0


@EVERY
def test_biometrics_alone(world: Small, shape: Shape) -> None:
    """Where both are biometrics both go with them, by their own period, and are told apart."""
    shape.plant(world, photos="biometric", references="biometric")
    world.person("ann", idle=100)
    shape.refer(world, "ann", "of ann", 1)
    assert world.run("doctor", "--try").code == 0
    assert of_photos(world.run("plan", "--json").lane("biometrics")["rows"]) == (1, 1)
    done = world.run("sweep", "--json")
    assert done.code == 0, done.complaints
    assert of_photos(done.lane("biometrics")["rows"]) == (1, 1)
    assert ledger(world) == {"photos": 1, "references": 1}
    assert (shape.left(world), world.rows()) == ((0, 0), (0, 1))
    assert world.run("verify").code == 0


@pytest.mark.parametrize(("photos", "references"), [("biometric", "other"), ("other", "biometric")])
@EVERY
def test_one_of_them_alone_is_refused(
    world: Small, shape: Shape, photos: str, references: str
) -> None:
    """Neither can go when only one of them is a biometric: nothing is tried, and the cure said."""
    shape.plant(world, photos=photos, references=references)
    world.person("ann")
    shape.refer(world, "ann", "of ann", 1)
    for command in ("doctor", "sweep"):
        done = world.run(command)
        assert done.code == 2, done.out
        said = " ".join((done.out + " ".join(done.complaints)).split())
        assert "of the same class" in said or "give it another way" in said
    assert shape.left(world) == (1, 1)


@EVERY
def test_what_refers_to_them_has_to_be_declared(world: Small, shape: Shape) -> None:
    """Otherwise the server refuses the deletion: doctor does before, and says what to declare."""
    shape.plant(world)
    world.datamap("\n".join(shape.datamap().splitlines()[:-1]) + "\n")
    for command in ("doctor", "sweep"):
        done = world.run(command)
        assert done.code == 2, done.out
        said = " ".join((done.out + " ".join(done.complaints)).split())
        assert "declare" in said
        assert "in one statement" in said


@pytest.mark.parametrize("shape", [JOINED, POINTED], ids=["joined", "pointed"])
def test_a_photo_of_two_accounts(world: Small, shape: Shape) -> None:
    """It goes with neither, and with the one that it leads to in the end."""
    shape.plant(world)
    for name in ("ann", "ben"):
        world.person(name)
        shape.refer(world, name, "shared", 1)
    sweep = world.run("sweep")
    assert sweep.code == 1
    assert "another account's, too: photos (1)" in " ".join(sweep.out.split() + sweep.complaints)
    assert (shape.left(world), queued(world)) == ((1, 2), 0)
    words = ("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked")
    world.run(*words)
    assert (shape.left(world), queued(world)) == ((1, 1), 0)
    world.run("erase", "account", "ben", *words[3:])
    assert (shape.left(world), queued(world)) == ((0, 0), 1)
    assert ledger(world) == {"photos": 1, "references": 2}
    assert world.run("verify").code == 0


def test_a_hold_keeps_both(world: Small) -> None:
    """And another's go meanwhile."""
    JOINED.plant(world)
    for name in ("ann", "ben"):
        world.person(name)
        JOINED.refer(world, name, f"of {name}", 1)
    assert world.run("hold", "place", "ann", "--tenant", "acme", "--reason", "court").code == 0
    assert of_photos(world.run("sweep", "--json").lane("all")["rows"]) == (1, 1)
    assert JOINED.left(world) == (1, 1)


@pytest.mark.parametrize(
    ("action", "kept"), [("CASCADE", (0, 0)), ("SET NULL", (0, 0))], ids=["cascade", "set null"]
)
def test_keys_with_an_action_need_nothing(world: Small, action: str, kept: tuple[int, int]) -> None:
    """What the key does itself is as it was: each entry in its turn."""
    JOINED.plant(world, action=action)
    world.person("ann")
    JOINED.refer(world, "ann", "of ann", 1)
    assert world.run("doctor").code == 0
    done = world.run("sweep", "--json")
    assert done.code == 0, done.complaints
    assert JOINED.left(world) == kept


TWO = """
  - {name: fronts, table: public.photo, tenant: tenant_id, class: other, of: account,
     key: id, parent_key: front_id, erase: rows}
  - {name: backs, table: public.photo, tenant: tenant_id, class: other, of: account,
     key: id, parent_key: back_id, erase: rows}
"""
ONE_BLANK = """
  - {name: references, table: public.accounts, class: other, of: account, key: id,
     erase: {set: {front_id: null, back_id: null}}}
"""
TWO_BLANKS = """
  - {name: fronted, table: public.accounts, class: other, of: account, key: id,
     erase: {set: {front_id: null}}}
  - {name: backed, table: public.accounts, class: other, of: account, key: id,
     erase: {set: {back_id: null}}}
"""


@pytest.mark.parametrize("back", ["b", "f"])
def test_several_ways_to_one_table(world: Small, back: str) -> None:
    """One entry blanks both references; two would have to change one row in one statement."""
    world.execute(
        PHOTO + "ALTER TABLE accounts ADD front_id text REFERENCES photo; "
        "ALTER TABLE accounts ADD back_id text REFERENCES photo; "
        "GRANT ALL ON photo, accounts TO retention_worker"
    )
    world.person("ann")
    world.execute("INSERT INTO photo (id) VALUES ('f'), ('b')")
    world.execute("UPDATE accounts SET front_id = 'f', back_id = %s", back)
    world.datamap(DATAMAP + TWO + TWO_BLANKS)
    for command in ("doctor", "sweep"):
        done = world.run(command)
        assert done.code == 2
        assert "by one entry" in " ".join((done.out + done.err).split())
    world.datamap(DATAMAP + TWO + ONE_BLANK)
    assert world.run("doctor", "--try").code == 0
    planned = world.run("plan", "--json").lane("all")["rows"]
    done = world.run("sweep", "--json")
    assert done.code == 0, done.complaints
    assert planned == done.lane("all")["rows"]
    gone = 1 if back == "f" else 2
    assert sum(planned.get(name, 0) for name in ("fronts", "backs")) == gone
    assert world.conn.execute("SELECT count(*) FROM photo").fetchone() == (2 - gone,)


def test_a_part_that_stays_in_the_way(world: Small) -> None:
    """Where only some of what refers is declared, the rest would keep the photos: refused."""
    JOINED.plant(world)
    world.execute("ALTER TABLE attached ADD kind text")
    world.person("ann")
    text = JOINED.datamap().replace(
        "key: account_id, erase", "where: {kind: A}, key: account_id, erase"
    )
    world.datamap(text)
    assert world.run("doctor").code == 2
    world.datamap(text.replace("tenant: tenant_id}\n", "tenant: tenant_id, where: {kind: [A]}}\n"))
    assert world.run("doctor").code == 0


def test_what_came_between_the_parts(world: Small) -> None:
    """A photo that is attached behind the walk goes with the end of it, and its link not before."""
    JOINED.plant(world)
    world.person("ann")
    for number in range(1, 6):
        JOINED.refer(world, "ann", f"p{number}", number)
    world.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "IF OLD.photo_id = 'p5' THEN "
        "INSERT INTO photo (id, uri) VALUES ('a', 's3://p/a'); "
        "INSERT INTO attached (account_id, photo_id) VALUES ('ann', 'a'); END IF; "
        "RETURN NULL; END$$;"
        "CREATE TRIGGER late AFTER DELETE ON attached FOR EACH ROW EXECUTE FUNCTION late();"
        "GRANT INSERT ON photo, attached TO retention_worker"
    )
    world.datamap(JOINED.datamap() + "accepted_triggers: [public.attached.late]\n")
    done = world.run("sweep", "--json", RETENTION_BATCH_MAX_TRANSACTIONS="2")
    assert done.code == 0, done.complaints
    assert ledger(world) == {"photos": 6, "references": 6}
    assert (JOINED.left(world), queued(world)) == ((0, 0), 6)
