"""Foreign keys onto erased tables: cascades into what stays, keys that stand in the way."""

import pytest

from tests.integration.service.doctor.patient import Patient

VECTORS, IMAGES = "public.face_vectors", "public.images"


def _refer(patient: Patient, parent: str, action: str, table: str = "notes") -> None:
    """A table (of an account) whose rows refer to rows of `parent`."""
    patient.run(
        f"CREATE TABLE {table} (id int PRIMARY KEY, account_id uuid NOT NULL, note text,"
        f" parent {'uuid' if parent == 'images' else 'bigint'} REFERENCES {parent} {action})",
        f"CREATE INDEX ON {table} (account_id)",
        f"CREATE INDEX ON {table} (parent)",
    )


@pytest.mark.parametrize("action", ["ON DELETE CASCADE", "ON DELETE SET NULL"])
@pytest.mark.parametrize("retained", [True, False])
def test_a_cascade_into_what_is_not_declared(patient: Patient, action: str, retained: bool) -> None:
    """Erasing would delete or change rows of a table that is retained, or that nobody named."""
    _refer(patient, "face_vectors", action)
    if retained:
        patient.retain("public.notes")
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("cascade", VECTORS)
    assert ("is retained" if retained else "not in the data map") in found.message


@pytest.mark.parametrize(
    ("parent", "class_", "refused"),
    [
        ("face_vectors", "biometric", False),
        ("face_vectors", "other", True),
        ("extracted_data", "biometric", False),
        ("extracted_data", "other", False),
    ],
)
@pytest.mark.parametrize("action", ["ON DELETE CASCADE", ""])
def test_a_reference_of_declared_rows(
    patient: Patient, parent: str, class_: str, refused: bool, action: str
) -> None:
    """Rows that go no later may refer; rows of class other stay when biometrics go."""
    _refer(patient, parent, action)
    patient.add_entry(**{"name": "notes", "table": "public.notes", "class": class_})
    check = "cascade" if action else "foreign-key"
    assert patient.refused() == ([(check, f"public.{parent}")] if refused else [])


def test_a_cascade_into_a_table_of_which_a_part_is_retained(patient: Patient) -> None:
    """The part that stays would go with it."""
    _refer(patient, "face_vectors", "ON DELETE CASCADE")
    entry = {"name": "notes", "table": "public.notes", "class": "biometric"}
    patient.add_entry(**entry, where={"note": "a"})
    assert patient.refused() == []
    patient.map["retained"] = [
        *patient.map["retained"],
        {"table": "public.notes", "where": {"note": "b"}},
    ]
    assert patient.refused() == [("cascade", VECTORS)]


def test_a_cascade_into_transactions(patient: Patient) -> None:
    """Transactions are kept: nothing may delete them."""
    patient.run(
        "ALTER TABLE transactions ADD selfie uuid REFERENCES images ON DELETE CASCADE",
        "CREATE INDEX ON transactions (selfie)",
    )
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("cascade", IMAGES)
    assert "public.transactions is kept" in found.message


def test_a_reference_that_is_blanked_as_declared(patient: Patient) -> None:
    """ON DELETE SET NULL does what an entry says, once an entry says it, and for that scope."""
    patient.run(
        "ALTER TABLE transactions ADD selfie uuid REFERENCES images ON DELETE SET NULL",
        "CREATE INDEX ON transactions (selfie)",
    )
    (found,) = patient.refusals()
    assert "{set: {selfie: null}}" in found.message
    patient.add_entry(
        name="selfies of transactions",
        table="public.transactions",
        of="transaction",
        key="id",
        erase={"set": {"selfie": None}},
    )
    assert patient.refused() == []


