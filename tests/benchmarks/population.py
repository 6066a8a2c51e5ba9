"""A database of an identity-verification product with people whose time is over, made by SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

__all__ = ["CUTOFF_DAYS", "NOW", "TABLES", "Size", "fill", "fill_small", "tenants_of"]

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
# The period of every policy here; the due are older by a month and more, the others far younger.
CUTOFF_DAYS = 360
_DUE, _LIVE = NOW - timedelta(days=500), NOW - timedelta(days=200)

# Where credentials are, children first, and how to get from `t` or `a` to them.
TABLES = ("face_vectors", "face_templates", "images", "extracted_data", "authentication_vectors")

# Account ids follow from a number, so that pgbench can name one without asking.
_STATEMENTS = (
    """INSERT INTO tenants (id, name, created_at)
       SELECT 't' || n, 'T', %(live)s FROM generate_series(0, %(tenants)s - 1) AS n""",
    """INSERT INTO accounts (id, tenant_id, external_ref, created_at, last_activity_at)
       SELECT md5('account' || n)::uuid, 't' || n %% %(tenants)s, 'r' || n, %(due)s,
              CASE WHEN n <= %(due_accounts)s THEN %(due)s + n * interval '1 second'
                   ELSE %(live)s + n * interval '1 second' END
         FROM generate_series(1, %(accounts)s) AS n
        ORDER BY CASE WHEN %(scattered)s THEN md5(n::text) END, n""",
    """INSERT INTO transactions
              (tenant_id, account_id, created_at, country, document_type, status, decision)
       SELECT tenant_id, id, last_activity_at, 'DE', 'PASSPORT', 'DONE', 'ACCEPTED'
         FROM accounts CROSS JOIN generate_series(1, %(transactions)s)""",
    """INSERT INTO face_vectors (transaction_id, model, embedding, created_at)
       SELECT t.id, m, decode(repeat(md5(t.id::text || m), 32), 'hex'), t.created_at
         FROM transactions t CROSS JOIN (VALUES ('selfie'), ('document')) AS v (m)""",
    """INSERT INTO face_templates (transaction_id, template, created_at)
       SELECT id, decode(repeat(md5(id::text), 32), 'hex'), created_at FROM transactions""",
    """INSERT INTO images (transaction_id, kind, object_uri, created_at)
       SELECT t.id, k, 's3://kyc/' || t.id || '/' || k, t.created_at FROM transactions t
        CROSS JOIN (VALUES ('SELFIE'), ('ID_FRONT'), ('ID_BACK'), ('AUDIT')) AS v (k)""",
    """INSERT INTO extracted_data (transaction_id, field, value, created_at)
       SELECT t.id, 'field' || f, md5(t.id::text || f), t.created_at
         FROM transactions t CROSS JOIN generate_series(1, 6) AS f""",
    """INSERT INTO verification_results (transaction_id, check_name, outcome, created_at)
       SELECT id, 'liveness', 'PASSED', created_at FROM transactions""",
    """INSERT INTO authentication_vectors (account_id, embedding, created_at)
       SELECT id, decode(repeat(md5(id::text), 32), 'hex'), last_activity_at FROM accounts""",
)


_SMALL = """INSERT INTO authentication_vectors (account_id, embedding, created_at)
            SELECT id, 'x', last_activity_at FROM accounts"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Accounts in all, those that are due, transactions of each, and tenants that share them.

    `scattered`: the due ones lie anywhere on disk, which is the worst that can be; otherwise in the
    order of time, as where most people are verified once and do not come back.
    """

    accounts: int
    due: int
    transactions: int = 2
    tenants: int = 1
    scattered: bool = True

    @property
    def due_rows(self) -> int:
        """Credential rows of the due accounts: 12 a transaction, and one of the account's own."""
        return self.due * (12 * self.transactions + 1)


def fill(conn: psycopg.Connection, size: Size) -> None:
    """Fill an empty reference schema; the first `size.due` accounts by number are due."""
    _fill(conn, size, _STATEMENTS)


def fill_small(conn: psycopg.Connection, size: Size) -> None:
    """The same with one small credential an account, where their number alone is the subject."""
    _fill(conn, size, (*_STATEMENTS[:2], _SMALL))


def _fill(conn: psycopg.Connection, size: Size, statements: tuple[str, ...]) -> None:
    values = {
        "tenants": size.tenants,
        "accounts": size.accounts,
        "due_accounts": size.due,
        "transactions": size.transactions,
        "scattered": size.scattered,
        "due": _DUE,
        "live": _LIVE,
    }
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("SET LOCAL timezone = 'UTC'")
        for statement in statements:
            conn.execute(statement, values)
    conn.execute("VACUUM ANALYZE")


def tenants_of(size: Size) -> list[str]:
    """The tenants' ids."""
    return [f"t{number}" for number in range(size.tenants)]
