"""Rows in and out: populations exact and silent to triggers, other rows as an application's."""

import psycopg
import pytest
from psycopg.errors import (
    ForeignKeyViolation,
    InvalidTextRepresentation,
    RaiseException,
    ReadOnlySqlTransaction,
)

from retention_worker.embedded.tables import (
    TableRows,
    copy_rows,
    insert_rows,
    read_rows,
    run_script,
)
from tests.database import Database

SCHEMA = """
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."Parent" ("Id" int PRIMARY KEY);
CREATE TABLE "Odd"."Child" ("Id" int REFERENCES "Odd"."Parent", "Note" text DEFAULT 'none');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON "Odd"."Child" FOR EACH ROW EXECUTE FUNCTION refuse();
"""
PARENTS = TableRows(table="Odd.Parent", columns=("Id",), rows=[(1,), (2,)])
CHILDREN = TableRows(table="Odd.Child", columns=("Note", "Id"), rows=[("tab\t, \\ and ä", 1)])
SMALL = """
CREATE TABLE "Parent" ("Id" int PRIMARY KEY);
CREATE TABLE "Child" ("Id" int REFERENCES "Parent");
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW."Id" > 1 THEN RAISE 'fired'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON "Child" FOR EACH ROW EXECUTE FUNCTION refuse();
"""
SMALL_PARENTS = TableRows(table="public.Parent", columns=("Id",), rows=[(1,), (2,)])


@pytest.fixture
def conn(empty_database: Database) -> psycopg.Connection:
    """A connection to a database with two tables and a trigger that refuses every row."""
    conn = empty_database.connect()
    conn.execute(SCHEMA.encode())
    return conn


def test_rows_arrive_as_they_are(conn: psycopg.Connection) -> None:
    """Values are exact, names keep their case, and neither trigger nor order of tables matters."""
    with conn:
        assert copy_rows(conn, [CHILDREN, PARENTS]) == 3
        rows = conn.execute('SELECT "Id", "Note" FROM "Odd"."Child"').fetchall()
        assert rows == [(1, "tab\t, \\ and ä")]


def test_triggers_fire_again_afterwards(conn: psycopg.Connection) -> None:
    """The connection is left as it was."""
    with conn:
        copy_rows(conn, [PARENTS])
        assert conn.execute("SHOW session_replication_role").fetchone() == ("origin",)


def test_all_or_nothing(conn: psycopg.Connection) -> None:
    """A row that does not fit takes everything of the call back."""
    wrong = TableRows(table="Odd.Child", columns=("Id",), rows=[("x",)])
    with conn:
        with pytest.raises(InvalidTextRepresentation):
            copy_rows(conn, [PARENTS, wrong])
        assert conn.execute('SELECT count(*) FROM "Odd"."Parent"').fetchone() == (0,)


def test_statistics_are_fresh(conn: psycopg.Connection) -> None:
    """The planner knows how many rows there are as soon as they are."""
    with conn:
        copy_rows(conn, [PARENTS])
        query = "SELECT reltuples FROM pg_class WHERE relname = 'Parent'"
        assert conn.execute(query).fetchone() == (2.0,)


def children(*ids: int) -> TableRows:
    """Rows of the table with the trigger."""
    return TableRows(table="public.Child", columns=("Id",), rows=[(each,) for each in ids])


def test_rows_in_and_out(empty_database: Database) -> None:
    """A script, rows with parents first, a query with a parameter."""
    run_script(empty_database.dsn, SMALL)
    insert_rows(empty_database.dsn, [SMALL_PARENTS, children(1, 1)])
    assert read_rows(empty_database.dsn, 'SELECT * FROM "Child" WHERE "Id" = %s', [1]) == [
        (1,),
        (1,),
    ]
    assert read_rows(empty_database.dsn, "SELECT 5 % 2") == [(1,)]


def test_triggers_fire_and_keys_are_checked(empty_database: Database) -> None:
    """As for an application; and then nothing of the call is there."""
    run_script(empty_database.dsn, SMALL)
    with pytest.raises(RaiseException):
        insert_rows(empty_database.dsn, [SMALL_PARENTS, children(2)])
    with pytest.raises(ForeignKeyViolation):
        insert_rows(empty_database.dsn, [children(1)])
    assert read_rows(empty_database.dsn, 'SELECT * FROM "Parent"') == []


def test_a_query_changes_nothing(empty_database: Database) -> None:
    """A statement that would write is refused."""
    with pytest.raises(ReadOnlySqlTransaction):
        read_rows(empty_database.dsn, "CREATE TABLE t ()")
