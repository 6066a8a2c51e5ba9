"""A replay does not say that nothing is left of what no erasing statement reaches."""

from collections.abc import Callable

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
