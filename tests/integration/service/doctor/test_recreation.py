"""The triggers against recreation: missing, out of date, switched off or blind ones are said."""

from retention_worker.store import catalog
from retention_worker.store.examine.recreation import guards
from tests.grants import ROLE, SCHEMA
from tests.integration.service.doctor.patient import Patient

VECTORS = ("recreation", "credentials[face vectors]")
TRIGGER = "zz_no_recreation_face_vectors"


def _mend(patient: Patient) -> None:
    """Run what the findings print, as the owner."""
    with patient.database.connect() as conn:
        for finding in patient.examine():
            assert finding.sql is not None
            conn.execute(finding.sql.encode())


def test_a_missing_trigger(patient: Patient) -> None:
    """It is a warning, and its SQL mends it."""
    patient.run(f"DROP TRIGGER {TRIGGER} ON face_vectors")
    assert patient.refused() == []
    assert patient.warned() == [VECTORS]
    _mend(patient)
    assert patient.examine() == ()


def test_switched_off_or_not_always(patient: Patient) -> None:
    """Disabled, or silent while rows are replicated or loaded."""
    for how in ("DISABLE", "ENABLE", "ENABLE REPLICA"):
        patient.run(f"ALTER TABLE face_vectors {how} TRIGGER {TRIGGER}")
        assert patient.warned() == [VECTORS]
        _mend(patient)
        assert patient.examine() == ()


def test_a_function_that_was_changed(patient: Patient) -> None:
    """Another body under the same name and comment does not pass."""
    patient.run(
        "CREATE OR REPLACE FUNCTION no_recreation_of_face_vectors() RETURNS trigger "
        "LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN NEW; END $$"
    )
    assert patient.warned() == [VECTORS]
    _mend(patient)
    assert patient.examine() == ()


def test_an_owner_who_may_not_read(patient: Patient) -> None:
    """The grant is printed."""
    patient.run(
        "CREATE ROLE blind",
        "ALTER FUNCTION no_recreation_of_face_vectors OWNER TO blind",
    )
    try:
        (found,) = patient.examine()
        assert found.sql == (
            'GRANT USAGE ON SCHEMA "retention" TO "blind";\n'
            'GRANT SELECT ON "retention"."erasure", "retention"."erased_transaction" TO "blind";'
        )
        _mend(patient)
        assert patient.examine() == ()
    finally:
        patient.run("DROP OWNED BY blind CASCADE", "DROP ROLE blind")


def test_an_entry_that_was_renamed(patient: Patient) -> None:
    """The new one's trigger is missing, and the old one's is left behind."""
    patient.entry("face vectors")["name"] = "Vectors of faces, 2nd"
    assert patient.warned() == [
        ("recreation", "credentials[Vectors of faces, 2nd]"),
        ("recreation", "public.face_vectors"),
    ]
    _mend(patient)
    assert patient.examine() == ()


def test_transactions_without_a_beginning(patient: Patient) -> None:
    """Without created_at an account's erasure cannot tell old transactions from new ones."""
    del patient.map["transactions"]["created_at"]
    patient.map["transactions"]["metadata"] = []
    assert ("recreation", "transactions.created_at") in patient.warned()


def test_our_trigger_on_a_blanked_table_is_accepted(patient: Patient) -> None:
    """It fires on the UPDATE that blanks, and is refused neither by doctor nor by the batch."""
    patient.entry("face vectors")["erase"] = {"set": {"embedding": ""}}
    assert VECTORS in patient.warned()
    _mend(patient)
    assert patient.refused() == []
    assert patient.examine() == ()


def test_what_hangs_on_the_account_has_none(patient: Patient) -> None:
    """Faces seen at authentications belong to no transaction, and their account may return."""
    with patient.database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(patient.datamap))
    names = [each.entry.name for each in guards(patient.datamap, found, SCHEMA)]
    assert names == ["face vectors", "face templates"]
    assert ROLE not in "".join(each.sql for each in guards(patient.datamap, found, SCHEMA))
