"""For every command that can say that all is well: the states in which it must not."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.request import urlopen

import pytest

from tests.acceptance.fine.small import DATAMAP, NAMES, WITH_OBJECTS, WITH_TENANTS, Small

Told = dict[tuple[str, ...], str]
SWEEP = ("sweep",)
PLAN = ("plan",)
DOCTOR = ("doctor",)
VERIFY = ("verify",)
FORECAST = ("forecast",)
OBJECTS = ("objects", "list")
OF_NOBODY = ("--tenant", "nobody")


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
    told: Mapping[tuple[str, ...], str]


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


def a_policy_for_nobody(world: Small) -> None:
    """A file whose tenant the database spells otherwise."""
    world.person("nora", tenant="cus_northwind")
    world.person("otto", idle=5)
    world.config.write_policy("northwind", all_credentials="360 days")


def a_tenant_that_the_column_refuses(world: Small) -> None:
    """An enum column, and a file that names no label of it; the others go on."""
    world.execute(
        "CREATE TYPE plan AS ENUM ('acme', 'birch'); "
        "DROP INDEX accounts_tenant_id_last_activity_at_id_idx; "
        "ALTER TABLE accounts ALTER tenant_id TYPE plan USING tenant_id::plan; "
        "CREATE INDEX ON accounts (tenant_id, last_activity_at, id)"
    )
    world.person("ann")
    world.config.write_policy("unknown-co9", all_credentials="360 days")


def activity_in_the_future(world: Small) -> None:
    """One account says that it was last active in the year 2999."""
    for name in ("ben", "cid", "dot"):
        world.person(name, idle=5)
    world.person("ann")
    world.execute("UPDATE accounts SET last_activity_at = '2999-01-01' WHERE id = 'ann'")


def activity_for_ever(world: Small) -> None:
    """One account's activity is infinite."""
    activity_in_the_future(world)
    world.execute("UPDATE accounts SET last_activity_at = 'infinity' WHERE id = 'ann'")


def a_unit_that_is_wrong(world: Small) -> None:
    """Milliseconds that the map reads as seconds: nothing is ever due."""
    world.datamap(
        DATAMAP.replace("last_activity: last_activity_at", "last_activity: {column: seen, unit: s}")
    )
    world.execute("ALTER TABLE accounts ADD seen bigint")
    world.execute("GRANT SELECT (seen) ON accounts TO retention_worker")
    world.person("ann")
    world.execute("UPDATE accounts SET seen = extract(epoch FROM last_activity_at) * 1000")


def a_blank_that_the_database_refuses(world: Small) -> None:
    """A check that the application added after the map was looked at."""
    world.datamap(DATAMAP + NAMES)
    for number in range(6):
        world.person(f"p{number}")
    world.execute(
        "UPDATE transactions SET name = 'Bob'; "
        "ALTER TABLE transactions ADD CHECK (length(name) > 2)"
    )


def no_policy(world: Small) -> None:
    """The folder is empty: a mount that failed, or nothing was written yet."""
    world.person("ann")
    for file in world.config.tenants.glob("*.yaml"):
        file.unlink()


def a_policy_that_is_gone(world: Small) -> None:
    """It was applied once, and its file is not there any more; another tenant's is."""
    world.person("ann", idle=5)
    assert world.run("sweep").code == 0
    (world.config.tenants / "acme.yaml").unlink()
    world.config.write_policy("birch", all_credentials="360 days")
    world.person("ben", tenant="birch", idle=5)


def accounts_of(tenant: str | None) -> Callable[[Small], None]:
    """Accounts whose tenant no policy names, though it is nearly one, or none at all."""

    def plant(world: Small) -> None:
        world.person("ben", idle=5)
        world.person("ann")
        world.execute("UPDATE accounts SET tenant_id = %s WHERE id = 'ann'", tenant)

    return plant


