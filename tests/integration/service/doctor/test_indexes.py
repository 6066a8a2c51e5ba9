"""Missing indexes: each is told once, and the SQL that is printed mends it."""

import pytest

from tests.integration.service.doctor.patient import Patient

LOGINS = "CREATE TABLE logins (id int PRIMARY KEY, account_id uuid, at timestamptz)"


def _heals(patient: Patient, table: str, columns: str) -> None:
    """One warning of a missing index, which the SQL in it mends."""
    (found,) = patient.examine()
    assert (found.severity, found.check, found.subject) == ("warn", "index", table)
    assert f"({columns})" in found.message
    patient.run(*(found.sql or "").splitlines())
    assert patient.examine() == ()


@pytest.mark.parametrize(
    ("index", "table", "columns"),
    [
        (
            "accounts_by_last_activity",
            "public.accounts",
            "tenant_id, last_activity_at, id",
        ),
        ("transactions_by_account", "public.transactions", "account_id"),
        ("face_vectors_by_transaction", "public.face_vectors", "transaction_id"),
        ("authentication_vectors_by_account", "public.authentication_vectors", "account_id"),
        ("images_by_object_uri", "public.images", "object_uri"),
    ],
)
def test_a_missing_index(patient: Patient, index: str, table: str, columns: str) -> None:
    """The index that a lane walks, those of joins, and the one that the objects' check uses."""
    patient.run(f"DROP INDEX {index}")
    _heals(patient, table, columns)


@pytest.mark.parametrize(
    ("definition", "serves"),
    [
        ("(transaction_id, model)", True),
        ("USING hash (transaction_id)", True),
        ("(transaction_id) WHERE transaction_id IS NOT NULL", True),
        ("(model, transaction_id)", False),
        ("(transaction_id) WHERE model = 'a'", False),
        ("((transaction_id::text))", False),
        ("USING brin (transaction_id)", False),
    ],
)
def test_which_indexes_serve_a_join(patient: Patient, definition: str, serves: bool) -> None:
    """An index serves that finds every row of a key without reading others."""
    patient.run(
        "DROP INDEX face_vectors_by_transaction", f"CREATE INDEX ON face_vectors {definition}"
    )
    assert patient.warned() == ([] if serves else [("index", "public.face_vectors")])


@pytest.mark.parametrize("tenant", [True, False])
def test_an_index_that_begins_with_the_tenant(patient: Patient, tenant: bool) -> None:
    """It serves where the map names the table's tenant, so that statements carry it."""
    patient.run(
        "DROP INDEX transactions_by_account",
        "CREATE INDEX ON transactions (tenant_id, account_id)",
    )
    if tenant:
        patient.map["transactions"]["tenant"] = "tenant_id"
    patient.guard()
    assert patient.warned() == ([] if tenant else [("index", "public.transactions")])


def test_a_partial_index_of_an_entry_with_where(patient: Patient) -> None:
    """An index on the kinds of an entry may be all that the entry needs."""
    patient.run(
        "DROP INDEX images_by_transaction",
        "CREATE INDEX ON images (transaction_id) WHERE kind <> 'AUDIT'",
    )
    assert patient.examine() == ()


def test_activity_as_the_latest_of_several_columns(patient: Patient) -> None:
    """The index has the expression in the order in which the map names the columns."""
    patient.run('ALTER TABLE accounts ADD "Seen" timestamptz')
    patient.map["accounts"]["last_activity"] = ["last_activity_at", "Seen"]
    _heals(patient, "public.accounts", 'tenant_id, GREATEST(last_activity_at, "Seen"), id')


def test_activity_without_a_tenant(patient: Patient) -> None:
    """In a database of one tenant the index begins with the activity."""
    del patient.map["accounts"]["tenant"]
    patient.guard()
    _heals(patient, "public.accounts", "last_activity_at, id")


def test_activity_elsewhere(patient: Patient) -> None:
    """Rows that count as activity are found by key and time."""
    patient.run(LOGINS, "CREATE INDEX ON logins (account_id)")
    patient.map["accounts"]["activity"] = [
        {"table": "public.logins", "key": "account_id", "at": "at"}
    ]
    _heals(patient, "public.logins", "account_id, at")


def test_a_foreign_key_onto_erased_rows(patient: Patient) -> None:
    """The server looks for referring rows of each row that goes."""
    patient.run(
        "CREATE TABLE notes (id int PRIMARY KEY, account_id uuid, "
        "image uuid REFERENCES images ON DELETE SET NULL)",
        "CREATE INDEX ON notes (account_id)",
    )
    patient.add_entry(name="notes", table="public.notes")
    _heals(patient, "public.notes", "image")


def test_a_partitioned_table(patient: Patient) -> None:
    """It takes no CONCURRENTLY: its partitions are built one by one and attached."""
    patient.run(
        "CREATE TABLE parted (LIKE extracted_data) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE parted_rest PARTITION OF parted DEFAULT",
        "CREATE INDEX ON parted_low (transaction_id)",
    )
    patient.entry("extracted fields")["table"] = "public.parted"
    patient.retain("public.extracted_data")
    _heals(patient, "public.parted", "transaction_id")


def test_partitions_on_several_levels(patient: Patient) -> None:
    """Then the SQL says that it stops writes."""
    patient.run(
        "CREATE TABLE parted (LIKE extracted_data) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT PARTITION BY RANGE (created_at)",
        "CREATE TABLE parted_all_all PARTITION OF parted_all DEFAULT",
    )
    patient.entry("extracted fields")["table"] = "public.parted"
    patient.retain("public.extracted_data")
    _heals(patient, "public.parted", "transaction_id")


def test_each_partition_has_its_own_index(patient: Patient) -> None:
    """An index on every partition serves, though the parent has none."""
    patient.run(
        "CREATE TABLE parted (LIKE extracted_data) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT",
        "CREATE INDEX ON parted_all (transaction_id)",
    )
    patient.entry("extracted fields")["table"] = "public.parted"
    patient.retain("public.extracted_data")
    assert patient.examine() == ()


def test_an_index_that_was_interrupted(patient: Patient) -> None:
    """What a failed build left behind is dropped first, or IF NOT EXISTS would pass it over."""
    patient.run("DROP INDEX face_vectors_by_transaction")
    (found,) = patient.examine()
    assert found.sql is not None
    patient.run(
        found.sql,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
        "(SELECT oid FROM pg_class WHERE relname LIKE 'face_vectors_retention_%')",
    )
    (again,) = patient.examine()
    assert (again.sql or "").startswith("DROP INDEX CONCURRENTLY")
    patient.run(*(again.sql or "").splitlines())
    assert patient.examine() == ()


def test_names_of_any_length(patient: Patient) -> None:
    """A generated name stays within 63 bytes, in whatever script the table is named."""
    name = "ü" * 31
    patient.run(f'CREATE TABLE "{name}" (id int PRIMARY KEY, account_id uuid)')
    patient.add_entry(name="long", table=f"public.{name}")
    _heals(patient, f"public.{name}", "account_id")
