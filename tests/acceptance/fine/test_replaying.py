"""A replay does not say that nothing is left of what no erasing statement reaches."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.fine.small import DATAMAP, WITH_TENANTS, Small


def swept(world: Small) -> None:
    """The account goes by retention."""
    world.person("ann")
    assert world.run("sweep").code == 0


def asked(world: Small) -> None:
    """The account goes because somebody asks."""
    world.person("ann")
    done = world.run("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "test")
    assert done.code == 0


@pytest.mark.parametrize("erased", [swept, asked])
def test_what_cannot_be_reached_is_listed(world: Small, erased: Callable[[Small], None]) -> None:
    """Restored credentials hang on a transaction that says another tenant by now."""
    world.datamap(WITH_TENANTS)
    erased(world)
    export = world.config.path.parent / "ledger.jsonl"
    assert world.run("ledger", "export", "--to", str(export)).code == 0
    # The backup is older than the erasure.
    world.execute("TRUNCATE retention.batch, retention.erasure, retention.lane, retention.request")
    world.execute("UPDATE transactions SET tenant_id = 'oldco'")
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('ann', 'acme')")
    for options in ((), ("--yes", "--reason", "restored")):
        done = world.run("ledger", "replay", str(export), *options)
        assert done.code == 1, done.out
        said = " ".join((done.out + " ".join(done.complaints)).split())
        assert "cannot be reached" in said
    assert world.rows() == (1, 0)


@pytest.mark.parametrize("erased", [swept, asked])
def test_what_began_since_is_listed(world: Small, erased: Callable[[Small], None]) -> None:
    """After the restore the person came back: a new transaction, and nothing else says so."""
    world.datamap(DATAMAP)
    erased(world)
    export = world.config.path.parent / "ledger.jsonl"
    assert world.run("ledger", "export", "--to", str(export)).code == 0
    world.execute("TRUNCATE retention.batch, retention.erasure, retention.lane, retention.request")
    world.execute(
        "INSERT INTO transactions (id, account_id, tenant_id, created_at) "
        "VALUES ('new', 'ann', 'acme', now() + interval '1 second')"
    )
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('new', 'acme')")
    for options in ((), ("--yes", "--reason", "restored")):
        done = world.run("ledger", "replay", str(export), *options)
        assert done.code == 1, done.out
        said = " ".join((done.out + " ".join(done.complaints)).split())
        assert "a transaction began since" in said
    assert world.rows() == (1, 0)


@pytest.fixture
def restored(world: Small) -> tuple[Small, str]:
    """A hold was placed after the backup that is restored; the export knows of it."""
    export = str(world.config.path.parent / "ledger.jsonl")
    world.person("ann")
    world.person("bob")
    world.person("eve", idle=1)
    told = ("--tenant", "acme", "--reason", "court")
    assert world.run("hold", "place", "ann", *told).code == 0
    assert world.run("sweep", RETENTION_LEDGER_EXPORT=export).code == 0
    assert world.rows() == (2, 2)
    world.execute("TRUNCATE retention.hold, retention.hold_subject")
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('bob', 'acme')")
    return world, export


COMMANDS = {
    "sweep": ("sweep",),
    "plan": ("plan",),
    "erase": ("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked"),
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_hold_that_a_backup_did_not_have(restored: tuple[Small, str], command: str) -> None:
    """Nothing goes until the replay has placed it again; the export does not forget it."""
    world, export = restored
    done = world.run(*COMMANDS[command], RETENTION_LEDGER_EXPORT=export)
    assert done.code == 3
    assert "account ann of tenant acme" in " ".join(done.complaints)
    assert world.run("ledger", "export", "--to", export).code == 1
    assert world.run("ledger", "replay", export).code == 1
    assert "ann" in world.run("ledger", "replay", export).out
    assert world.run(*COMMANDS[command], RETENTION_LEDGER_EXPORT=export).code == 3
    assert world.run("ledger", "replay", export, "--yes", "--reason", "restored").code == 0
    assert "ann" in world.run("hold", "list").out
    done = world.run(*COMMANDS[command], RETENTION_LEDGER_EXPORT=export)
    assert done.code == (3 if command == "erase" else 0), done.complaints
    assert world.rows()[0] >= 2


@pytest.mark.parametrize("erased", [swept, asked])
def test_a_replay_keeps_what_such_a_hold_holds(
    world: Small, erased: Callable[[Small], None]
) -> None:
    """It was erased, came back with a hold that the backup had not: the replay erases nothing."""
    export = str(world.config.path.parent / "ledger.jsonl")
    erased(world)
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('ann', 'acme')")
    told = ("--tenant", "acme", "--reason", "court")
    assert world.run("hold", "place", "ann", *told).code == 0
    assert world.run("ledger", "export", "--to", export).code == 0
    world.execute(
        "TRUNCATE retention.batch, retention.erasure, retention.lane, retention.request, "
        "retention.hold, retention.hold_subject"
    )
    for options in ((), ("--yes", "--reason", "restored")):
        assert world.run("ledger", "replay", export, *options).code == 1
    assert world.rows() == (1, 0)


def test_a_file_of_holds_that_was_changed(restored: tuple[Small, str]) -> None:
    """One line, and nothing goes."""
    world, export = restored
    (world.config.path.parent / "ledger.jsonl.holds.json").write_text("{}")
    done = world.run("sweep", RETENTION_LEDGER_EXPORT=export)
    assert done.code == 1
    assert "it was changed after it was written" in " ".join(done.complaints)
    assert world.rows() == (3, 2)


RESTORED = "TRUNCATE retention.batch, retention.erasure, retention.lane, retention.request"
MOVES = {
    "another tenant": "UPDATE accounts SET tenant_id = 'birch' WHERE id = 'ann'",
    "another id": "UPDATE accounts SET id = 'anne' WHERE id = 'ann'",
    "another account": "UPDATE transactions SET account_id = 'ben' WHERE id = 'ann'",
    "another account, and gone": "UPDATE transactions SET account_id = 'ben' WHERE id = 'ann'; "
    "DELETE FROM accounts WHERE id = 'ann'",
}


def asked_for_the_transaction(world: Small) -> None:
    """The transaction goes because somebody asks."""
    world.person("ann", idle=5)
    wanted = ("erase", "transaction", "ann", "--tenant", "acme", "--yes", "--reason", "test")
    assert world.run(*wanted).code == 0


@pytest.mark.parametrize("move", list(MOVES))
@pytest.mark.parametrize("erased", [swept, asked, asked_for_the_transaction])
def test_what_is_anothers_by_now_is_listed(
    world: Small, erased: Callable[[Small], None], move: str
) -> None:
    """The restored backup has it under another account, id or tenant."""
    world.person("ben", idle=1)
    erased(world)
    kept = world.rows()
    export = world.config.path.parent / "ledger.jsonl"
    assert world.run("ledger", "export", "--to", str(export)).code == 0
    world.execute(RESTORED)
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('ann', 'acme')")
    world.execute(MOVES[move])
    for options in ((), ("--yes", "--reason", "restored")):
        done = world.run("ledger", "replay", str(export), *options)
        if erased is asked_for_the_transaction and move.startswith("another account"):
            continue  # whoever's it is in the same tenant, the transaction is what was asked for
        if erased is asked_for_the_transaction and move == "another id":
            continue
        assert done.code == 1, done.out
        assert "by hand" in " ".join((done.out + " ".join(done.complaints)).split())
        assert world.rows() == (kept[0] + 1, kept[1])


def test_a_copy_of_the_export_knows_no_holds(restored: tuple[Small, str]) -> None:
    """The holds of the export that is configured count for the replay of a copy, too."""
    world, export = restored
    world.execute(RESTORED)
    copy = export.replace("ledger.jsonl", "copy.jsonl")
    Path(copy).write_bytes(Path(export).read_bytes())
    again = ("ledger", "replay", copy, "--yes", "--reason", "restored")
    world.run(*again, RETENTION_LEDGER_EXPORT=export)
    assert "ann" in world.run("hold", "list").out
    assert world.rows()[0] >= 1


@pytest.mark.parametrize("command", [("verify",), ("hold", "list")])
def test_lost_holds_are_told(restored: tuple[Small, str], command: tuple[str, ...]) -> None:
    """Not only by what would erase."""
    world, export = restored
    done = world.run(*command, RETENTION_LEDGER_EXPORT=export)
    assert done.code != 0
    assert "account ann" in " ".join((done.out + " ".join(done.complaints)).split())


@pytest.mark.parametrize("began", ["NULL", "now() - interval '600 days'"])
def test_what_may_have_begun_since_is_listed(world: Small, began: str) -> None:
    """It does not say when it began, or is none of the map's by its `where`."""
    world.datamap(
        DATAMAP.replace("  id: id\n  account", "  id: id\n  where: {status: [DONE]}\n  account")
    )
    asked(world)
    export = world.config.path.parent / "ledger.jsonl"
    assert world.run("ledger", "export", "--to", str(export)).code == 0
    world.execute(RESTORED)
    status = "DONE" if began == "NULL" else "PENDING"
    when = began if began == "NULL" else "now() + interval '1 second'"
    world.execute(
        "INSERT INTO transactions (id, account_id, tenant_id, created_at, status) "
        f"VALUES ('new', 'ann', 'acme', {when}, '{status}')"
    )
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('new', 'acme')")
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('ann', 'acme')")
    before = world.rows()
    for options in ((), ("--yes", "--reason", "restored")):
        assert world.run("ledger", "replay", str(export), *options).code == 1
    assert world.rows() == before
