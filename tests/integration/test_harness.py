"""What the other tests stand on: ages that are exact, and comparisons that miss nothing."""

from datetime import UTC, datetime, timedelta

from psycopg.conninfo import conninfo_to_dict

from tests import factories
from tests.database import Database
from tests.server import rewrite_url
from tests.snapshot import diff, snapshot

LAST = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)


def test_an_age_stands_to_the_microsecond(database: Database) -> None:
    """The factory's account is as old as asked, and no part of it is newer."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=LAST, transactions=3)
        assert factories.last_activity(conn, ids.account) == LAST
        factories.set_last_activity(conn, ids.account, LAST - timedelta(days=9))
        assert factories.last_activity(conn, ids.account) == LAST - timedelta(days=9)
        newest = conn.execute("SELECT max(created_at) FROM public.transactions").fetchone()
    assert newest == (LAST,)


def test_databases_are_the_tests_own(database: Database) -> None:
    """A copy of the template has both schemas, not one account, and a worker that may log in."""
    with database.connect_worker() as worker:
        assert worker.execute("SELECT count(*) FROM public.accounts").fetchone() == (0,)
        assert worker.execute("SELECT count(*) FROM retention.control").fetchone() == (1,)
        assert worker.execute("SELECT current_user").fetchone() == ("retention_worker",)


def test_a_difference_has_both_sides(database: Database) -> None:
    """A changed row is one that went and one that came; equal rows count each for itself."""
    with database.connect() as conn:
        conn.execute('CREATE SCHEMA "Other"; CREATE TABLE "Other"."T" (a int, b text)')
        conn.execute("""INSERT INTO "Other"."T" VALUES (1, 'x'), (1, 'x'), (2, NULL)""")
        before = snapshot(conn)
        assert diff(before, snapshot(conn)) == {}
        conn.execute("""DELETE FROM "Other"."T" WHERE ctid = '(0,1)'""")
        conn.execute("""UPDATE "Other"."T" SET b = '' WHERE a = 2""")
        changes = diff(before, snapshot(conn))
    assert changes.keys() == {"Other.T"}
    assert changes["Other.T"].removed == ["(1,x)", "(2,)"]
    assert changes["Other.T"].added == ['(2,"")']


def test_tables_and_schemas_can_be_left_out(database: Database) -> None:
    """`exclude` takes schema.table and whole schemas."""
    with database.connect() as conn:
        tables = snapshot(conn, exclude={"retention", "public.tenants"}).keys()
    assert "public.accounts" in tables
    assert not [table for table in tables if table.startswith("retention.")]
    assert "public.tenants" not in tables


def test_urls_keep_odd_characters() -> None:
    """Spaces and signs in a part of the URL come out as they went in."""
    odd = "a b+c/d@e?&%"
    url = rewrite_url("postgresql://u@h/d?application_name=x", password=odd, dbname=odd)
    parts = conninfo_to_dict(url)
    assert (parts["password"], parts["dbname"]) == (odd, odd)
    assert (parts["user"], parts["host"], parts["application_name"]) == ("u", "h", "x")