def two_files_for_one_tenant(world: Small) -> None:
    """To a number 1 and 01 are one."""
    world.execute(
        "DROP INDEX accounts_tenant_id_last_activity_at_id_idx; "
        "ALTER TABLE accounts ALTER tenant_id TYPE int USING 1; "
        "CREATE INDEX ON accounts (tenant_id, last_activity_at, id)"
    )
    for file in world.config.tenants.glob("*.yaml"):
        file.unlink()
    world.person("ann", tenant="1")
    for name in ("1", "01"):
        (world.config.tenants / f"{name}.yaml").write_text(
            f"tenant: '{name}'\nretention:\n  all_credentials: 360 days\n"
        )


def a_credential_from_the_future(world: Small) -> None:
    """A face says that it was made in the year 2999, and keeps its account until then."""
    world.datamap(
        DATAMAP.replace("table: public.face\n", "table: public.face\n    created_at: created_at\n")
    )
    world.person("ann")
    world.execute("UPDATE face SET created_at = '2999-01-01'")


def a_hold_on_a_table_that_the_map_calls_otherwise(world: Small) -> None:
    """The table was renamed, and the data map with it: where a held row is nobody knows."""
    world.person("ann")
    world.person("ben", idle=5)
    assert world.run(*hold("ann")).code == 0
    world.execute("ALTER TABLE face RENAME TO faces")
    world.datamap(DATAMAP.replace("table: public.face\n", "table: public.faces\n"))


def a_hold_that_lost_its_account(world: Small) -> None:
    """The account is another tenant's by now, which has a policy, too."""
    world.config.write_policy("birch", all_credentials="360 days")
    world.person("ben", tenant="birch", idle=5)
    world.person("cid", idle=5)
    world.person("ann")
    assert world.run(*hold("ann")).code == 0
    world.execute("UPDATE accounts SET tenant_id = 'birch' WHERE id = 'ann'")


def hold(name: str) -> tuple[str, ...]:
    """The command that places a hold."""
    return ("hold", "place", name, "--tenant", "acme", "--reason", "court")


def everywhere(words: str, verify: str) -> Told:
    """Said by doctor, plan, forecast and sweep, and by verify in its own words."""
    return {DOCTOR: words, PLAN: words, FORECAST: words, SWEEP: words, VERIFY: verify}


def an_object(state: str, *, days: int = 0) -> Callable[[Small], None]:
    """The row is gone, and its object is in that state for so many days."""

    def plant(world: Small) -> None:
        world.datamap(WITH_OBJECTS)
        world.execute("GRANT SELECT (object_uri) ON images TO retention_worker")
        world.person("ann")
        world.execute("UPDATE images SET object_uri = 's3://nowhere/x'")
        assert world.run("sweep").code == 0
        world.execute(
            "UPDATE retention.object_deletion SET state = %s, "
            "queued_at = queued_at - %s * interval '1 day'",
            state,
            days,
        )

    return plant


def stores_that_nobody_can_ask(world: Small) -> None:
    """A kind of URI that no store is for, and a folder that no setting names."""
    world.datamap(WITH_OBJECTS)
    world.execute("GRANT SELECT (object_uri) ON images TO retention_worker")
    for name, uri in (("ann", "ftp://old/x"), ("bob", "file:///nowhere/x")):
        world.person(name)
        world.execute("UPDATE images SET object_uri = %s WHERE transaction_id = %s", uri, name)
    world.program.environment["RETENTION_OBJECT_DRAIN"] = "true"


def a_request_that_is_late(world: Small) -> None:
    """It was to be finished a week ago."""
    another_tenant("oldco")(world)
    assert world.run(*erase("ann")).code == 1
    world.execute("UPDATE accounts SET last_activity_at = now()")
    world.execute("UPDATE retention.request SET due_by = now() - interval '7 days'")


def a_tenant_that_nobody_knows(world: Small) -> None:
    """All is well with the others."""
    world.person("ann")
    assert world.run("sweep").code == 0


