"""`doctor --try`: what no look at the catalog can tell, and that nothing of it stays."""

from collections.abc import Callable

import pytest

from tests.acceptance.fine.small import DATAMAP, NAMES, Small

TRY = ("doctor", "--try")
AUDITED = DATAMAP + "accepted_triggers: [public.face.seen]\n"


def a_trigger(body: str) -> Callable[[Small], None]:
    """A row trigger that the map accepts, whose function does this."""

    def plant(world: Small) -> None:
        world.datamap(AUDITED)
        world.execute(
            "CREATE TABLE audit (t text);"
            "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN {body} END$$;"
            "CREATE TRIGGER seen BEFORE DELETE ON face FOR EACH ROW EXECUTE FUNCTION seen()"
        )

    return plant


def a_check(world: Small) -> None:
    """The database refuses the value that the map sets."""
    world.datamap(DATAMAP + NAMES)
    world.execute("UPDATE transactions SET name = 'Bob'")
    world.execute("ALTER TABLE transactions ADD CHECK (length(name) > 2)")


def a_check_at_the_end(world: Small) -> None:
    """The same by a trigger that waits for the end of the transaction."""
    world.datamap(DATAMAP + "accepted_triggers: [public.images.late]\n")
    world.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END$$;"
        "CREATE CONSTRAINT TRIGGER late AFTER DELETE ON images "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()"
    )


REFUSED = {
    "a check": (a_check, "names", "23514"),
    "a check at the end": (a_check_at_the_end, "images", "23514"),
    "a trigger without rights": (
        a_trigger("INSERT INTO audit VALUES (OLD.v); RETURN OLD;"),
        "face",
        "42501",
    ),
    "a trigger that keeps rows": (a_trigger("RETURN NULL;"), "face", "still there"),
    "a trigger that is broken": (a_trigger("PERFORM 1 / 0; RETURN OLD;"), "face", "22012"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_would_be_refused_is_found(world: Small, name: str) -> None:
    """A try names the entry, ends with 1 and changes nothing; a look tells of a CHECK alone."""
    plant, entry, words = REFUSED[name]
    for person in ("ann", "ben"):
        world.person(person, idle=5)
    plant(world)
    looked = world.run("doctor")
    assert looked.code == int(name == "a check")
    assert ("lacks INSERT on public.audit" in looked.out) == (name == "a trigger without rights")
    before = everything(world)
    done = world.run(*TRY)
    assert done.code == 1
    said = " ".join((done.out + " ".join(done.complaints)).split())
    assert f"credentials[{entry}]" in said
    assert words in said
    tried = world.run(*TRY, "--json").json["tried"]
    assert [each["entry"] for each in tried if each["outcome"] == "refused"] == [entry]
    assert all(each["outcome"] == "tried" for each in tried if each["entry"] != entry)
    assert everything(world) == before


def test_what_works_is_tried_and_taken_back(world: Small) -> None:
    """All entries, on a few accounts: how many rows, and every row is there afterwards."""
    for number in range(9):
        world.person(f"p{number}", idle=5)
    before = everything(world)
    done = world.run(*TRY, "--json")
    assert (done.code, done.json["safe"]) == (0, True)
    assert [(each["entry"], each["outcome"]) for each in done.json["tried"]] == [
        ("face", "tried"),
        ("images", "tried"),
    ]
    assert all(0 < each["rows"] < 9 for each in done.json["tried"])
    assert everything(world) == before
    assert "face: tried on" in world.run(*TRY).out


def test_what_could_not_be_tried_is_said(world: Small) -> None:
    """Where there is nothing, or somebody uses it, no word says that it works."""
    world.execute("INSERT INTO accounts VALUES ('zoe', 'acme', now())")
    nothing = world.run(*TRY, "--json")
    assert (nothing.code, {each["outcome"] for each in nothing.json["tried"]}) == (
        0,
        {"nothing to try"},
    )
    world.person("ann", idle=5)
    with world.conn.transaction():
        world.execute("SELECT FROM accounts FOR UPDATE")
        used = world.run(*TRY)
    assert used.code == 0
    assert "face: nothing to try" in used.out


def everything(world: Small) -> list[object]:
    """Every row of every table, with where it lies: a row that was written anew would differ."""
    return [
        world.conn.execute(f"SELECT ctid, t FROM {name} AS t ORDER BY 1".encode()).fetchall()
        for name in (
            "accounts",
            "transactions",
            "face",
            "images",
            "retention.erasure",
            "retention.object_deletion",
        )
    ]
