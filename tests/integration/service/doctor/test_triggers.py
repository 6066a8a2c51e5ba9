"""Triggers and rules that an erasure would fire."""

import pytest

from tests.integration.service.doctor.patient import Patient

FUNCTION = (
    "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN COALESCE(NEW, OLD); END $$"
)
BLANK = {"set": {"value": ""}}


def _trigger(patient: Patient, when: str, table: str = "extracted_data") -> None:
    patient.run(
        FUNCTION,
        f"CREATE TRIGGER looks {when.replace(' ON ', f' ON public.{table} ')} "
        "EXECUTE FUNCTION public.nothing()",
    )


@pytest.mark.parametrize(
    ("when", "erase", "refused"),
    [
        ("BEFORE DELETE ON FOR EACH ROW", "rows", True),
        ("AFTER DELETE ON FOR EACH ROW", "rows", True),
        ("AFTER INSERT OR UPDATE OR DELETE ON FOR EACH ROW", "rows", True),
        ("AFTER UPDATE ON FOR EACH ROW", "rows", False),
        ("BEFORE INSERT ON FOR EACH ROW", "rows", False),
        ("AFTER DELETE ON FOR EACH ROW", BLANK, False),
        ("BEFORE UPDATE ON FOR EACH ROW", BLANK, True),
        ("BEFORE UPDATE OF value, field ON FOR EACH ROW", BLANK, True),
        ("BEFORE UPDATE OF field ON FOR EACH ROW", BLANK, False),
        ("AFTER DELETE ON FOR EACH STATEMENT", "rows", False),
    ],
)
def test_row_triggers(patient: Patient, when: str, erase: object, refused: bool) -> None:
    """A row trigger on what the erasure does is refused; one on anything else is none of ours."""
    patient.entry("extracted fields")["erase"] = erase
    _trigger(patient, when)
    assert patient.refused() == ([("trigger", "public.extracted_data")] if refused else [])


def test_a_statement_trigger_is_a_warning(patient: Patient) -> None:
    """It sees no row, but could touch some."""
    _trigger(patient, "AFTER DELETE ON FOR EACH STATEMENT")
    assert patient.warned() == [("statement-trigger", "public.extracted_data")]


@pytest.mark.parametrize("form", ["looks", "extracted_data.looks", "public.extracted_data.looks"])
def test_an_accepted_trigger(patient: Patient, form: str) -> None:
    """What the message says to write is accepted, and so are the shorter forms."""
    _trigger(patient, "AFTER DELETE ON FOR EACH ROW")
    (found,) = patient.refusals()
    assert '"public.extracted_data.looks"' in found.message
    patient.map["accepted_triggers"] = [form]
    (told,) = patient.examine()
    assert (told.severity, told.check) == ("note", "trigger-function")
    assert (
        "runs public.nothing() as retention_worker (invoker); it touches no table" in told.message
    )


def test_a_trigger_of_a_namesake_is_not_accepted(patient: Patient) -> None:
    """The trigger of one table is not accepted in the name of another."""
    _trigger(patient, "AFTER DELETE ON FOR EACH ROW")
    patient.map["accepted_triggers"] = ["images.looks", "extracted_data"]
    assert patient.refused() == [("trigger", "public.extracted_data")]
    assert patient.warned() == [
        ("accepted-trigger", "accepted_triggers[images.looks]"),
        ("accepted-trigger", "accepted_triggers[extracted_data]"),
    ]


def test_a_disabled_trigger_fires_never(patient: Patient) -> None:
    """A disabled trigger is passed over; one for replicas does not fire here either."""
    _trigger(patient, "AFTER DELETE ON FOR EACH ROW")
    patient.run("ALTER TABLE extracted_data DISABLE TRIGGER looks")
    assert patient.refused() == []
    patient.run("ALTER TABLE extracted_data ENABLE REPLICA TRIGGER looks")
    assert patient.refused() == []
    patient.run("ALTER TABLE extracted_data ENABLE ALWAYS TRIGGER looks")
    assert patient.refused() == [("trigger", "public.extracted_data")]


def test_a_trigger_on_a_table_that_stays(patient: Patient) -> None:
    """Accounts and transactions are not changed, so their triggers fire for the application."""
    _trigger(patient, "BEFORE UPDATE OR DELETE ON FOR EACH ROW", table="accounts")
    assert patient.refused() == []


def test_blanked_accounts_with_a_trigger(patient: Patient) -> None:
    """An updated_at trigger would make the blanked account active again."""
    _trigger(patient, "BEFORE UPDATE ON FOR EACH ROW", table="accounts")
    patient.run("ALTER TABLE accounts ADD phone text")
    patient.add_entry(
        name="phone", table="public.accounts", key="id", erase={"set": {"phone": None}}
    )
    assert patient.refused() == [("trigger", "public.accounts")]


@pytest.mark.parametrize("table", ["parted", "parted_all"])
def test_triggers_of_partitions(patient: Patient, table: str) -> None:
    """A trigger is found once, whether it stands on the table or on one partition."""
    patient.run(
        "CREATE TABLE parted (LIKE extracted_data) PARTITION BY RANGE (created_at)",
        "CREATE TABLE parted_all PARTITION OF parted DEFAULT",
    )
    _trigger(patient, "AFTER DELETE ON FOR EACH ROW", table=table)
    patient.entry("extracted fields")["table"] = "public.parted"
    assert patient.refused() == [("trigger", f"public.{table}")]
    patient.map["accepted_triggers"] = ["public.parted.looks"]
    assert patient.refused() == []


def test_the_workers_own_triggers_were_looked_at(patient: Patient) -> None:
    """A trigger whose function is in the worker's schema is part of the product."""
    patient.run(
        FUNCTION.replace("public.", "retention."),
        "CREATE TRIGGER ours BEFORE INSERT OR UPDATE ON face_vectors FOR EACH ROW "
        "EXECUTE FUNCTION retention.nothing()",
    )
    patient.entry("face vectors")["erase"] = {"set": {"embedding": ""}}
    assert patient.refused() == []


@pytest.mark.parametrize(
    ("event", "erase", "refused"),
    [("DELETE", "rows", True), ("UPDATE", "rows", False), ("UPDATE", BLANK, True)],
)
def test_rules(patient: Patient, event: str, erase: object, refused: bool) -> None:
    """A rule that turns a deletion into something else is refused, until it is accepted."""
    patient.entry("extracted fields")["erase"] = erase
    patient.run(f"CREATE RULE keeps AS ON {event} TO extracted_data DO INSTEAD NOTHING")
    assert patient.refused() == ([("rule", "public.extracted_data")] if refused else [])
    patient.map["accepted_triggers"] = ["public.extracted_data.keeps"]
    assert patient.refused() == []
