"""Plain SQL on a throwaway database: what goes in as an application would, and what comes out."""

import pytest
from psycopg.errors import ForeignKeyViolation, RaiseException, ReadOnlySqlTransaction

from retention_worker.embedded.load import TableRows
from retention_worker.embedded.query import insert_rows, rows, run_script
from tests.database import Database

SCHEMA = """
CREATE TABLE "Parent" ("Id" int PRIMARY KEY);
CREATE TABLE "Child" ("Id" int REFERENCES "Parent");
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW."Id" > 1 THEN RAISE 'fired'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON "Child" FOR EACH ROW EXECUTE FUNCTION refuse();
"""
PARENTS = TableRows(table="public.Parent", columns=("Id",), rows=[(1,), (2,)])


def children(*ids: int) -> TableRows:
    """Rows of the table with the trigger."""
    return TableRows(table="public.Child", columns=("Id",), rows=[(each,) for each in ids])


def test_rows_in_and_out(empty_database: Database) -> None:
    """A script, rows with parents first, a query with a parameter."""
    run_script(empty_database.dsn, SCHEMA)
    insert_rows(empty_database.dsn, [PARENTS, children(1, 1)])
    assert rows(empty_database.dsn, 'SELECT * FROM "Child" WHERE "Id" = %s', [1]) == [(1,), (1,)]
    assert rows(empty_database.dsn, "SELECT 5 % 2") == [(1,)]


def test_triggers_fire_and_keys_are_checked(empty_database: Database) -> None:
    """As for an application; and then nothing of the call is there."""
    run_script(empty_database.dsn, SCHEMA)
    with pytest.raises(RaiseException):
        insert_rows(empty_database.dsn, [PARENTS, children(2)])
    with pytest.raises(ForeignKeyViolation):
        insert_rows(empty_database.dsn, [children(1)])
    assert rows(empty_database.dsn, 'SELECT * FROM "Parent"') == []


def test_a_query_changes_nothing(empty_database: Database) -> None:
    """A statement that would write is refused."""
    with pytest.raises(ReadOnlySqlTransaction):
        rows(empty_database.dsn, "CREATE TABLE t ()")
