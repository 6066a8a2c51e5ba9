"""What accepted triggers run, and what their functions need, as far as a look can tell."""

import pytest

from retention_worker.service.checks import Finding
from tests.grants import ROLE
from tests.integration.service.doctor.patient import Patient

TABLES = (
    "CREATE SCHEMA log",
    "CREATE TABLE log.audit (id bigserial, what text)",
    "CREATE TABLE log.lines (id bigint GENERATED ALWAYS AS IDENTITY, what text)",
)
INSERT = "INSERT INTO log.audit (what) VALUES ('x');"


def _seen(patient: Patient, body: str, *, options: str = "") -> None:
    """A trigger that is accepted; the role may do nothing in the schema `log`."""
    patient.run(
        *TABLES,
        f"CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql {options} AS "
        f"$$BEGIN {body} RETURN OLD; END$$",
        "CREATE TRIGGER seen BEFORE DELETE ON extracted_data FOR EACH ROW "
        "EXECUTE FUNCTION public.seen()",
    )
    patient.map["accepted_triggers"] = ["public.extracted_data.seen"]


def _told(patient: Patient) -> dict[str, Finding]:
    """What is said of the trigger, by check."""
    found = [each for each in patient.examine() if each.check.startswith("trigger-")]
    assert {each.subject for each in found} == {"public.extracted_data.seen"}
    assert len({each.check for each in found}) == len(found)
    return {each.check: each for each in found}


def _cure(patient: Patient, found: Finding) -> None:
    assert found.sql is not None
    with patient.database.connect() as conn:
        conn.execute(found.sql.encode())


def test_what_the_role_lacks(patient: Patient) -> None:
    """The schema, the table and the sequence of its key; the cure is enough."""
    _seen(patient, INSERT)
    told = _told(patient)
    assert "runs public.seen() as retention_worker (invoker)" in told["trigger-function"].message
    assert "it writes log.audit" in told["trigger-function"].message
    lacks = told["trigger-privilege"]
    assert (lacks.severity, f"role {ROLE} lacks" in lacks.message) == ("warn", True)
    for words in ("USAGE on schema log", "INSERT on log.audit", "sequence log.audit_id_seq"):
        assert words in lacks.message
    _cure(patient, lacks)
    assert set(_told(patient)) == {"trigger-function"}
    with patient.database.connect_worker() as conn, conn.transaction(force_rollback=True):
        conn.execute("INSERT INTO log.audit (what) VALUES ('x')")


def test_identity_needs_no_sequence(patient: Patient) -> None:
    """The database draws its numbers for whoever may insert."""
    _seen(patient, INSERT.replace("audit", "lines"))
    assert "sequence" not in _told(patient)["trigger-privilege"].message


def test_a_definer_needs_nothing_of_the_role(patient: Patient) -> None:
    """It runs as its owner, who made the table."""
    _seen(patient, INSERT, options="SECURITY DEFINER SET search_path = pg_catalog")
    told = _told(patient)
    assert set(told) == {"trigger-function"}
    assert "(SECURITY DEFINER)" in told["trigger-function"].message


def test_names_mean_what_the_functions_search_path_says(patient: Patient) -> None:
    """Without a schema: by the function's own path, and the session's is as it was."""
    _seen(patient, "INSERT INTO lines (what) VALUES ('x');", options="SET search_path = log")
    patient.run(f"GRANT USAGE ON SCHEMA log TO {ROLE}")
    assert "INSERT on log.lines" in _told(patient)["trigger-privilege"].message


def test_a_table_that_is_not_found(patient: Patient) -> None:
    """The role's own path does not have it: nothing says that it is fine."""
    _seen(patient, "INSERT INTO lines (what) VALUES ('x');")
    told = _told(patient)["trigger-function"]
    assert (told.severity, "writes lines, which is not found" in told.message) == ("warn", True)
    assert told.message.endswith("run doctor --try")


def test_a_row_that_is_locked_is_not_written(patient: Patient) -> None:
    """FOR UPDATE needs the right to UPDATE; UPDATE of a table that is not found is said."""
    _seen(patient, "PERFORM 1 FROM log.lines FOR UPDATE; UPDATE nowhere SET what = 'x';")
    told = _told(patient)
    assert "UPDATE on log.lines" in told["trigger-privilege"].message
    assert "it reads log.lines" in told["trigger-function"].message
    assert "writes nowhere, which is not found" in told["trigger-function"].message


def test_what_it_calls_is_read_too(patient: Patient) -> None:
    """A function with a body that the server has parsed, called by one that is a text."""
    _seen(patient, "PERFORM public.note(OLD.id::text);")
    patient.run(
        "CREATE FUNCTION public.note(what text) RETURNS void LANGUAGE sql "
        "BEGIN ATOMIC INSERT INTO log.lines (what) VALUES (what); END",
        f"GRANT USAGE ON SCHEMA log TO {ROLE}",
    )
    assert "lacks INSERT on log.lines" in _told(patient)["trigger-privilege"].message


@pytest.mark.parametrize(
    ("body", "words"), [("EXECUTE format('SELECT %L', 1);", "public.seen() uses EXECUTE")]
)
def test_what_could_not_be_read(patient: Patient, body: str, words: str) -> None:
    """It is said, with what tells."""
    _seen(patient, body)
    told = _told(patient)["trigger-function"]
    assert (told.severity, words in told.message) == ("warn", True)
    assert "could not be read" in told.message
    assert told.message.endswith("run doctor --try")


def test_another_language(patient: Patient) -> None:
    """The server's own function, which is no text at all."""
    patient.run(
        "CREATE TRIGGER seen BEFORE UPDATE ON extracted_data FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
    patient.entry("extracted fields")["erase"] = {"set": {"value": ""}}
    patient.map["accepted_triggers"] = ["public.extracted_data.seen"]
    told = _told(patient)["trigger-function"]
    assert "is written in internal" in told.message
    assert told.message.endswith("run doctor --try")
