"""Forgotten data: undeclared copies, columns that look biometric."""

import pytest

from retention_worker.service.checks.looks_biometric import looks_biometric
from tests.integration.service.doctor.patient import Patient

NOTES = [("undeclared-copy", "public.notes")]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ("person uuid REFERENCES accounts", True),
        ("verification uuid REFERENCES transactions", True),
        ("account_id uuid", True),
        ("transaction_id text", True),
        ('"transactionId" text', True),
        ("tenant_id text REFERENCES tenants", False),
        ("id int, kind text", False),
    ],
)
def test_an_undeclared_copy(patient: Patient, columns: str, found: bool) -> None:
    """A table that refers to people, by key or by name, has to stand somewhere in the map."""
    patient.run(f"CREATE TABLE notes ({columns})")
    assert patient.warned() == (NOTES if found else [])
    patient.retain("public.notes")
    assert patient.warned() == []


@pytest.mark.parametrize("kind", ["PARTITIONED", "MATERIALIZED"])
def test_copies_of_other_kinds(patient: Patient, kind: str) -> None:
    """A materialized view is a copy too; of a partitioned table only the whole is told."""
    patient.run(
        *(
            [
                "CREATE TABLE notes (account_id uuid) PARTITION BY HASH (account_id)",
                "CREATE TABLE notes_0 PARTITION OF notes FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            ]
            if kind == "PARTITIONED"
            else ["CREATE MATERIALIZED VIEW notes AS SELECT account_id FROM transactions"]
        )
    )
    assert patient.warned() == NOTES


def test_a_view_is_no_copy(patient: Patient) -> None:
    """A plain view holds nothing."""
    patient.run("CREATE VIEW notes AS SELECT account_id FROM transactions")
    assert patient.examine() == ()


def test_other_schemas_are_looked_through(patient: Patient) -> None:
    """A copy in another schema is a copy; what the worker itself keeps is none."""
    patient.run("CREATE SCHEMA archive", "CREATE TABLE archive.notes (account_id uuid)")
    assert patient.warned() == [("undeclared-copy", "archive.notes")]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("embedding bytea", True),
        ("features vector", True),
        ("face_image text", False),
        ("voice_sample bytea", True),
        ('"faceTemplate" text', True),
        ("face_score text", False),
        ("surface text", False),
        ("invoice bytea", False),
        ("embedding_count int", False),
        ("words tsvector", False),
    ],
)
def test_a_column_that_looks_biometric(patient: Patient, column: str, found: bool) -> None:
    """Wherever it stands that no biometric entry erases it: a table of nobody, or of accounts."""
    found = found or column.startswith("face_image")
    patient.run(
        "CREATE DOMAIN vector AS float4[]",
        f"CREATE TABLE devices (id int, {column})",
        f"ALTER TABLE accounts ADD {column}",
    )
    tables = ["public.devices", "public.accounts"] if found else []
    assert patient.warned() == [("looks-biometric", table) for table in tables]
    patient.retain("public.devices", "public.accounts")
    assert patient.examine() == ()


def test_a_biometric_column_that_is_blanked(patient: Patient) -> None:
    """An entry that blanks it claims it."""
    patient.run("ALTER TABLE accounts ADD voiceprint bytea")
    patient.add_entry(
        **{
            "name": "voices",
            "table": "public.accounts",
            "class": "biometric",
            "key": "id",
            "erase": {"set": {"voiceprint": None}},
        }
    )
    assert patient.examine() == ()


SUBJECT = "credentials[extracted fields]"


@pytest.mark.parametrize(("class_", "found"), [("other", True), ("biometric", False)])
def test_a_vector_in_a_table_of_class_other(patient: Patient, class_: str, found: bool) -> None:
    """Rows of class other stay when biometrics go, and the vector with them."""
    patient.run(
        "CREATE DOMAIN vector AS float4[]", "ALTER TABLE extracted_data ADD features vector"
    )
    patient.entry("extracted fields")["class"] = class_
    # Where it is biometric, nothing keeps it from being created again once it was erased.
    looks, unguarded = ("looks-biometric", "public.extracted_data"), ("recreation", SUBJECT)
    assert patient.warned() == [looks if found else unguarded]


@pytest.mark.parametrize(
    ("table", "column", "type_", "looks"),
    [
        ("face_vectors", "data", "bytea", True),
        ("face_vectors", "model", "text", False),
        ("FaceVectors", "values", "_float4", True),
        ("interfaces", "data", "bytea", False),
        ("mail_templates", "body", "text", False),
        ("people", "irisTemplate", "text", True),
        ("people", "template_id", "text", False),
        ("people", "fingerprints", "jsonb", True),
        ("people", "biometric_consent_at", "timestamptz", False),
        ("people", "photo", "bytea", False),
    ],
)
def test_words(table: str, column: str, type_: str, looks: bool) -> None:
    """Words count and not letters; a number or a time holds no template."""
    assert looks_biometric(table, column, type_) is looks
