"""The writer of generated rows: exact, all or nothing, and silent to triggers."""

import psycopg
import pytest
from psycopg.errors import InvalidTextRepresentation

from retention_worker.embedded.load import TableRows, copy_rows
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
