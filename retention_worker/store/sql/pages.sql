-- name: objects
-- The tenant's objects whose rows are gone, by state.
SELECT state, count(DISTINCT uri) AS objects FROM {schema}.object_deletion
 WHERE tenant_id = %(tenant)s GROUP BY state ORDER BY state;

-- name: requests
-- The tenant's ad-hoc erasures that are not finished, the oldest first.
SELECT deletion, kind, subject_id, scope, requested_at, due_by, actor FROM {schema}.request
 WHERE tenant_id = %(tenant)s AND state = 'open' ORDER BY id LIMIT %(limit)s;

-- name: batches
-- A page of the tenant's ledger, newest first: a page of each scope, by the index that has both.
SELECT b.id, b.scope, b.source, b.accounts, b.counts, b.objects, b.erased_at, b.policy_digest,
       b.cutoff, r.actor, r.reason, r.deletion
  FROM (VALUES ('biometrics'), ('all')) AS s (scope)
 CROSS JOIN LATERAL (
       SELECT * FROM {schema}.batch b
        WHERE b.tenant_id = %(tenant)s AND b.scope = s.scope
          AND (%(before)s::bigint IS NULL OR b.id < %(before)s)
        ORDER BY b.id DESC LIMIT %(limit)s) AS b
  LEFT JOIN {schema}.request r ON r.id = b.request_id
 ORDER BY b.id DESC LIMIT %(limit)s;

-- name: erased
-- A page of a batch's accounts and transactions.
SELECT e.id, e.kind, e.subject_id, e.scope, e.complete, e.erased_at
  FROM {schema}.erasure e
 WHERE e.batch_id = %(batch)s AND e.tenant_id = %(tenant)s AND e.id > %(after)s
 ORDER BY e.id LIMIT %(limit)s;
