"""For every command that can say that all is well: the states in which it must not."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.acceptance.fine.small import WITH_TENANTS, Small

SWEEP = ("sweep",)
PLAN = ("plan",)
DOCTOR = ("doctor",)
VERIFY = ("verify",)


def explain(name: str) -> tuple[str, ...]:
    """The command that explains an account."""
    return ("explain", name, "--tenant", "acme")


def erase(name: str, kind: str = "account") -> tuple[str, ...]:
    """The command that erases one subject now."""
    return ("erase", kind, name, "--tenant", "acme", "--yes", "--reason", "test")


@dataclass(frozen=True, kw_only=True)
class State:
    """Something is wrong: how it came about, and what each command must say of it.

    `told`: commands, in their order, each with words that must be in what it says.
    """

    plant: Callable[[Small], None]
    told: dict[tuple[str, ...], str]


def another_tenant(filed: str | None) -> Callable[[Small], None]:
    """A transaction says another tenant than its account, or none."""

    def plant(world: Small) -> None:
        world.datamap(WITH_TENANTS)
        world.person("ann", filed=filed)
        world.person("ben")

    return plant


def a_face_of_another_tenant(world: Small) -> None:
    """A credential's own tenant column differs, in the second batch of the lane."""
    world.datamap(
        WITH_TENANTS.replace("table: public.face\n", "table: public.face\n    tenant: tenant_id\n")
    )
    for number in range(30):
        world.person(f"p{number:02}", idle=600 - number)
    world.person("ann", idle=400)
    world.execute("UPDATE face SET tenant_id = 'oldco' WHERE transaction_id = 'ann'")


UNREACHABLE = {
    DOCTOR: "another tenant",
    PLAN: "cannot be reached",
    SWEEP: "cannot be reached",
    explain("ann"): "filed under another tenant",
    erase("ann"): "cannot be reached",
    VERIFY: "another tenant",
}
STATES = {
    "a transaction of another tenant": State(plant=another_tenant("oldco"), told=UNREACHABLE),
    "a transaction of no tenant": State(plant=another_tenant(None), told=UNREACHABLE),
    "a credential of another tenant": State(plant=a_face_of_another_tenant, told=UNREACHABLE),
}


@pytest.mark.parametrize("name", list(STATES))
def test_it_does_not_say_fine(world: Small, name: str) -> None:
    """Each command ends with another code than 0, and says what is wrong."""
    state = STATES[name]
    state.plant(world)
    for command, words in state.told.items():
        done = world.run(*command)
        assert done.code != 0, (command, done.out)
        said = " ".join((done.out + " ".join(done.complaints)).split())
        assert words in said, (command, said)
        assert world.run(*command, "--json").code != 0 or command[0] == "erase"


def test_it_says_fine_where_all_is_well(world: Small) -> None:
    """The same commands on the same product, without anything that is wrong."""
    for name, idle in (("ann", 500), ("ben", 5)):
        world.person(name, idle=idle)
    for command in (DOCTOR, PLAN, SWEEP, explain("ann"), erase("ben"), VERIFY):
        assert world.run(*command).code == 0, command
    assert world.rows() == (0, 0)


def test_what_is_put_right_goes(world: Small) -> None:
    """Once the tenants agree, the request that was noted is finished by the next sweep."""
    another_tenant("oldco")(world)
    assert world.run(*erase("ann")).code == 1
    assert world.rows() == (2, 2)
    world.execute("UPDATE transactions SET tenant_id = 'acme'")
    assert world.run("sweep").code == 0
    assert world.rows() == (0, 0)
    assert world.run("verify").code == 0
    receipt = world.run("ledger", "receipt", "ann", "--tenant", "acme")
    assert receipt.code == 0


def test_a_neighbours_rows_are_nobody_elses_business(world: Small) -> None:
    """Where ids repeat across tenants, rows of the other tenant's account are not mistaken."""
    world.datamap(WITH_TENANTS)
    world.execute(
        "ALTER TABLE transactions DROP CONSTRAINT transactions_account_id_fkey; "
        "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey; "
        "ALTER TABLE accounts ADD PRIMARY KEY (tenant_id, id)"
    )
    world.person("ann")
    world.execute("INSERT INTO accounts VALUES ('ann', 'birch', now())")
    world.execute("INSERT INTO transactions VALUES ('other', 'ann', 'birch', now())")
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('other', 'birch')")
    assert world.run("sweep").code == 0
    assert world.rows() == (1, 0)
    assert "another tenant than" not in world.run("verify").out
    # A transaction that says a tenant in which nobody has the id is nobody else's.
    world.execute("INSERT INTO transactions VALUES ('lost', 'ann', 'cedar', now())")
    world.execute("INSERT INTO face (transaction_id, tenant_id) VALUES ('lost', 'acme')")
    assert world.run(*erase("ann")).code == 1
