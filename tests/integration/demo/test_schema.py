"""The reference schema: what makes an account active, what does not, and what stays together."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege

from tests import factories
from tests.database import Database
from tests.snapshot import diff, snapshot

OLD = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

CREDENTIALS = (
    "face_vectors",
    "face_templates",
    "authentication_vectors",
    "images",
    "extracted_data",
)


def test_creating_an_account_is_activity(database: Database) -> None:
    """An account that is created without a word about its activity is active from that moment."""
    with database.connect() as conn, conn.transaction():
        conn.execute("INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
        row = conn.execute(
            "INSERT INTO accounts (tenant_id, external_ref) VALUES ('acme', 'c-1') "
            "RETURNING last_activity_at = now()"
        ).fetchone()
    assert row == (True,)


@pytest.mark.parametrize("event", ["transaction", "upload", "completion", "authentication"])
def test_events_are_activity(database: Database, event: str) -> None:
    """Each event moves the last activity to its own time, and only within its transaction."""
    with database.connect() as conn, database.connect() as other:
        ids = factories.make_account(conn, last_activity=OLD, pending=1)
        with conn.transaction():
            _happen(conn, event, ids, NOW)
            assert factories.last_activity(conn, ids.account) == NOW
            assert factories.last_activity(other, ids.account) == OLD
        assert factories.last_activity(other, ids.account) == NOW


@pytest.mark.parametrize("event", ["transaction", "upload", "completion", "authentication"])
def test_a_rolled_back_event_is_no_activity(database: Database, event: str) -> None:
    """What did not happen in the end made nobody active."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD, pending=1)
        with conn.transaction(force_rollback=True):
            _happen(conn, event, ids, NOW)
        assert factories.last_activity(conn, ids.account) == OLD


def test_activity_never_moves_back(database: Database) -> None:
    """An event that is recorded late, with its true date, leaves the later activity."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=NOW, pending=1)
        for event in ("transaction", "upload", "completion", "authentication"):
            _happen(conn, event, ids, OLD)
        assert factories.last_activity(conn, ids.account) == NOW


def test_an_event_touches_its_own_account_alone(database: Database) -> None:
    """Another account, of the same tenant or of another, stays as it was."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD)
        others = [
            factories.make_account(conn, tenant=tenant, last_activity=OLD)
            for tenant in ("acme", "birch-bank")
        ]
        _happen(conn, "authentication", ids, NOW)
        assert {factories.last_activity(conn, other.account) for other in others} == {OLD}


def test_failing_and_machines_are_no_activity(database: Database) -> None:
    """Neither a failed authentication nor what the product itself stores makes anybody active."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD)
        factories.authenticate(conn, ids.account, NOW, succeeded=False)
        factories.add_image(conn, ids.transactions[0], NOW, kind="AUDIT")
        factories.add_face_template(conn, ids.transactions[0], NOW)
        conn.execute("UPDATE transactions SET status = 'DONE', country = 'SE'")
        conn.execute("UPDATE transactions SET status = 'EXPIRED'")
        assert factories.last_activity(conn, ids.account) == OLD


def test_reading_is_no_activity(database: Database) -> None:
    """Viewing and exporting everything changes nothing at all."""
    with database.connect() as conn:
        factories.make_account(conn, last_activity=OLD)
        before = snapshot(conn)
        for table in before:
            conn.execute(f"SELECT * FROM {table}".encode())
        assert diff(before, snapshot(conn)) == {}


def test_erasing_is_no_activity(database: Database) -> None:
    """Deleting or blanking every credential leaves the accounts as they were."""
    with database.connect() as conn:
        ids = factories.make_account(conn, last_activity=OLD, transactions=2)
        conn.execute("UPDATE extracted_data SET value = ''")
        conn.execute("UPDATE images SET object_uri = ''")
        for table in CREDENTIALS:
            conn.execute(f"DELETE FROM {table}".encode())
        assert factories.last_activity(conn, ids.account) == OLD


def test_no_row_trigger_fires_when_a_credential_goes(database: Database) -> None:
    """No trigger of a credential's table sees a DELETE, nor an UPDATE but the guards that are ours.

    So none wants acceptance.
    """
    with database.connect() as conn:
        found = conn.execute(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgtype & (8 | 16) <> 0 "
            "AND tgrelid::regclass::text = ANY (%s) AND NOT (tgtype & 8 = 0 "
            "AND starts_with(tgname, 'zz_no_recreation'))",
            (list(CREDENTIALS),),
        ).fetchall()
    assert found == []


def test_nothing_cascades(database: Database) -> None:
    """An account with rows cannot be deleted by accident: every reference refuses."""
    with database.connect() as conn:
        factories.make_account(conn, last_activity=OLD)
        with pytest.raises(ForeignKeyViolation):
            conn.execute("DELETE FROM accounts")
        rules = conn.execute(
            "SELECT DISTINCT confdeltype::text, confupdtype::text FROM pg_constraint "
            "WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        ).fetchall()
    assert rules == [("a", "a")]


def test_every_reference_has_an_index(database: Database) -> None:
    """Each foreign key is the beginning of an index: no join of the worker reads a whole table."""
    with database.connect() as conn:
        unindexed = conn.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' "
            "AND connamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_index "
            "WHERE indrelid = conrelid AND (indkey::int2[])[0] = conkey[1])"
        ).fetchall()
    assert unindexed == []


def test_every_table_says_its_class(database: Database) -> None:
    """The comment of each table begins with biometric, other or retained."""
    with database.connect() as conn:
        silent = conn.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace "
            "AND coalesce(obj_description(oid, 'pg_class'), '') !~ '^(biometric|other|retained): '"
        ).fetchall()
    assert silent == []


def test_the_role_may_do_what_the_map_needs(database: Database) -> None:
    """The worker's role locks accounts and deletes credentials, and can harm nothing else."""
    with database.connect() as conn, database.connect_worker() as worker:
        factories.make_account(conn, last_activity=OLD)
        worker.execute("SELECT id FROM public.accounts FOR UPDATE")
        for table in CREDENTIALS:
            worker.execute(f"DELETE FROM public.{table}".encode())
        for forbidden in (
            "DELETE FROM public.accounts",
            "UPDATE public.accounts SET last_activity_at = now()",
            "DELETE FROM public.transactions",
            "DELETE FROM public.verification_results",
            "INSERT INTO public.face_vectors (transaction_id, model, embedding) "
            "SELECT id, 'm', '' FROM public.transactions",
        ):
            with pytest.raises(InsufficientPrivilege):
                worker.execute(forbidden.encode())


def _happen(conn: psycopg.Connection, event: str, ids: factories.AccountIds, at: datetime) -> None:
    match event:
        case "transaction":
            factories.add_transaction(conn, ids.account, at)
        case "upload":
            factories.add_image(conn, ids.transactions[0], at)
        case "completion":
            factories.complete_transaction(conn, ids.transactions[0], at)
        case "authentication":
            factories.authenticate(conn, ids.account, at)