def test_cascades_are_followed(patient: Patient) -> None:
    """What a cascade takes along has cascades of its own: each is told, however far."""
    _refer(patient, "face_vectors", "ON DELETE CASCADE", table="first")
    for child, parent in (("second", "first"), ("third", "second")):
        patient.run(
            f"CREATE TABLE {child} (id int PRIMARY KEY, parent int REFERENCES {parent} "
            "ON DELETE CASCADE)",
            f"CREATE INDEX ON {child} (parent)",
        )
    assert patient.refused() == [
        ("cascade", VECTORS),
        ("cascade", "public.first"),
        ("cascade", "public.second"),
    ]


def test_a_cascade_of_a_partition(patient: Patient) -> None:
    """A key onto one partition, or of a partition, counts as that of the whole."""
    patient.run(
        "CREATE TABLE parted (id bigint, transaction_id uuid, PRIMARY KEY (id)) "
        "PARTITION BY RANGE (id)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT",
        "CREATE INDEX ON parted (transaction_id)",
        "CREATE TABLE notes (id bigint REFERENCES parted_all ON DELETE CASCADE) "
        "PARTITION BY RANGE (id)",
        "CREATE TABLE notes_all PARTITION OF notes DEFAULT",
    )
    patient.entry("face vectors")["table"] = "public.parted"
    assert patient.refused() == [("cascade", "public.parted_all")]
    patient.add_entry(name="notes", table="public.notes", key="id")


@pytest.mark.parametrize("retained", [True, False])
def test_a_key_that_stands_in_the_way(patient: Patient, retained: bool) -> None:
    """The server would refuse the deletion, so that the account is never erased."""
    _refer(patient, "images", "")
    if retained:
        patient.retain("public.notes")
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("foreign-key", IMAGES)
    assert found.sql == '-- ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_parent_fkey";'


def test_a_part_that_may_stand_in_the_way(patient: Patient) -> None:
    """Where only a part of the referring table stays, that part may refer to nothing."""
    _refer(patient, "images", "")
    patient.add_entry(name="notes", table="public.notes", where={"note": "a"})
    patient.map["retained"] = [
        *patient.map["retained"],
        {"table": "public.notes", "where": {"note": "b"}},
    ]
    assert patient.refused() == []
    assert ("foreign-key", IMAGES) in patient.warned()


def test_a_table_that_refers_to_itself(patient: Patient) -> None:
    """Rows of one account that refer to each other go in one statement; a cascade may reach on."""
    patient.run(
        "ALTER TABLE extracted_data ADD parent bigint REFERENCES extracted_data",
        "CREATE INDEX ON extracted_data (parent)",
    )
    assert patient.examine() == ()
    patient.run(
        "ALTER TABLE extracted_data DROP CONSTRAINT extracted_data_parent_fkey",
        "ALTER TABLE extracted_data ADD FOREIGN KEY (parent) REFERENCES extracted_data "
        "ON DELETE CASCADE",
    )
    assert patient.warned() == [("cascade-to-itself", "public.extracted_data")]
    assert patient.refused() == []


def test_a_reference_to_a_table_that_stays(patient: Patient) -> None:
    """Accounts and transactions keep their rows, so keys onto them stand in nobody's way."""
    patient.run(
        "CREATE TABLE logs (id int PRIMARY KEY, account uuid REFERENCES accounts ON DELETE CASCADE)"
    )
    patient.retain("public.logs")
    assert patient.refused() == []


def test_a_blanked_column_that_others_refer_to(patient: Patient) -> None:
    """A blank that is carried on, or refused by the server, is no blank."""
    patient.run(
        "ALTER TABLE extracted_data ADD code text UNIQUE",
        "CREATE TABLE uses (code text REFERENCES extracted_data (code) ON UPDATE CASCADE)",
    )
    patient.retain("public.uses")
    patient.entry("extracted fields")["erase"] = {"set": {"value": ""}}
    assert patient.refused() == []
    patient.entry("extracted fields")["erase"] = {"set": {"code": None}}
    assert patient.refused() == [("blanked-key", "credentials[extracted fields]")]
