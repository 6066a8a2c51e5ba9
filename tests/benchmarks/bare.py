"""The alternatives to the worker: what people write, or run, to get rid of old rows.

All of them erase the same rows of the same accounts. None but the fair giant looks again, locks,
keeps books or queues objects; that is what `bare` means in the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from tests.benchmarks.population import CUTOFF_DAYS, NOW, TABLES

__all__ = ["BARE", "CUTOFF", "Contender", "delete_of"]

Contender = Callable[[psycopg.Connection], int]
"""Erases what is due on an autocommit connection; gives the rows that it erased."""

CUTOFF = NOW - timedelta(days=CUTOFF_DAYS)
# Of row-at-a-time only so many: every one costs the same, and all of them would take minutes.
_SINGLE_ROWS = 2_000
_NIBBLE = 1_000
_OBJECTS = 100

_KINDS = "c.kind IN ('SELFIE', 'ID_FRONT', 'ID_BACK')"


def _parent(table: str) -> str:
    return "account" if table == "authentication_vectors" else "transaction"


def _where(table: str) -> str:
    return f" AND {_KINDS}" if table == "images" else ""


def _sql(text: str, **names: str) -> Composed:
    return SQL(text).format(**{key: Identifier(value) for key, value in names.items()})


def giant(conn: psycopg.Connection) -> int:
    """One DELETE a table, all in one transaction: the ceiling."""
    rows = 0
    with conn.transaction():
        for table in TABLES:
            using = "accounts AS a"
            join = "c.account_id = a.id"
            if _parent(table) == "transaction":
                using = "transactions AS t JOIN accounts AS a ON a.id = t.account_id"
                join = "c.transaction_id = t.id"
            query = (
                f"DELETE FROM {table} AS c USING {using} WHERE {join} "
                f"AND a.last_activity_at <= %s{_where(table)}"
            )
            rows += conn.execute(query.encode(), (CUTOFF,)).rowcount
    return rows


def fair_giant(conn: psycopg.Connection) -> int:
    """The same with the worker's duties: lock the accounts, write the tombstones and the outbox."""
    rows = 0
    with conn.transaction():
        conn.execute(
            "CREATE TEMP TABLE due ON COMMIT DROP AS SELECT NULL::uuid AS id, "
            "NULL::timestamptz AS at, NULL::text AS tenant WHERE FALSE"
        )
        conn.execute(
            "WITH locked AS (SELECT id, last_activity_at, tenant_id FROM accounts "
            "WHERE last_activity_at <= %s ORDER BY id FOR UPDATE) INSERT INTO due TABLE locked",
            (CUTOFF,),
        )
        conn.execute("ANALYZE due")
        for table in TABLES:
            rows += _fairly(conn, table)
        conn.execute(_TOMBSTONES, {"now": NOW})
    return rows


# The same columns, and the same proof of each row, as the worker's own statement.
_TOMBSTONES = """
    WITH numbered AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('retention.erasure', 'id')) AS id, d.id::text
               AS subject_id, d.tenant, d.at FROM due d)
    INSERT INTO retention.erasure (id, batch_id, tenant_id, kind, subject_id, scope,
           last_activity, complete, erased_at, line_hash)
    OVERRIDING SYSTEM VALUE
    SELECT id, 1, tenant, 'account', subject_id, 'all', at, TRUE, %(now)s,
           sha256(convert_to(concat_ws(' ', id, 1, to_json(tenant), 'account', to_json(subject_id),
                  'all', to_json(at AT TIME ZONE 'UTC'), TRUE,
                  to_json(%(now)s::timestamptz AT TIME ZONE 'UTC')), 'UTF8'))
      FROM numbered"""


def _fairly(conn: psycopg.Connection, table: str) -> int:
    if table == "authentication_vectors":
        query = "DELETE FROM authentication_vectors AS c USING due AS d WHERE c.account_id = d.id"
        return conn.execute(query).rowcount
    gone = (
        f"DELETE FROM {table} AS c USING transactions AS t, due AS d "
        f"WHERE t.account_id = d.id AND c.transaction_id = t.id{_where(table)}"
    )
    if table != "images":
        return conn.execute(gone.encode()).rowcount
    query = (
        f"WITH gone AS ({gone} RETURNING d.id, d.tenant, c.object_uri), queued AS ("
        "INSERT INTO retention.object_deletion (tenant_id, account_id, batch_id, entry, uri, "
        "shared, queued_at, retry_at) SELECT tenant, id::text, 1, 'selfies and ID images', "
        "object_uri, FALSE, %(now)s, %(now)s FROM gone RETURNING 1) SELECT count(*) FROM queued"
    )
    return _number(conn, query, {"now": NOW})


def delete_of(conn: psycopg.Connection, accounts: Sequence[UUID]) -> int:
    """Delete the credentials of some accounts: a statement a table, and nothing else."""
    rows = 0
    for table in TABLES:
        through = "c.account_id = ANY (%s)"
        if _parent(table) == "transaction":
            through = (
                "c.transaction_id IN (SELECT id FROM transactions WHERE account_id = ANY (%s))"
            )
        query = f"DELETE FROM {table} AS c WHERE {through}{_where(table)}"
        rows += conn.execute(query.encode(), (list(accounts),)).rowcount
    return rows


