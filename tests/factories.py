"""Accounts of an explicit age in the reference schema, and the events that make them active."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count
from random import Random
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from retention_worker.demo.rows import COLUMNS, AccountSpec, account_rows

T = TypeVar("T")

# A generator of its own for each account: what one test draws never depends on another's.
_seeds = count()


@dataclass(frozen=True, kw_only=True)
class AccountIds:
    """The ids of an account and of its transactions, the oldest first."""

    tenant: str
    account: UUID
    transactions: tuple[UUID, ...]


def make_account(
    conn: psycopg.Connection,
    *,
    tenant: str = "acme",
    last_activity: datetime,
    account_id: UUID | None = None,
    **details: Any,
) -> AccountIds:
    """Insert an account with everything of its transactions; the tenant too where it is missing.

    Args:
        conn: a superuser's connection.
        tenant: the value of accounts.tenant_id.
        last_activity: aware; stands exactly, to the microsecond. All rows are as old, or older.
        account_id: drawn where it is not given.
        details: the further fields of `AccountSpec`: transactions, images, biometrics, extracted,
            authentications, pending, vector_bytes.
    """
    details.setdefault("vector_bytes", 8)
    spec = AccountSpec(tenant=tenant, last_activity=last_activity, **details)
    drawn = account_rows(Random(next(_seeds)), spec, account_id)
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.tenants (id, name, created_at) VALUES (%s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            (tenant, tenant, last_activity),
        )
        for table in COLUMNS:
            if table in drawn.tables:
                cursor.executemany(_insert(table), drawn.tables[table])
        set_last_activity(conn, drawn.id, last_activity)
    return AccountIds(tenant=tenant, account=drawn.id, transactions=tuple(drawn.transactions))


def set_last_activity(conn: psycopg.Connection, account: UUID, at: datetime) -> None:
    """Set an account's last activity outright, backwards too, which no event does."""
    conn.execute("UPDATE public.accounts SET last_activity_at = %s WHERE id = %s", (at, account))


def last_activity(conn: psycopg.Connection, account: UUID) -> datetime:
    """An account's last activity."""
    query = "SELECT last_activity_at FROM public.accounts WHERE id = %s"
    return _one(conn, datetime, query, account)


def add_transaction(conn: psycopg.Connection, account: UUID, at: datetime) -> UUID:
    """Begin a transaction, as the application does: the account becomes active."""
    return _one(
        conn,
        UUID,
        "INSERT INTO public.transactions (tenant_id, account_id, created_at, country,"
        " document_type) SELECT tenant_id, id, %s, 'DE', 'PASSPORT' FROM public.accounts"
        " WHERE id = %s RETURNING id",
        at,
        account,
    )


def complete_transaction(conn: psycopg.Connection, transaction: UUID, at: datetime) -> None:
    """Complete a transaction, as the application does: the account becomes active."""
    conn.execute(
        "UPDATE public.transactions SET status = 'DONE', decision = 'ACCEPTED', completed_at = %s"
        " WHERE id = %s",
        (at, transaction),
    )


def add_image(
    conn: psycopg.Connection, transaction: UUID, at: datetime, kind: str = "SELFIE"
) -> UUID:
    """Upload an image: the account becomes active, unless it is an AUDIT screenshot."""
    return _one(
        conn,
        UUID,
        "INSERT INTO public.images (transaction_id, kind, object_uri, created_at)"
        " VALUES (%s, %s, 's3://sample-images/' || gen_random_uuid(), %s) RETURNING id",
        transaction,
        kind,
        at,
    )


def add_face_template(conn: psycopg.Connection, transaction: UUID, at: datetime) -> int:
    """Store a face template: a credential that can be newer than the account's last activity."""
    return _one(
        conn,
        int,
        "INSERT INTO public.face_templates (transaction_id, template, created_at)"
        " VALUES (%s, '\\x00', %s) RETURNING id",
        transaction,
        at,
    )


def authenticate(
    conn: psycopg.Connection, account: UUID, at: datetime, *, succeeded: bool = True
) -> UUID:
    """Authenticate: the account becomes active, unless that fails."""
    return _one(
        conn,
        UUID,
        "INSERT INTO public.authentications (account_id, succeeded, created_at)"
        " VALUES (%s, %s, %s) RETURNING id",
        account,
        succeeded,
        at,
    )


def _insert(table: str) -> Composed:
    columns = COLUMNS[table]
    return SQL("INSERT INTO {} ({}) VALUES ({})").format(
        Identifier(*table.split(".")),
        SQL(", ").join(map(Identifier, columns)),
        SQL(", ").join(SQL("%s") for _ in columns),
    )


def _one(conn: psycopg.Connection, kind: type[T], query: LiteralString, *values: Any) -> T:
    row = conn.execute(query, values).fetchone()
    assert row is not None
    assert isinstance(row[0], kind)
    return row[0]
