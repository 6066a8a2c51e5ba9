"""A large population at little cost: half erased long ago, half not due for months."""

from __future__ import annotations

from datetime import timedelta

import psycopg

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.scope import Scope
from tests.config_folder import ConfigFolder
from tests.stage import NOW

LONG_AGO = NOW - timedelta(days=3000)
WATERMARK = NOW - timedelta(days=400)
YOUNG = NOW - timedelta(days=60)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

# Each account has a transaction; of those erased long ago only what stays is there.
_FILL = (
    """INSERT INTO tenants (id, name, created_at) VALUES ('acme', 'Acme', %(long_ago)s)""",
    """INSERT INTO accounts (tenant_id, external_ref, created_at, last_activity_at)
       SELECT 'acme', 'r' || n, %(long_ago)s,
              CASE WHEN n %% 2 = 0 THEN %(long_ago)s + n * interval '1 second'
                   ELSE %(young)s + n * interval '1 second' END
         FROM generate_series(1, %(accounts)s) AS n""",
    """INSERT INTO transactions
              (tenant_id, account_id, created_at, country, document_type, status)
       SELECT tenant_id, id, last_activity_at, 'DE', 'PASSPORT', 'DONE' FROM accounts""",
    """INSERT INTO face_vectors (transaction_id, model, embedding, created_at)
       SELECT t.id, m, decode(repeat('ab', 64), 'hex'), t.created_at
         FROM transactions t CROSS JOIN (VALUES ('a'), ('b')) AS v (m)
        WHERE t.created_at > %(watermark)s""",
    """INSERT INTO images (transaction_id, kind, object_uri, created_at)
       SELECT t.id, k, 's3://b/' || t.id, t.created_at
         FROM transactions t CROSS JOIN (VALUES ('SELFIE'), ('AUDIT')) AS v (k)
        WHERE k = 'AUDIT' OR t.created_at > %(watermark)s""",
    """INSERT INTO extracted_data (transaction_id, field, value, created_at)
       SELECT id, 'full_name', 'x', created_at FROM transactions
        WHERE created_at > %(watermark)s""",
    """INSERT INTO face_templates (transaction_id, template, created_at)
       SELECT id, 'x', created_at FROM transactions WHERE created_at > %(watermark)s""",
    """INSERT INTO authentication_vectors (account_id, embedding, created_at)
       SELECT id, 'x', last_activity_at FROM accounts WHERE last_activity_at > %(watermark)s""",
    """INSERT INTO retention.erasure (batch_id, tenant_id, kind, subject_id, scope,
              last_activity, complete, erased_at)
       SELECT 1, 'acme', 'account', id::text, scope, last_activity_at, true, %(young)s
         FROM accounts CROSS JOIN (VALUES ('biometrics'), ('all')) AS s (scope)
        WHERE last_activity_at < %(watermark)s""",
    """INSERT INTO retention.tenant (tenant_id) VALUES ('acme')""",
    """INSERT INTO retention.lane (tenant_id, scope, watermark_activity, watermark_id, map_digest,
              reconcile_digest, reconcile_started_at, reconciled_at)
       SELECT 'acme', scope, %(watermark)s::timestamptz::text, ARRAY[%(last_id)s], digest, digest,
              %(young)s, %(young)s
         FROM unnest(%(scopes)s::text[], %(digests)s::text[]) AS d (scope, digest)""",
)


def fill(conn: psycopg.Connection, config: ConfigFolder, accounts: int) -> None:
    """Fill an empty database, as if a worker had kept up with it for years."""
    datamap = load_datamap(config.path).datamap
    values = {
        "accounts": accounts,
        "long_ago": LONG_AGO,
        "young": YOUNG,
        "watermark": WATERMARK,
        "last_id": _LAST_ID,
        "scopes": list(Scope),
        "digests": [datamap.digest(scope) for scope in Scope],
    }
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("SET LOCAL timezone = 'UTC'")
        for statement in _FILL:
            conn.execute(statement, values)
    conn.execute("VACUUM ANALYZE")
