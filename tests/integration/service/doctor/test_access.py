"""Privileges that the role lacks, and row-level security that would hide rows from it."""

import pytest

from tests.grants import ROLE
from tests.integration.service.doctor.patient import Patient

REVOKED = [
    ("SELECT (last_activity_at) ON accounts", "public.accounts"),
    ("SELECT (decision) ON transactions", "public.transactions"),
    ("SELECT (transaction_id) ON face_vectors", "public.face_vectors"),
    ("SELECT (kind) ON images", "public.images"),
    ("DELETE ON face_vectors", "public.face_vectors"),
    ("UPDATE (id) ON accounts", "public.accounts"),
]


@pytest.mark.parametrize(("privilege", "table"), REVOKED)
def test_a_missing_privilege(patient: Patient, privilege: str, table: str) -> None:
    """Each privilege that a statement needs is missed before it runs, and its grant mends it."""
    with patient.database.connect() as conn:
        conn.execute(f"REVOKE {privilege} FROM {ROLE}".encode())
        (found,) = patient.refusals()
        assert (found.check, found.subject) == ("privilege", table)
        assert found.sql is not None
        conn.execute(found.sql.encode())
    assert patient.refused() == []


def test_a_missing_privilege_to_blank(patient: Patient) -> None:
    """Blanking needs UPDATE on just the columns that are blanked."""
    patient.entry("extracted fields")["erase"] = {"set": {"value": "", "field": ""}}
    found = patient.refusals()
    assert [each.subject for each in found] == ["public.extracted_data"] * 2
    with patient.database.connect() as conn:
        for each in found:
            conn.execute((each.sql or "").encode())
    assert patient.refused() == []


def test_a_schema_that_may_not_be_used(patient: Patient) -> None:
    """Rights on a table are worth nothing without USAGE on its schema."""
    patient.run(
        "CREATE SCHEMA kyc",
        "ALTER TABLE face_vectors SET SCHEMA kyc",
    )
    patient.entry("face vectors")["table"] = "kyc.face_vectors"
    (found,) = patient.refusals()
    assert (found.check, found.sql) == ("privilege", f'GRANT USAGE ON SCHEMA "kyc" TO "{ROLE}";')


@pytest.mark.parametrize("table", ["accounts", "transactions", "images"])
@pytest.mark.parametrize("policy", [True, False])
def test_row_security(patient: Patient, table: str, policy: bool) -> None:
    """A policy hides rows that are due, on a table that is read as on one that is erased."""
    patient.run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    if policy:
        patient.run(f"CREATE POLICY everything ON {table} USING (true)")
    assert patient.refused() == [("row-security", f"public.{table}")]


def test_row_security_of_the_owner(patient: Patient) -> None:
    """Policies do not apply to a table's owner, unless they are forced."""
    patient.run(
        "ALTER TABLE images ENABLE ROW LEVEL SECURITY", f"ALTER TABLE images OWNER TO {ROLE}"
    )
    assert patient.refused() == []
    patient.run("ALTER TABLE images FORCE ROW LEVEL SECURITY")
    assert patient.refused() == [("row-security", "public.images")]