def temp_table(conn: psycopg.Connection) -> int:
    """As Matrix Synapse purges history: a temporary table of ids, an index, a DELETE a table."""
    rows = 0
    with conn.transaction():
        conn.execute(
            "CREATE TEMP TABLE to_purge ON COMMIT DROP AS SELECT a.id AS account_id, "
            "t.id AS transaction_id FROM accounts a JOIN transactions t ON t.account_id = a.id "
            "WHERE a.last_activity_at <= %s",
            (CUTOFF,),
        )
        conn.execute("CREATE INDEX ON to_purge (transaction_id)")
        conn.execute("CREATE INDEX ON to_purge (account_id)")
        for table in TABLES:
            key = f"{_parent(table)}_id"
            query = (
                f"DELETE FROM {table} AS c WHERE c.{key} IN (SELECT {key} FROM to_purge)"
                f"{_where(table)}"
            )
            rows += conn.execute(query.encode()).rowcount
    return rows


def archiver(conn: psycopg.Connection) -> int:
    """Shaped like pt-archiver --purge --limit 1000 --commit-each, which knows only MySQL.

    Rebuilt from its documented behaviour: a table after the other, walked up its primary key; each
    nibble is selected, each of its rows deleted by its own key, then it is committed.
    """
    return sum(_nibbles(conn, table, bulk=False) for table in TABLES)


def bulk_archiver(conn: psycopg.Connection) -> int:
    """The same with --bulk-delete: a nibble goes by its range of keys and the condition."""
    return sum(_nibbles(conn, table, bulk=True) for table in TABLES)


def _nibbles(conn: psycopg.Connection, table: str, *, bulk: bool) -> int:
    key = f"{_parent(table)}_id"
    due = (
        "SELECT id FROM accounts WHERE last_activity_at <= %(cutoff)s"
        if key == "account_id"
        else "SELECT t.id FROM transactions t JOIN accounts a ON a.id = t.account_id "
        "WHERE a.last_activity_at <= %(cutoff)s"
    )
    condition = f"c.{key} IN ({due}){_where(table)}"
    first = (
        f"SELECT c.* FROM {table} AS c WHERE {condition} "
        "AND (%(after)s::text IS NULL OR c.id > %(after)s::{kind}) ORDER BY c.id LIMIT %(limit)s"
    )
    kind = "uuid" if table == "images" else "bigint"
    delete = (
        f"DELETE FROM {table} AS c WHERE c.id >= %(first)s::{kind} AND c.id <= %(last)s::{kind} "
        f"AND {condition}"
    )
    one = f"DELETE FROM {table} WHERE id = %s"
    rows, after = 0, None
    while True:
        values: dict[str, Any] = {"cutoff": CUTOFF, "after": after, "limit": _NIBBLE}
        with conn.transaction():
            found = conn.execute(first.replace("{kind}", kind).encode(), values).fetchall()
            if not found:
                return rows
            after = str(found[-1][0])
            values |= {"first": str(found[0][0]), "last": after}
            if bulk:
                rows += conn.execute(delete.encode(), values).rowcount
                continue
            for row in found:
                rows += conn.execute(one.encode(), (row[0],), prepare=True).rowcount


def orm(conn: psycopg.Connection) -> int:
    """As an ORM does: load a hundred accounts with all that hangs on them, delete by id."""
    rows = 0
    accounts = _ids(conn, "SELECT id FROM accounts WHERE last_activity_at <= %s", CUTOFF)
    for start in range(0, len(accounts), _OBJECTS):
        some = accounts[start : start + _OBJECTS]
        with conn.transaction():
            conn.execute("SELECT * FROM accounts WHERE id = ANY (%s)", (some,)).fetchall()
            transactions = [
                row[0]
                for row in conn.execute(
                    "SELECT * FROM transactions WHERE account_id = ANY (%s)", (some,)
                )
            ]
            for table in TABLES:
                parents = some if table == "authentication_vectors" else transactions
                loaded = conn.execute(
                    f"SELECT * FROM {table} AS c WHERE c.{_parent(table)}_id = ANY (%s)"
                    f"{_where(table)}".encode(),
                    (parents,),
                ).fetchall()
                ids = [row[0] for row in loaded]
                for place in range(0, len(ids), _OBJECTS):
                    rows += conn.execute(
                        f"DELETE FROM {table} WHERE id = ANY (%s)".encode(),
                        (ids[place : place + _OBJECTS],),
                    ).rowcount
    return rows


def single(conn: psycopg.Connection) -> int:
    """A script with a loop: every row by its id in a transaction of its own; the first of them."""
    accounts = _ids(
        conn,
        "SELECT id FROM accounts WHERE last_activity_at <= %s ORDER BY id LIMIT %s",
        CUTOFF,
        _SINGLE_ROWS // 25,
    )
    rows = 0
    for account in accounts:
        for table in TABLES:
            through = "c.account_id = %s"
            if _parent(table) == "transaction":
                through = (
                    "c.transaction_id IN (SELECT t.id FROM transactions t WHERE t.account_id = %s)"
                )
            ids = _ids(
                conn, f"SELECT c.id FROM {table} AS c WHERE {through}{_where(table)}", account
            )
            for each in ids:
                rows += conn.execute(
                    f"DELETE FROM {table} WHERE id = %s".encode(), (each,)
                ).rowcount
    return rows


def _ids(conn: psycopg.Connection, query: str, *values: Any) -> list[Any]:
    return [row[0] for row in conn.execute(query.encode(), values)]


def _number(conn: psycopg.Connection, query: str, values: Any) -> int:
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


BARE: dict[str, Contender] = {
    "giant DELETE": giant,
    "fair giant": fair_giant,
    "temp table (Synapse)": temp_table,
    "pt-archiver-like": archiver,
    "pt-archiver, bulk": bulk_archiver,
    "ORM-like": orm,
    "row at a time": single,
}
