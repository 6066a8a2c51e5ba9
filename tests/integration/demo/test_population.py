"""A population in the database: every row arrives, of the age that was asked for."""

from datetime import UTC, datetime, timedelta

from retention_worker.demo.population import Cohort, population, tenant_rows
from retention_worker.demo.rows import AccountSpec
from retention_worker.embedded.tables import copy_rows
from tests.database import Database
from tests.snapshot import snapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUPS = (
    Cohort(
        accounts=21,
        youngest=timedelta(days=0),
        oldest=timedelta(days=200),
        example=AccountSpec(tenant="acme", last_activity=NOW, transactions=2, vector_bytes=16),
    ),
    Cohort(
        accounts=5,
        youngest=timedelta(days=10),
        oldest=timedelta(days=10),
        example=AccountSpec(tenant="elm", last_activity=NOW, biometrics=False, vector_bytes=16),
    ),
)
# 21 accounts with two transactions and 5 with one make 47 transactions.
EXPECTED = {
    "public.tenants": 2,
    "public.accounts": 26,
    "public.transactions": 47,
    "public.images": 47 * 4,
    "public.extracted_data": 47 * 3,
    "public.face_vectors": 42 * 2,
    "public.face_templates": 42,
    "public.verification_results": 47 * 3,
    "public.authentications": 26,
    "public.authentication_vectors": 21,
}


def load(database: Database) -> int:
    """Load tenants and groups; return the rows that were copied."""
    tenants = copy_rows(database.dsn, [tenant_rows(["acme", "elm"], created_at=NOW)])
    return tenants + copy_rows(database.dsn, population(GROUPS, now=NOW))


def test_counts(database: Database) -> None:
    """Each table holds what the groups amount to, and the writer says how much that was."""
    assert load(database) == sum(EXPECTED.values())
    with database.connect() as conn:
        rows = snapshot(conn, exclude={"retention"})
    assert {table: len(texts) for table, texts in rows.items()} == EXPECTED


def test_loading_is_no_activity(database: Database) -> None:
    """The last activity stands as it was drawn: 20 of acme's 21 are 10 days old or older."""
    load(database)
    with database.connect() as conn:
        query = "SELECT tenant_id, count(*) FROM accounts WHERE last_activity_at <= %s GROUP BY 1"
        rows = conn.execute(query, (NOW - timedelta(days=10),)).fetchall()
    assert dict(rows) == {"acme": 20, "elm": 5}


def test_every_reference_holds(database: Database) -> None:
    """The writer checks no foreign key, so that this does: each of them finds its row."""
    load(database)
    with database.connect() as conn:
        keys = conn.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        ).fetchall()
        assert keys
        for table, name, definition in keys:
            # Adding it once more makes PostgreSQL look at every row.
            conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name}_again {definition}".encode())
