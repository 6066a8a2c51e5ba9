"""An account of what happened that the worker has no part in: triggers of a superuser's.

Each credential that goes is noted with whom it belonged to at that moment, how active that account
was and in which database transaction it went; each that comes too; each watermark that moves back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from tests.config_folder import ConfigFolder

# Data-map entry -> its table, and whether it hangs on a transaction or on the account.
ENTRIES = {
    "face vectors": ("face_vectors", "transaction"),
    "face templates": ("face_templates", "transaction"),
    "authentication vectors": ("authentication_vectors", "account"),
    "selfies and ID images": ("images", "transaction"),
    "extracted fields": ("extracted_data", "transaction"),
}
BIOMETRIC = frozenset({"face vectors", "face templates", "authentication vectors"})
TRIGGER = "audit_gone"

_SCHEMA = """
CREATE SCHEMA audit;
CREATE TABLE audit.gone (
    entry text, pk text, account text, tenant text, activity timestamptz,
    xid text, statement_at timestamptz, audit_image boolean);
CREATE TABLE audit.came (entry text, pk text);
CREATE TABLE audit.back (tenant text, scope text, was text, now text);

CREATE FUNCTION audit.note_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    owner uuid;
    row jsonb := to_jsonb(OLD);
BEGIN
    owner := (row ->> 'account_id')::uuid;
    IF owner IS NULL THEN
        SELECT account_id INTO owner FROM public.transactions
         WHERE id = (row ->> 'transaction_id')::uuid;
    END IF;
    INSERT INTO audit.gone
    SELECT TG_ARGV[0], row ->> 'id', a.id::text, a.tenant_id, a.last_activity_at,
           pg_current_xact_id()::xid::text, statement_timestamp(),
           COALESCE(row ->> 'kind' = 'AUDIT', FALSE)
      FROM (SELECT 1) AS always LEFT JOIN public.accounts a ON a.id = owner;
    RETURN NULL;
END $$;

CREATE FUNCTION audit.note_came() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF COALESCE(to_jsonb(NEW) ->> 'kind', '') <> 'AUDIT' THEN
        INSERT INTO audit.came VALUES (TG_ARGV[0], to_jsonb(NEW) ->> 'id');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION audit.note_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF OLD.watermark_activity IS NOT NULL AND (
        NEW.watermark_activity IS NULL
        OR (NEW.watermark_activity::timestamptz, NEW.watermark_id[1]::uuid)
         < (OLD.watermark_activity::timestamptz, OLD.watermark_id[1]::uuid)) THEN
        INSERT INTO audit.back
        VALUES (OLD.tenant_id, OLD.scope, OLD.watermark_activity, NEW.watermark_activity);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_back BEFORE UPDATE ON retention.lane
    FOR EACH ROW EXECUTE FUNCTION audit.note_back();
"""


def install(conn: psycopg.Connection, config: ConfigFolder) -> None:
    """Put the triggers up, and have the data map accept them."""
    conn.execute(_SCHEMA)
    for entry, (table, _) in ENTRIES.items():
        names = {"table": Identifier("public", table), "entry": Literal(entry)}
        conn.execute(
            SQL(
                "CREATE TRIGGER audit_gone AFTER DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION audit.note_gone({entry})"
            ).format(**names)
        )
        conn.execute(
            SQL(
                "CREATE TRIGGER audit_came AFTER INSERT ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION audit.note_came({entry})"
            ).format(**names)
        )
    accept(config, *(f"public.{table}.{TRIGGER}" for table, _ in ENTRIES.values()))


def accept(config: ConfigFolder, *triggers: str) -> None:
    """Have the data map accept triggers, besides those that it accepts already."""
    path = Path(config.datamap)
    head, _, now = path.read_text("utf-8").partition("accepted_triggers: ")
    accepted = [each for each in now.strip(" []\n").split(", ") if each]
    path.write_text(f"{head}accepted_triggers: [{', '.join([*accepted, *triggers])}]\n", "utf-8")


@dataclass(frozen=True, kw_only=True)
class Merge:
    """The application moved transactions to another account, and had it acknowledged then."""

    source: str
    target: str
    transactions: tuple[str, ...]
    acknowledged: datetime


def check(conn: psycopg.Connection, loaded: dict[str, int], merges: list[Merge]) -> None:
    """The invariants that hold at every moment, whatever was killed.

    Args:
        conn: a superuser's.
        loaded: rows by entry when the triggers were put up.
        merges: what the application knows that it has merged.
    """
    check_committed(conn, merges)
    _check_counts(conn, loaded)


def check_committed(conn: psycopg.Connection, merges: list[Merge]) -> None:
    """What can be said while others go on: `merges` has every one that was acknowledged by now.

    In one snapshot, so that a batch is seen with all that it did.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _check_committed(conn, merges)


