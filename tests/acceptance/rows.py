"""Accounts of an age, and what is left of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg

from tests.factories import AccountIds, make_account


def idle(conn: psycopg.Connection, days: float, **details: Any) -> AccountIds:
    """An account that was last active so many days ago."""
    return make_account(conn, last_activity=datetime.now(UTC) - timedelta(days=days), **details)


def number(conn: psycopg.Connection, query: LiteralString, *values: Any) -> int:
    """The number that a query gives."""
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def counts(conn: psycopg.Connection) -> dict[str, int]:
    """The rows of every credential entry of the reference data map, by the entry's name."""
    return {
        "face vectors": number(conn, "SELECT count(*) FROM face_vectors"),
        "face templates": number(conn, "SELECT count(*) FROM face_templates"),
        "authentication vectors": number(conn, "SELECT count(*) FROM authentication_vectors"),
        "selfies and ID images": number(conn, "SELECT count(*) FROM images WHERE kind <> 'AUDIT'"),
        "extracted fields": number(conn, "SELECT count(*) FROM extracted_data"),
    }


def gone(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """How many rows of each entry went, those of which any did."""
    return {name: n for name in before if (n := before[name] - after[name])}


def ledger(conn: psycopg.Connection) -> dict[str, int]:
    """What the ledger says went."""
    rows = conn.execute(
        "SELECT key, sum(value::int)::int FROM retention.batch, jsonb_each_text(counts)"
        " GROUP BY key HAVING sum(value::int) > 0"
    ).fetchall()
    return dict(rows)
