"""`doctor --sql`: one script that mends what SQL can mend."""

from retention_worker.service.doctor import mending_sql
from retention_worker.store import catalog
from tests.grants import ROLE
from tests.integration.service.doctor.patient import Patient, settings


def _script(patient: Patient) -> str:
    with patient.database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(patient.datamap))
    return mending_sql(patient.examine(), patient.datamap, found, settings(), ROLE)


def _statements(script: str) -> list[str]:
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [each for each in "\n".join(lines).split(";") if each.strip()]


def test_the_script_mends(patient: Patient) -> None:
    """Indexes, an identity and privileges: after the script there is nothing left to say."""
    with patient.database.connect() as conn:
        for statement in (
            "DROP INDEX face_vectors_by_transaction",
            "ALTER TABLE extracted_data DROP CONSTRAINT extracted_data_pkey",
            "CREATE PUBLICATION pub FOR TABLE extracted_data",
            f"REVOKE DELETE ON images FROM {ROLE}",
        ):
            conn.execute(statement.encode())
    assert [each.check for each in patient.examine()] == ["privilege", "replica-identity", "index"]
    script = _script(patient)
    with patient.database.connect() as conn:
        for statement in _statements(script):
            conn.execute(statement.encode())
    assert patient.examine() == ()


def test_row_security_is_mended_by_the_role(patient: Patient) -> None:
    """The right to bypass it is printed once, among the role's grants."""
    patient.run("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
    script = _script(patient)
    assert script.count("BYPASSRLS") == 1


def test_what_no_sql_mends_is_a_comment(patient: Patient) -> None:
    """Whoever runs the script sees what remains; a cascade's drop is offered, not done."""
    patient.run(
        "CREATE TABLE notes (image uuid REFERENCES images ON DELETE CASCADE)",
        "CREATE INDEX ON notes (image)",
    )
    patient.map["accepted_triggers"] = ["gone"]
    script = _script(patient)
    assert "-- warn: accepted_triggers[gone]:" in script
    assert '-- ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_image_fkey";' in script
    assert "DROP" not in "".join(_statements(script))


def test_a_healthy_database_gets_its_grants_alone(patient: Patient) -> None:
    """Without a finding the script is the role's grants, and runs as often as one likes."""
    script = _script(patient)
    assert "CREATE INDEX" not in "".join(_statements(script))
    with patient.database.connect() as conn:
        for _ in range(2):
            conn.execute(script.encode())
