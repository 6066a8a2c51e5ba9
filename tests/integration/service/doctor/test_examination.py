"""The whole examination: silence on the reference schema, one finding for one fault."""

from typing import Any

import psycopg
import pytest

from retention_worker.service.checks import Severity, examine
from retention_worker.store.connection.session import Session
from tests.grants import SCHEMA
from tests.integration.service.doctor.patient import Patient, settings


def test_the_reference_schema_is_healthy(patient: Patient) -> None:
    """The shipped schema, map and grants give neither refusal nor warning."""
    assert patient.refusals(policies=2) == ()
    assert patient.examine(policies=2) == ()


def test_the_owner_needs_no_grant(patient: Patient) -> None:
    """A superuser may examine too, and lacks nothing."""
    with patient.database.connect() as conn:
        assert examine(Session(conn, SCHEMA), patient.datamap, settings()) == ()


def test_refusals_come_first_and_every_fault_is_told(patient: Patient) -> None:
    """Two faults at once are two findings, and each says what to do."""
    patient.run("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
    patient.map["accepted_triggers"] = ["gone"]
    found = patient.examine()
    assert [each.severity for each in found] == [Severity.REFUSE, Severity.WARN]
    assert all("\n" not in each.message and ": " in each.message for each in found)


def test_the_start_of_a_sweep_asks_a_fixed_number_of_times(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tables the map names, `inspect` sends the same few statements."""
    before = _statements(patient, monkeypatch)
    for number in range(20):
        patient.run(
            f"CREATE TABLE extra_{number} (id int PRIMARY KEY, account_id uuid NOT NULL, note text)"
        )
        patient.add_entry(name=f"extra {number}", table=f"public.extra_{number}")
    assert patient.refused() == []
    assert _statements(patient, monkeypatch) == before < 25


def _statements(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> int:
    sent = []
    execute: Any = psycopg.Cursor.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(args)
        return execute(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counted)
        patient.refusals()
    return len(sent)
