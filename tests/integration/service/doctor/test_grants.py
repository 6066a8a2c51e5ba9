"""The printed grants: enough for every statement, and not one right more."""

import pytest
from psycopg.errors import InsufficientPrivilege

from retention_worker.service.doctor import grants_sql
from retention_worker.store import catalog
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.examine import explain
from retention_worker.store.mapsql import compile_map
from tests.grants import ROLE, SCHEMA
from tests.integration.service.doctor.patient import Patient

FORBIDDEN = [
    "UPDATE accounts SET last_activity_at = now()",
    "UPDATE accounts SET tenant_id = 'x'",
    "DELETE FROM accounts",
    "DELETE FROM transactions",
    "UPDATE transactions SET decision = NULL",
    "SELECT external_ref FROM accounts",
    "SELECT embedding FROM face_vectors",
    "SELECT value FROM extracted_data",
    "UPDATE images SET object_uri = ''",
    "INSERT INTO face_vectors DEFAULT VALUES",
    "TRUNCATE face_vectors",
    "SELECT 1 FROM verification_results",
    "DELETE FROM verification_results",
    "DELETE FROM authentications",
    "SELECT 1 FROM tenants",
    "CREATE TABLE kyc.mine ()",
]


def test_every_statement_of_the_map_may_run(patient: Patient) -> None:
    """The server plans each compiled statement for the role that the tests use."""
    assert _refused_statements(patient) == []


def test_a_missing_right_shows_in_the_plan(patient: Patient) -> None:
    """Planning a statement asks for its rights: the test above would see one that is missing."""
    with patient.database.connect() as conn:
        conn.execute(f"REVOKE DELETE ON face_vectors FROM {ROLE}".encode())
    assert {subject for subject, _ in _refused_statements(patient)} == {"credentials[face vectors]"}


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_what_the_role_may_not_do(patient: Patient, statement: str) -> None:
    """Least privilege: not to read content, not to change activity, not to touch what stays."""
    with patient.database.connect() as conn:
        conn.execute("CREATE SCHEMA kyc")
    with patient.database.connect_worker() as conn, pytest.raises(InsufficientPrivilege):
        conn.execute(statement.encode())


def test_a_map_that_blanks_and_reads_more(patient: Patient) -> None:
    """Blanked columns, links, activity elsewhere, another schema: granted as they are mapped."""
    with patient.database.connect() as conn:
        for statement in (
            'CREATE SCHEMA "Kyc"',
            'CREATE TABLE "Kyc"."Applicants" ("Id" int PRIMARY KEY, account_id uuid, "E-mail" text '
            "UNIQUE, context jsonb)",
            'CREATE TABLE "Kyc".papers (id int PRIMARY KEY, applicant int, file text, kind text)',
            "CREATE TABLE logins (id int PRIMARY KEY, account_id uuid, at timestamptz)",
            "ALTER TABLE accounts ADD phone text",
        ):
            conn.execute(statement.encode())
    patient.map["accounts"]["activity"] = [
        {"table": "public.logins", "key": "account_id", "at": "at"}
    ]
    patient.map["links"] = {
        "applicant": {"table": "Kyc.Applicants", "id": "Id", "of": "account", "key": "account_id"}
    }
    patient.add_entry(
        name="papers",
        table="Kyc.papers",
        of="applicant",
        key="applicant",
        where={"kind": ["A"]},
        objects={"column": "file"},
        erase={"set": {"file": ""}},
    )
    patient.add_entry(
        name="applicants",
        table="Kyc.Applicants",
        key="account_id",
        erase={"set": {"E-mail": "gone-{id}"}, "remove": {"context": [["name"]]}},
    )
    patient.add_entry(
        name="phones", table="public.accounts", key="id", erase={"set": {"phone": None}}
    )
    assert patient.refused() != []
    with patient.database.connect() as conn:
        script = _script(patient)
        conn.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}".encode())
        conn.execute(script.encode())
    assert patient.refused() == []
    assert _refused_statements(patient) == []
    # Blanking accounts gives the right that locking asks for: no other column is needed.
    assert 'GRANT UPDATE ("phone") ON "public"."accounts"' in script
    assert 'UPDATE ("id")' not in script


def test_only_row_security_asks_for_bypass(patient: Patient) -> None:
    """A right over the whole server is granted only where it is needed."""
    with patient.database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(patient.datamap))
    plain = grants_sql(patient.datamap, found, SCHEMA, ROLE)
    bypass = grants_sql(patient.datamap, found, SCHEMA, ROLE, bypass_row_security=True)
    assert "BYPASSRLS" not in plain
    assert f'ALTER ROLE "{ROLE}" BYPASSRLS;' in bypass


def _script(patient: Patient) -> str:
    with patient.database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(patient.datamap))
    return grants_sql(patient.datamap, found, SCHEMA, ROLE)


def _refused_statements(patient: Patient) -> list[tuple[str, str]]:
    with patient.database.connect_worker() as conn, writing(conn):
        compiled = compile_map(conn, patient.datamap, SCHEMA)
        return list(explain(Session(conn, SCHEMA), compiled))
