"""What of the server and the settings makes a batch impossible or dangerous."""

from dataclasses import replace

import pytest

from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.server import server
from retention_worker.store import examine as facts_of
from retention_worker.store.connection.session import Session
from tests.grants import ROLE, SCHEMA
from tests.integration.service.doctor.patient import Patient, settings


@pytest.mark.parametrize(("deadline", "refused"), [(500, False), (501, True)])
def test_deadlock_timeout(patient: Patient, deadline: int, refused: bool) -> None:
    """A deadlock check may not come before twice the deadline of a batch."""
    target = f"ROLE {ROLE} IN DATABASE {patient.database.name}"
    patient.run(f"ALTER {target} SET deadlock_timeout = '1s'")
    found = patient.refused(settings=settings(batch_deadline_ms=deadline))
    assert found == ([("deadlock-timeout", "deadlock_timeout")] if refused else [])


@pytest.mark.parametrize("value", ["900ms", "900", "0.9s"])
@pytest.mark.parametrize("where", ["DATABASE {0}", "ROLE CURRENT_USER IN DATABASE {0}"])
def test_deadlock_timeout_of_the_application(patient: Patient, value: str, where: str) -> None:
    """What counts is the application's shortest time-out, however it is written."""
    target = where.format(patient.database.name)
    patient.run(f"ALTER {target} SET deadlock_timeout = '{value}'")
    assert patient.refused(settings=settings(batch_deadline_ms=450)) == []
    (found,) = patient.refusals(settings=settings(batch_deadline_ms=451))
    assert found.message.startswith("is 900 ms")


def test_several_policies_without_a_tenant_column(patient: Patient) -> None:
    """Nothing tells the tenants' accounts apart: refused, unless there is one policy."""
    del patient.map["accounts"]["tenant"]
    assert patient.refused(policies=2) == [("tenant", "accounts.tenant")]
    assert patient.refused(policies=1) == []


def test_a_standby(patient: Patient) -> None:
    """A server in recovery cannot erase; what it says is stood in for, to spare a second server."""
    with patient.database.connect_worker() as conn:
        facts = facts_of.read(Session(conn, SCHEMA), patient.datamap)
    assert not facts.server.standby
    facts = replace(facts, server=replace(facts.server, standby=True))
    case = Examined(datamap=patient.datamap, facts=facts, settings=settings())
    assert [(each.check, each.subject) for each in server(case)] == [("standby", "database")]
