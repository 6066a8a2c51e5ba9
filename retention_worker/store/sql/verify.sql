-- name: unhurried
-- For this transaction: whole tables are read, and each statement may take its time, not for ever.
SELECT set_config('statement_timeout', %(timeout)s, true), set_config('enable_seqscan', 'on', true);

-- name: tenants
-- Every tenant that the worker has ever dealt with.
SELECT tenant_id FROM {schema}.tenant
UNION SELECT tenant_id FROM {schema}.erasure
UNION SELECT tenant_id FROM {schema}.policy;

-- name: applied_tenants
-- Tenants of which a policy was applied, by the name of its file then.
SELECT DISTINCT ON (tenant_id) tenant_id, tenant FROM {schema}.policy ORDER BY tenant_id, id DESC;

-- name: applied
-- Every policy that was ever applied: what an erasure under its digest must have waited for.
SELECT DISTINCT tenant_id, digest, effective ->> 'all_credentials' AS all_credentials,
       effective ->> 'biometrics' AS biometrics
  FROM {schema}.policy WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s;

-- name: stopped_lanes
-- Lanes that wait for a person's approval, or got it after an instant.
SELECT tenant_id, scope FROM {schema}.lane
 WHERE stop_reason = 'waiting' AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
UNION
SELECT tenant_id, scope FROM {schema}.approval
 WHERE approved_at > %(since)s AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s);

-- name: pauses
-- The pauses that are in force, or ended less than what is allowed ago, with those before them after
-- whose end nothing was late yet when the next began: since when, and whether one is in force.
WITH spell AS (
    SELECT id, paused_at, COALESCE(ended_at, 'infinity') AS ended_at,
           max(COALESCE(ended_at, 'infinity')) OVER earlier AS ended_before
      FROM {schema}.pause WHERE paused_at <= %(now)s
    WINDOW earlier AS (ORDER BY paused_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), numbered AS (
    SELECT *, count(*) FILTER (WHERE ended_before IS NULL OR paused_at > ended_before + %(allowed)s::interval)
                OVER (ORDER BY paused_at, id) AS number
      FROM spell
)
SELECT min(paused_at) AS began, max(ended_at) > %(now)s AS in_force
  FROM numbered GROUP BY number
HAVING max(ended_at) > %(now)s::timestamptz - %(allowed)s::interval;

-- name: erased_batches
-- The next batches with erasure rows of accounts: the latest activity that was erased, and when.
SELECT e.*, b.source, b.policy_digest, b.id IS NOT NULL AS has_batch
  FROM (SELECT batch_id, min(tenant_id) AS tenant_id, max(tenant_id) AS last_tenant_id,
               min(scope) AS scope, max(scope) AS last_scope, count(*) AS accounts,
               GREATEST(max(last_activity), '0001-01-02') AS latest,
               count(*) FILTER (WHERE last_activity IS NULL) AS unknown,
               min(erased_at) AS erased_at,
               (array_agg(subject_id ORDER BY last_activity DESC NULLS FIRST))[1] AS example
          FROM {schema}.erasure
         WHERE kind = 'account' AND batch_id > %(after)s
           AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
         GROUP BY batch_id ORDER BY batch_id LIMIT %(limit)s) AS e
  LEFT JOIN {schema}.batch b ON b.id = e.batch_id
 ORDER BY e.batch_id;

-- name: held_erasures
-- Accounts that were erased while a hold was active; a hold counts once it was acknowledged.
SELECT h.tenant_id, count(DISTINCT h.account_id) AS accounts,
       (array_agg(DISTINCT h.account_id))[1:5] AS examples
  FROM {schema}.hold h
  JOIN {schema}.erasure e
    ON (e.kind = 'account' AND e.subject_id = h.account_id
        AND (e.tenant_id = h.tenant_id OR %(alone)s))
    OR EXISTS (SELECT 1 FROM {schema}.hold_subject s
                WHERE s.hold_id = h.id AND s.kind = e.kind AND s.subject_id = e.subject_id
                  AND (e.tenant_id = h.tenant_id OR %(alone)s))
 WHERE e.erased_at > h.placed_at + %(margin)s::interval
   AND (h.released_at IS NULL OR e.erased_at < h.released_at)
   AND (h.until IS NULL OR e.erased_at < h.until)
   AND (%(tenant)s::text IS NULL OR h.tenant_id = %(tenant)s)
 GROUP BY h.tenant_id ORDER BY h.tenant_id;

-- name: objects
-- Objects whose rows are gone and that are still there, but for those that a hold keeps.
SELECT tenant_id, state, count(DISTINCT uri) AS objects, min(queued_at) AS oldest,
       (array_agg(DISTINCT error))[1:3] AS examples
  FROM {schema}.object_deletion o
 WHERE (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
   AND NOT EXISTS (SELECT 1 FROM {schema}.hold h
                    WHERE (h.tenant_id = o.tenant_id OR %(alone)s) AND h.account_id = o.account_id
                      AND h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s))
 GROUP BY tenant_id, state ORDER BY tenant_id, state;

-- name: objects_astray
-- Batches whose objects are neither queued nor gone, or which the ledger completes otherwise. A batch
-- says how many objects its rows named; batches of older versions say how many rows named one.
WITH said AS (
    SELECT c.key::bigint AS batch_id, sum(c.value::bigint) AS gone
      FROM {schema}.batch b CROSS JOIN LATERAL jsonb_each_text(b.body::jsonb -> 'completes') AS c
     WHERE b.source = 'objects' GROUP BY c.key
), waiting AS (
    SELECT batch_id, count(DISTINCT uri) AS objects, count(*) AS rows
      FROM {schema}.object_deletion GROUP BY batch_id
), gone AS (
    SELECT batch_id, count(DISTINCT COALESCE(object_id, id)) AS objects, count(*) AS rows
      FROM {schema}.object_deleted GROUP BY batch_id
)
SELECT b.tenant_id, count(*) AS batches, (array_agg(b.id::text ORDER BY b.id))[1:5] AS examples
  FROM {schema}.batch b
  LEFT JOIN said s ON s.batch_id = b.id
  LEFT JOIN waiting w ON w.batch_id = b.id
  LEFT JOIN gone g ON g.batch_id = b.id
 WHERE b.source <> 'objects' AND (%(tenant)s::text IS NULL OR b.tenant_id = %(tenant)s)
   AND ((b.objects > COALESCE(w.objects, 0) + COALESCE(g.objects, 0)
         AND b.objects <> COALESCE(w.rows, 0) + COALESCE(g.rows, 0))
        OR COALESCE(g.objects, 0) <> COALESCE(s.gone, 0))
 GROUP BY b.tenant_id ORDER BY b.tenant_id;

-- name: requests
-- Requests of people that are open past the day by which they were due.
SELECT tenant_id, count(*) AS requests, min(due_by) AS oldest,
       (array_agg(id::text ORDER BY due_by, id))[1:5] AS examples
  FROM {schema}.request
 WHERE state = 'open' AND due_by < %(now)s
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 GROUP BY tenant_id ORDER BY tenant_id;
