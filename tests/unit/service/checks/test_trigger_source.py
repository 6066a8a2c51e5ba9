"""The reading of a trigger function's source."""

import pytest

from retention_worker.service.checks.trigger_source import read_source

AUDIT = (None, "audit")


@pytest.mark.parametrize(
    ("source", "touches"),
    [
        ("INSERT INTO audit VALUES (OLD.id);", {(AUDIT, "INSERT")}),
        ("insert into audit(id) select OLD.id;", {(AUDIT, "INSERT")}),
        ('INSERT INTO "Log"."Au""dit" SELECT 1;', {(("Log", 'Au"dit'), "INSERT")}),
        (
            "INSERT INTO audit AS a VALUES (1) ON CONFLICT (id) DO UPDATE SET n = a.n + 1;",
            {(AUDIT, "INSERT"), (AUDIT, "UPDATE"), (AUDIT, "SELECT")},
        ),
        (
            "INSERT INTO audit VALUES (1) RETURNING id INTO n;",
            {(AUDIT, "INSERT"), (AUDIT, "SELECT")},
        ),
        (
            "UPDATE ONLY log.audit SET n = 1 WHERE id = OLD.id;",
            {(("log", "audit"), "UPDATE"), (("log", "audit"), "SELECT")},
        ),
        ("DELETE FROM audit WHERE id = 1;", {(AUDIT, "DELETE"), (AUDIT, "SELECT")}),
        ("TRUNCATE TABLE audit;", {(AUDIT, "TRUNCATE")}),
        (
            "SELECT 1 INTO n FROM audit a, log.lines AS l JOIN more USING (id);",
            {(AUDIT, "SELECT"), (("log", "lines"), "SELECT"), ((None, "more"), "SELECT")},
        ),
        (
            "PERFORM 1 FROM audit WHERE id = OLD.id FOR UPDATE;",
            {(AUDIT, "SELECT"), (AUDIT, "UPDATE")},
        ),
        ("WITH gone AS (SELECT 1) SELECT 1 FROM gone;", set()),
        ("IF NEW.a IS DISTINCT FROM OLD.a THEN NEW.at := now(); END IF;", set()),
        ("SELECT count(*) FROM unnest(NEW.tags);", set()),
        ("-- INSERT INTO audit\n/* DELETE FROM audit */ RAISE 'UPDATE audit SET x';", set()),
        ("RETURN OLD;", set()),
    ],
)
def test_tables(source: str, touches: set[object]) -> None:
    """Each table with what is done there, as the catalog names it."""
    assert read_source(f"BEGIN {source} END").touches == touches


def test_what_is_made_on_the_way_is_said() -> None:
    """EXECUTE runs a text that no look can tell; the word in a comment or a text is none."""
    assert read_source("BEGIN EXECUTE format('INSERT INTO %I', t); END").dynamic
    assert not read_source("BEGIN RAISE NOTICE 'EXECUTE'; -- EXECUTE\n END").dynamic


def test_calls() -> None:
    """Functions by name; whether they are any, the catalog tells."""
    calls = read_source("PERFORM note(OLD.id); x := log.note2 (1);").calls
    assert {(None, "note"), ("log", "note2")} <= calls
