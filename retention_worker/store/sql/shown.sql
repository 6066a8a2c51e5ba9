-- name: erasures
-- The first complete erasures of a transaction: its own, and those of its account that came after it.
SELECT e.kind, e.subject_id, e.scope, e.last_activity::text AS last_activity, e.erased_at,
       b.source, b.policy_digest, p.tenant, p.effective, p.revision, p.applied_at
  FROM {schema}.erasure e
  JOIN {schema}.batch b ON b.id = e.batch_id
  LEFT JOIN LATERAL (
       SELECT p.tenant, p.effective, p.revision, p.applied_at FROM {schema}.policy p
        WHERE p.tenant_id = b.tenant_id AND p.digest = b.policy_digest
          AND p.applied_at <= b.erased_at
        ORDER BY p.id DESC LIMIT 1) AS p ON TRUE
 WHERE e.tenant_id = %(tenant)s AND e.complete
   AND ((e.kind = 'transaction' AND e.subject_id = %(transaction)s)
        OR (e.kind = 'account' AND e.subject_id = %(account)s
            AND (%(created_at)s::timestamptz IS NULL OR e.erased_at >= %(created_at)s::timestamptz)))
 ORDER BY e.id LIMIT %(limit)s;

-- name: objects
-- Objects that erasures of the transaction, or of its account, queued and that are not gone yet.
SELECT o.entry, o.state, count(*) AS objects
  FROM {schema}.object_deletion o
  JOIN {schema}.batch b ON b.id = o.batch_id
  LEFT JOIN {schema}.request r ON r.id = b.request_id
 WHERE o.tenant_id = %(tenant)s AND o.account_id = %(account)s
   AND (r.id IS NULL OR r.kind = 'account' OR r.subject_id = %(transaction)s)
 GROUP BY o.entry, o.state;
