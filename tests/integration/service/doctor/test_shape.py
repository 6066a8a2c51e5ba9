"""Tables and columns: missing, of a wrong kind, with children."""

from typing import Any

import pytest

from tests.integration.service.doctor.patient import Patient

PLACES = ["accounts", "transactions", "face templates", "activity", "links"]


@pytest.mark.parametrize("place", PLACES)
def test_missing_table(patient: Patient, place: str) -> None:
    """A table that is not there is named, wherever the map names it."""
    _point(patient, place, table="public.nowhere")
    assert patient.refused() == [("table", "public.nowhere")]


@pytest.mark.parametrize("place", PLACES)
def test_missing_column(patient: Patient, place: str) -> None:
    """A column that is not there is named with its table; case counts."""
    patient.run()
    table = _point(patient, place, id="Nowhere", key="Nowhere")
    found = patient.refusals()
    assert [(each.check, each.subject) for each in found] == [("column", table)]
    assert "'" not in found[0].message
    assert "Nowhere" in found[0].message


def test_missing_columns_of_every_kind(patient: Patient) -> None:
    """Columns of conditions, times, objects and blanks are looked up too, in one finding."""
    patient.run()
    entry = patient.entry("selfies and ID images")
    entry["where"] = {"a": ["SELFIE"]}
    entry["objects"] = [{"column": "b"}]
    entry["created_at"] = "c"
    entry["tenant"] = "d"
    entry["erase"] = {"set": {"e": None}, "remove": {"f": [["x"]]}}
    (found,) = patient.refusals()
    assert found.subject == "public.images"
    assert sorted(found.message.split(": ")[0].removeprefix("has no column ").split(", ")) == [
        *"abcdef"
    ]


def test_a_type_that_is_no_time(patient: Patient) -> None:
    """What only shows when the map becomes statements is a refusal, and no exception."""
    patient.run()
    patient.map["accounts"]["last_activity"] = "external_ref"
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("map", "accounts.last_activity")


def test_objects_of_blanked_columns_without_a_primary_key(patient: Patient) -> None:
    """A row must be found again after its object's name was read."""
    patient.run("ALTER TABLE images DROP CONSTRAINT images_pkey")
    patient.entry("selfies and ID images")["erase"] = {"set": {"object_uri": ""}}
    (found,) = patient.refusals()
    assert (found.check, found.subject) == ("map", "credentials[selfies and ID images]")


def test_an_aggregate_view_as_accounts(patient: Patient) -> None:
    """Its rows cannot be locked, so that the last look would be worth nothing."""
    patient.run(
        "CREATE VIEW people AS SELECT id, tenant_id, max(last_activity_at) AS last_activity_at "
        "FROM accounts GROUP BY id, tenant_id"
    )
    patient.map["accounts"]["table"] = "public.people"
    assert ("relation", "public.people") in patient.refused()


@pytest.mark.parametrize(
    ("definition", "erase"),
    [
        ("VIEW faces AS SELECT DISTINCT * FROM face_vectors", "rows"),
        ("VIEW faces AS SELECT DISTINCT * FROM face_vectors", {"set": {"model": ""}}),
        ("MATERIALIZED VIEW faces AS SELECT * FROM face_vectors", "rows"),
    ],
)
def test_a_view_that_cannot_be_written(patient: Patient, definition: str, erase: object) -> None:
    """Rows of a view that is more than a window on one table cannot be erased through it."""
    patient.run(f"CREATE {definition}")
    patient.entry("face vectors").update(table="public.faces", erase=erase)
    assert patient.refused() == [("relation", "public.faces")]


def test_a_plain_view_can_be_written(patient: Patient) -> None:
    """A window on one table is as good as the table."""
    patient.run("CREATE VIEW faces AS SELECT * FROM face_vectors")
    patient.entry("face vectors")["table"] = "public.faces"
    assert patient.refused() == []


def test_children_by_inheritance(patient: Patient) -> None:
    """The parent's keys and triggers do not hold for them: a warning."""
    patient.run(
        "CREATE TABLE old_vectors (LIKE face_vectors INCLUDING ALL) INHERITS (face_vectors)"
    )
    assert patient.refused() == []
    assert ("inheritance", "public.face_vectors") in patient.warned()


def _point(patient: Patient, place: str, **changes: str) -> str:
    """Change a place of the map; give the table that it stands on."""
    logins: dict[str, Any] = {"table": "public.authentications", "key": "account_id"}
    if place == "activity":
        found = logins | {"at": "created_at"}
        patient.map["accounts"]["activity"] = [found]
    elif place == "links":
        found = logins | {"id": "id", "of": "account"}
        patient.map["links"] = {"logins": found}
    elif place in ("accounts", "transactions"):
        found = patient.map[place]
    else:
        found = patient.entry(place)
    found.update({key: value for key, value in changes.items() if key in found})
    name = found["table"]
    return name if isinstance(name, str) else f"{name['schema_name']}.{name['name']}"