FUTURE: Told = {
    DOCTOR: "last activity",
    PLAN: "in the future",
    FORECAST: "in the future",
    SWEEP: "in the future",
    VERIFY: "future",
}
UNREACHABLE: Told = {
    DOCTOR: "another tenant",
    PLAN: "cannot be reached",
    SWEEP: "cannot be reached",
    explain("ann"): "filed under another tenant",
    erase("ann"): "cannot be reached",
    VERIFY: "another tenant",
}
STUCK: Told = {
    OBJECTS: "1 object not deleted",
    (*OBJECTS, "--tenant", "acme"): "1 object not deleted",
    (*OBJECTS, "--state", "kept"): "1 object not deleted",
    explain("ann"): "0 of 1 object gone",
    VERIFY: "not deleted: the",
}
STATES = {
    "a transaction of another tenant": State(plant=another_tenant("oldco"), told=UNREACHABLE),
    "a transaction of no tenant": State(plant=another_tenant(None), told=UNREACHABLE),
    "a credential of another tenant": State(plant=a_face_of_another_tenant, told=UNREACHABLE),
    "a policy for nobody": State(
        plant=a_policy_for_nobody,
        told={
            DOCTOR: "is it tenant_id: cus_northwind",
            PLAN: "is it tenant_id: cus_northwind",
            SWEEP: "northwind.yaml: no account has the tenant 'northwind'",
            VERIFY: "the policy matches no account",
        },
    ),
    "a tenant that the column refuses": State(
        plant=a_tenant_that_the_column_refuses,
        told={
            DOCTOR: "unknown-co9.yaml",
            PLAN: "unknown-co9.yaml:1:1: tenant_id: is no value",
            SWEEP: "unknown-co9.yaml:1:1: tenant_id: is no value",
            VERIFY: "the policy matches no account",
        },
    ),
    "activity in the future": State(plant=activity_in_the_future, told=FUTURE),
    "activity for ever": State(plant=activity_for_ever, told=FUTURE),
    "a unit that is wrong": State(
        plant=a_unit_that_is_wrong, told=FUTURE | {DOCTOR: "write the column's unit"}
    ),
    "no policy at all": State(
        plant=no_policy,
        told=everywhere("there is no policy file", "no policy")
        | {("policy", "check"): "there is no policy file"},
    ),
    "a policy that is gone": State(
        plant=a_policy_that_is_gone,
        told=everywhere("tenants/acme.yaml is gone", "acme.yaml is gone"),
    ),
    "accounts of no tenant": State(
        plant=accounts_of(None), told=everywhere("accounts have no tenant", "no tenant")
    ),
    "accounts of a blank tenant": State(
        plant=accounts_of(""), told=everywhere("accounts have no tenant", "no tenant")
    ),
    "accounts of nearly a tenant": State(
        plant=accounts_of("acme "),
        told=everywhere("accounts have the tenant 'acme '", "'acme ' is nearly"),
    ),
    "accounts of a tenant in capitals": State(
        plant=accounts_of("ACME"),
        told=everywhere("accounts have the tenant 'ACME'", "'ACME' is nearly"),
    ),
    "two files for one tenant": State(
        plant=two_files_for_one_tenant,
        told={
            DOCTOR: "one and the same tenant",
            PLAN: "same tenant",
            FORECAST: "same tenant",
            SWEEP: "same tenant",
        },
    ),
    "a credential from the future": State(
        plant=a_credential_from_the_future,
        told={
            DOCTOR: "in the future",
            PLAN: "from the future",
            SWEEP: "from the future",
            VERIFY: "in the future",
        },
    ),
    "a hold on a table of another name": State(
        plant=a_hold_on_a_table_that_the_map_calls_otherwise,
        told={
            DOCTOR: "does not have any more",
            PLAN: "does not have any more",
            SWEEP: "does not have any more",
            ("hold", "list"): "has no more",
            VERIFY: "lost their account",
        },
    ),
    "a hold that lost its account": State(
        plant=a_hold_that_lost_its_account,
        told={
            DOCTOR: "lost its account",
            PLAN: "lost its account",
            SWEEP: "lost its account",
            VERIFY: "lost their account",
            ("hold", "list"): "ann",
            ("hold", "list", "--tenant", "birch"): "ann",
            ("hold", "list", "--tenant", "acme"): "ann",
            ("verify", "--tenant", "birch"): "lost their account",
        },
    ),
    "an object that failed": State(plant=an_object("failed"), told=STUCK),
    "an object that its store denies": State(plant=an_object("denied"), told=STUCK),
    "an object that is queued for too long": State(
        plant=an_object("queued", days=3),
        told={OBJECTS: "1 object queued for too long", VERIFY: "queued, not deleted"},
    ),
    "stores that nobody can ask": State(
        plant=stores_that_nobody_can_ask,
        told={
            SWEEP: "could not be asked: RETENTION_OBJECT_FILES_ROOT is not set",
            OBJECTS: "no store for such a URI",
            explain("ann"): "1 failed",
            VERIFY: "not deleted: they failed",
        },
    ),
    "a request that is late": State(
        plant=a_request_that_is_late,
        told={explain("ann"): "is not finished", VERIFY: "open past the day"},
    ),
    "a tenant that nobody knows": State(
        plant=a_tenant_that_nobody_knows,
        told={
            (*PLAN, *OF_NOBODY): "has no policy file",
            (*FORECAST, *OF_NOBODY): "has no policy file",
            (*SWEEP, *OF_NOBODY): "has no policy file",
            (*VERIFY, *OF_NOBODY): "has no policy file",
            (*OBJECTS, *OF_NOBODY): "there is no tenant",
            ("objects", "retry", "--all", *OF_NOBODY): "there is no tenant",
            ("hold", "list", *OF_NOBODY): "there is no tenant",
            ("ledger", "verify", *OF_NOBODY): "nothing is known of a tenant",
        },
    ),
    "a blank that the database refuses": State(
        plant=a_blank_that_the_database_refuses,
        told={
            DOCTOR: "CHECK transactions_name_check refuses it",
            ("doctor", "--try"): "23514",
            SWEEP: "23514",
            PLAN: "23514",
            erase("p0"): "23514",
            VERIFY: "overdue",
        },
    ),
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


def test_one_tenant_that_is_refused_stops_nobody_else(world: Small) -> None:
    """What is due of the others goes in the same sweep."""
    a_tenant_that_the_column_refuses(world)
    assert world.run("sweep").code == 1
    assert world.rows() == (0, 0)


def test_it_says_fine_where_all_is_well(world: Small) -> None:
    """The same commands on the same product, without anything that is wrong."""
    for name, idle in (("ann", 500), ("ben", 5)):
        world.person(name, idle=idle)
    for command in (DOCTOR, FORECAST, PLAN, SWEEP, explain("ann"), erase("ben"), VERIFY):
        assert world.run(*command).code == 0, command
    assert world.rows() == (0, 0)
    for command in (OBJECTS, ("ledger", "verify"), ("policy", "check"), ("hold", "list")):
        assert world.run(*command).code == 0, command


def test_an_object_that_a_live_row_names_is_not_called_gone(world: Small) -> None:
    """It stays, as it should: nobody has to do anything, and it is said."""
    an_object("kept")(world)
    assert world.run("verify").code == 0
    done = world.run(*OBJECTS)
    assert (done.code, "1 object not deleted (1 kept)" in done.out) == (0, True)
    assert "0 of 1 object gone, 1 kept" in " ".join(world.run(*explain("ann")).out.split())


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


def test_run_counts_what_is_not_as_it_seems(world: Small) -> None:
    """Each code is a metric from the start, at 0 where there is nothing of it."""
    a_hold_that_lost_its_account(world)
    a_policy_for_nobody(world)
    wanted = {
        'retention_warnings{code="policy_matches_no_account"} 1.0',
        'retention_warnings{code="no_policy"} 0.0',
        "retention_holds_astray 1.0",
    }
    with world.program.start("run") as running:
        [started] = running.await_events("worker_started")
        end = time.monotonic() + 30
        shown: set[str] = set()
        while not wanted <= shown and time.monotonic() < end:
            with urlopen(f"http://127.0.0.1:{started['health_port']}/metrics") as answer:
                shown = set(answer.read().decode().splitlines())
            time.sleep(0.1)
        assert running.end().code == 0
    assert wanted <= shown