def _check_committed(conn: psycopg.Connection, merges: list[Merge]) -> None:
    assert _rows(conn, "SELECT * FROM audit.back") == []
    _check_batches(conn)
    _check_nobody_twice(conn, merges)
    _check_accounts(conn, merges)


def count_entries(conn: psycopg.Connection) -> dict[str, int]:
    """How many rows each entry has."""
    found = {}
    for entry, (table, _) in ENTRIES.items():
        only = SQL(" WHERE kind <> 'AUDIT'") if table == "images" else SQL("")
        query = SQL("SELECT count(*) FROM {}").format(Identifier("public", table)) + only
        found[entry] = int(_rows(conn, query)[0][0])
    return found


def _check_counts(conn: psycopg.Connection, loaded: dict[str, int]) -> None:
    """What was there and what came, less what went by the ledger, is what is there."""
    came = dict(_rows(conn, "SELECT entry, count(*) FROM audit.came GROUP BY entry"))
    gone = dict(
        _rows(
            conn,
            "SELECT key, sum(value::int) FROM retention.batch, jsonb_each_text(counts) "
            "GROUP BY key",
        )
    )
    left = count_entries(conn)
    assert left == {
        entry: loaded[entry] + came.get(entry, 0) - gone.get(entry, 0) for entry in loaded
    }


def _check_batches(conn: psycopg.Connection) -> None:
    """Each batch counts what went in its database transaction, of its scope and its tenant."""
    counted = _rows(
        conn,
        "SELECT xmin::text, key, value::int FROM retention.batch, jsonb_each_text(counts)",
    )
    seen = _rows(conn, "SELECT xid, entry, count(*)::int FROM audit.gone GROUP BY xid, entry")
    assert sorted(counted) == sorted(seen)
    wrong_class = (
        "SELECT g.* FROM audit.gone g JOIN retention.batch b ON b.xmin::text = g.xid "
        "WHERE b.scope = 'biometrics' AND g.entry <> ALL (%s)"
    )
    assert _rows(conn, wrong_class, list(BIOMETRIC)) == []
    assert _rows(conn, "SELECT * FROM audit.gone WHERE audit_image") == []
    wrong_tenant = (
        "SELECT g.* FROM audit.gone g JOIN retention.batch b ON b.xmin::text = g.xid "
        "WHERE g.tenant IS DISTINCT FROM b.tenant_id"
    )
    assert _rows(conn, wrong_tenant) == []
    objects = _rows(
        conn,
        "SELECT count(*), (SELECT sum(objects) FROM retention.batch) "
        "FROM retention.object_deletion",
    )
    assert objects[0][0] == (objects[0][1] or 0)


def _check_nobody_twice(conn: psycopg.Connection, merges: list[Merge]) -> None:
    """An account is erased for what it has: a second worker finds nothing, and writes nothing."""
    empty = (
        "SELECT e.subject_id FROM retention.erasure e JOIN retention.batch b ON b.id = e.batch_id "
        "WHERE e.complete AND NOT EXISTS (SELECT 1 FROM audit.gone g "
        "WHERE g.xid = b.xmin::text AND g.account = e.subject_id) "
        # Of one that went in parts, the last part may find nothing.
        "AND NOT EXISTS (SELECT 1 FROM retention.erasure p WHERE NOT p.complete "
        "AND (p.subject_id, p.scope) = (e.subject_id, e.scope))"
    )
    # A merge may take everything away between the look and the erasure.
    assert {account for (account,) in _rows(conn, empty)} <= {each.source for each in merges}


def _check_accounts(conn: psycopg.Connection, merges: list[Merge]) -> None:
    """What went belonged to an account of its batch, inactive since the cutoff, under its lock.

    A merge that commits while a statement runs may come too late for the rows which that
    statement has before it; one that was acknowledged before it began may not.
    """
    late = (
        "SELECT subject_id FROM retention.erasure e JOIN retention.batch b ON b.id = e.batch_id "
        "WHERE e.last_activity > b.cutoff"
    )
    assert _rows(conn, late) == []
    strangers = _rows(
        conn,
        "SELECT g.entry, g.pk, g.account, g.activity, g.statement_at, b.cutoff FROM audit.gone g "
        "JOIN retention.batch b ON b.xmin::text = g.xid "
        "WHERE g.activity > b.cutoff OR NOT EXISTS (SELECT 1 FROM retention.erasure e "
        "WHERE e.batch_id = b.id AND e.subject_id = g.account)",
    )
    for entry, pk, account, activity, statement_at, cutoff in strangers:
        into = [each for each in merges if each.target == account]
        assert into, f"{entry} {pk} of {account}, active at {activity} after {cutoff}"
        assert any(each.acknowledged >= statement_at for each in into), (entry, pk, account)


def _rows(conn: psycopg.Connection, query: Any, *values: Any) -> list[tuple[Any, ...]]:
    return conn.execute(query, values).fetchall()
