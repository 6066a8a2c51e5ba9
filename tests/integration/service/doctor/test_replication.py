"""Published tables without a replica identity: the server would refuse every erasure."""

import pytest

from tests.integration.service.doctor.patient import Patient

NO_KEY = "ALTER TABLE extracted_data DROP CONSTRAINT extracted_data_pkey"
FINDING = ("replica-identity", "public.extracted_data")


@pytest.mark.parametrize(
    ("publication", "erase", "refused"),
    [
        ("FOR TABLE extracted_data", "rows", True),
        ("FOR ALL TABLES", "rows", True),
        ("FOR TABLE accounts", "rows", False),
        ("FOR TABLE extracted_data WITH (publish = 'insert, update')", "rows", False),
        ("FOR TABLE extracted_data WITH (publish = 'delete')", {"set": {"value": ""}}, False),
        ("FOR TABLE extracted_data WITH (publish = 'update')", {"set": {"value": ""}}, True),
    ],
)
def test_a_published_table_without_a_key(
    patient: Patient, publication: str, erase: object, refused: bool
) -> None:
    """Refused for what is published of what the erasure does, and for nothing else."""
    patient.run(NO_KEY, f"CREATE PUBLICATION pub {publication}")
    patient.entry("extracted fields")["erase"] = erase
    assert patient.refused() == ([FINDING] if refused else [])


@pytest.mark.parametrize(
    ("identity", "refused"),
    [
        ("FULL", False),
        ("NOTHING", True),
        ("DEFAULT", True),
        ("USING INDEX one", False),
    ],
)
def test_replica_identities(patient: Patient, identity: str, refused: bool) -> None:
    """A full identity or one by an index is as good as a primary key."""
    patient.run(
        NO_KEY,
        "CREATE UNIQUE INDEX one ON extracted_data (id)",
        f"ALTER TABLE extracted_data REPLICA IDENTITY {identity}",
        "CREATE PUBLICATION pub FOR TABLE extracted_data",
    )
    found = patient.refusals()
    assert [(each.check, each.subject) for each in found] == ([FINDING] if refused else [])
    for each in found:
        patient.run(each.sql or "")
    assert patient.refused() == []


@pytest.mark.parametrize("via_root", [True, False])
def test_a_partition_of_a_published_table(patient: Patient, via_root: bool) -> None:
    """The identity that counts is that of the partition that holds the row."""
    patient.run(
        "CREATE TABLE parted (LIKE extracted_data) PARTITION BY RANGE (created_at)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT",
        "CREATE PUBLICATION pub FOR TABLE parted "
        f"WITH (publish_via_partition_root = {str(via_root).lower()})",
    )
    patient.entry("extracted fields")["table"] = "public.parted"
    assert patient.refused() == [("replica-identity", "public.parted_all")]
    patient.run("ALTER TABLE parted_all REPLICA IDENTITY FULL")
    assert patient.refused() == []


def test_the_server_agrees(patient: Patient) -> None:
    """What is refused here is what the server would refuse, in the middle of a batch."""
    from psycopg.errors import ObjectNotInPrerequisiteState

    patient.run(NO_KEY, "CREATE PUBLICATION pub FOR TABLE extracted_data")
    with (
        patient.database.connect() as conn,
        pytest.raises(ObjectNotInPrerequisiteState, match="replica identity"),
    ):
        conn.execute("DELETE FROM extracted_data")
