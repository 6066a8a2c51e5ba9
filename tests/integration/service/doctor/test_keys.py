"""Keys: types that compare, ids that mean one row."""

import pytest

from tests.integration.service.doctor.patient import Patient

IN_TENANT = "one id in two tenants"


@pytest.mark.parametrize(
    ("type_", "refused"),
    [
        ("text", True),
        ("bigint", True),
        ("json", True),
        ("uuid", False),
        ("uuid_domain", False),
    ],
)
def test_types_that_do_not_compare(patient: Patient, type_: str, refused: bool) -> None:
    """A key is refused where no operator compares it with the id that it refers to."""
    patient.run(
        "CREATE DOMAIN uuid_domain AS uuid",
        f"CREATE TABLE notes (id int PRIMARY KEY, account_id {type_})",
    )
    patient.add_entry(name="notes", table="public.notes")
    assert patient.refused() == ([("type", "credentials[notes]")] if refused else [])


@pytest.mark.parametrize(
    ("types", "checks"),
    [
        (("int4", "int8"), []),
        (("varchar(9)", "text"), []),
        (("numeric", "int8"), ["type"]),
        (("mood", "mood"), []),
        (("citext_like", "text"), []),
    ],
)
def test_types_that_compare_without_an_index(
    patient: Patient, types: tuple[str, str], checks: list[str]
) -> None:
    """Integers of two widths share an index; a number and an integer do not: a warning."""
    patient.run(
        "CREATE TYPE mood AS ENUM ('fine')",
        "CREATE DOMAIN citext_like AS varchar",
        f"CREATE TABLE owners (id {types[1]} PRIMARY KEY, account_id uuid)",
        "CREATE INDEX ON owners (account_id)",
        f"CREATE TABLE notes (id int PRIMARY KEY, owner {types[0]})",
        "CREATE INDEX ON notes (owner)",
    )
    patient.map["links"] = {
        "owner": {"table": "public.owners", "id": "id", "of": "account", "key": "account_id"}
    }
    patient.add_entry(name="notes", table="public.notes", of="owner", key="owner")
    assert [each.check for each in patient.examine() if each.check == "type"] == checks
    assert patient.refused() == []


def test_activity_types_compare_too(patient: Patient) -> None:
    """A table of activity is joined as credentials are."""
    patient.run("CREATE TABLE logins (account text, at timestamptz)")
    patient.map["accounts"]["activity"] = [{"table": "public.logins", "key": "account", "at": "at"}]
    assert patient.refused() == [("type", "accounts.activity[public.logins]")]


def test_an_account_id_that_nothing_makes_unique(patient: Patient) -> None:
    """Two rows with one id, one active: refused, though every table has its tenant."""
    patient.run("ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE")
    assert ("unique-id", "accounts.id") in patient.refused()


def test_an_account_id_unique_within_a_tenant(patient: Patient) -> None:
    """Then every table that is joined to accounts needs its own tenant column."""
    _unique_within_tenant(patient)
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("unique-key", "accounts")
    assert "transactions, credentials[authentication vectors]" in found.message
    patient.map["transactions"]["tenant"] = "tenant_id"
    patient.run("ALTER TABLE authentication_vectors ADD tenant_id text")
    patient.entry("authentication vectors")["tenant"] = "tenant_id"
    assert patient.refused() == []


def test_an_id_that_only_a_partial_index_makes_unique(patient: Patient) -> None:
    """A partial index, or one on an expression, proves nothing of the other rows."""
    patient.run(
        "ALTER TABLE transactions DROP CONSTRAINT transactions_pkey CASCADE",
        "CREATE UNIQUE INDEX ON transactions (id) WHERE status = 'DONE'",
        "CREATE UNIQUE INDEX ON transactions ((id::text))",
    )
    assert patient.refused() == [("unique-key", "transactions")]


def test_a_partitioned_table_whose_key_has_the_partition_column(patient: Patient) -> None:
    """(id, created_at) does not prove the id: without tenant on each table it is refused."""
    _partition_transactions(patient)
    found = patient.refusals()
    assert [(each.check, each.subject) for each in found] == [("unique-key", "transactions")]
    patient.map["transactions"]["tenant"] = "tenant_id"
    for name, table in (
        ("face vectors", "face_vectors"),
        ("face templates", "face_templates"),
        ("selfies and ID images", "images"),
        ("extracted fields", "extracted_data"),
    ):
        patient.run(f"ALTER TABLE {table} ADD tenant_id text")
        patient.entry(name)["tenant"] = "tenant_id"
    assert patient.refused() == []
    assert ("unique-key", "transactions") in patient.warned()


def test_a_single_tenant_has_no_other_to_touch(patient: Patient) -> None:
    """Without a tenant column an id that is proven by nothing is a warning."""
    _partition_transactions(patient)
    del patient.map["accounts"]["tenant"]
    assert patient.refused() == []
    assert ("unique-key", "transactions") in patient.warned()


def test_a_composite_key_that_holds_the_partition_column(patient: Patient) -> None:
    """Where the map's key covers the unique index it is proven, whatever is partitioned."""
    _partition_transactions(patient)
    patient.map["transactions"]["id"] = ["id", "created_at"]
    patient.map["credentials"] = [patient.entry("face vectors")]
    patient.run("ALTER TABLE face_vectors ADD transaction_created_at timestamptz")
    patient.entry("face vectors")["key"] = ["transaction_id", "transaction_created_at"]
    assert patient.refused() == []


def test_a_parent_key_of_one_tenant(patient: Patient) -> None:
    """A key that refers to something unique within a tenant only needs tenant beside it."""
    patient.run("CREATE TABLE notes (id int PRIMARY KEY, tenant_id text, person text)")
    patient.add_entry(name="notes", table="public.notes", key="person", parent_key="external_ref")
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("unique-key", "accounts")
    assert "external_ref" in found.message
    patient.entry("notes")["tenant"] = "tenant_id"
    assert patient.refused() == []


def _unique_within_tenant(patient: Patient) -> None:
    patient.run(
        "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE",
        "ALTER TABLE accounts ADD PRIMARY KEY (tenant_id, id)",
    )


def _partition_transactions(patient: Patient) -> None:
    patient.run(
        "CREATE TABLE parted (LIKE transactions, PRIMARY KEY (id, created_at)) "
        "PARTITION BY RANGE (created_at)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT",
    )
    patient.map["transactions"]["table"] = "public.parted"
