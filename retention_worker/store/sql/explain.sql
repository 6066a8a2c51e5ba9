-- name: known_as
-- The tenant that was last swept under a file's name, or under a value of the tenant column.
SELECT tenant_id, tenant FROM {schema}.policy
 WHERE tenant_id = %(tenant)s OR (tenant = %(tenant)s AND NOT %(only_value)s)
 ORDER BY id DESC LIMIT 1;

-- name: stops
-- How the tenant's lanes ended in the last sweep that had something to do.
SELECT scope, stop_reason, reason, waiting_since
  FROM {schema}.lane WHERE tenant_id = %(tenant)s;

-- name: deferrals
-- What keeps the account back, by scope; times as text, because one may be infinite.
SELECT scope, reason, detail, retry_at::text AS retry_at, active_at::text AS active_at,
       known_at::text AS known_at, attempts, since
  FROM {schema}.deferred WHERE tenant_id = %(tenant)s AND account_id = %(account)s;

-- name: applied
-- Since when the tenant's policy is in force without a break, if it is the one of that digest.
SELECT applied_at, digest FROM {schema}.policy
 WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 1;

-- name: erasures
-- What was erased of the account (since a time) and its transactions, newest first, and under which
-- policy.
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
   AND ((e.kind = 'account' AND e.subject_id = %(account)s
         AND (%(since)s::timestamptz IS NULL OR e.erased_at >= %(since)s::timestamptz))
        OR (e.kind = 'transaction' AND e.subject_id = ANY (%(transactions)s::text[])))
 ORDER BY e.id DESC LIMIT %(limit)s;

-- name: erased_entries
-- When rows of each entry last went in a batch that was the account's alone: what a batch of several
-- counts together may be another's.
SELECT n.name, max(e.erased_at) AS erased_at
  FROM {schema}.erasure e
  JOIN {schema}.batch b ON b.id = e.batch_id
 CROSS JOIN LATERAL jsonb_object_keys(b.counts) AS n (name)
 WHERE e.tenant_id = %(tenant)s
   AND ((e.kind = 'account' AND e.subject_id = %(account)s)
        OR (e.kind = 'transaction' AND e.subject_id = ANY (%(transactions)s::text[])))
   AND NOT EXISTS (SELECT 1 FROM {schema}.erasure o
                    WHERE o.batch_id = e.batch_id AND o.subject_id <> e.subject_id)
 GROUP BY n.name;

-- name: requests
-- Ad-hoc erasures of the account, or of a transaction of it, that are not finished.
SELECT kind, subject_id, scope, requested_at, due_by FROM {schema}.request
 WHERE tenant_id = %(tenant)s AND account_id = %(account)s AND state = 'open'
 ORDER BY id;
