-- name: register
-- Rows for tenants and lanes that are new; nothing is written where all are known.
WITH wanted AS (
    SELECT DISTINCT tenant_id FROM unnest(%(tenants)s::text[]) AS w (tenant_id)
), tenants AS (
    INSERT INTO {schema}.tenant (tenant_id)
    SELECT tenant_id FROM wanted w
     WHERE NOT EXISTS (SELECT 1 FROM {schema}.tenant t WHERE t.tenant_id = w.tenant_id)
    ON CONFLICT DO NOTHING
)
INSERT INTO {schema}.lane (tenant_id, scope)
SELECT tenant_id, scope FROM wanted CROSS JOIN (VALUES ('biometrics'), ('all')) AS s (scope)
 WHERE NOT EXISTS (SELECT 1 FROM {schema}.lane l
                    WHERE l.tenant_id = wanted.tenant_id AND l.scope = s.scope)
ON CONFLICT DO NOTHING;

-- name: of_tenants
-- The lanes of tenants, least recently served first; biometrics before all.
SELECT l.*, t.last_served_at
  FROM {schema}.lane l JOIN {schema}.tenant t USING (tenant_id)
 WHERE l.tenant_id = ANY (%(tenants)s::text[])
 ORDER BY t.last_served_at NULLS FIRST, l.tenant_id, l.scope DESC;

-- name: lease
-- The tenant's lease, for this transaction; no row where another worker has it.
SELECT 1 AS leased FROM {schema}.tenant WHERE tenant_id = %(tenant)s FOR UPDATE SKIP LOCKED;

-- name: read
-- A lane as it is after the lease was taken: a statement of its own, for a fresh snapshot.
SELECT * FROM {schema}.lane WHERE tenant_id = %(tenant)s AND scope = %(scope)s;

-- name: lock
-- The same, and nobody else changes its allowance until the transaction ends.
SELECT * FROM {schema}.lane WHERE tenant_id = %(tenant)s AND scope = %(scope)s FOR UPDATE;

-- name: advance
-- The watermark only moves forward: past all candidates of the batch.
UPDATE {schema}.lane
   SET watermark_activity = %(activity)s, watermark_id = %(key)s::text[]
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s;

-- name: set_head
-- The newest batch of the lane's chain, and what it took from the allowance.
UPDATE {schema}.lane
   SET head_hash = %(hash)s, head_batch = %(batch)s, allowance = allowance - %(spent)s
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s;

-- name: set_policy_digest
-- The policy that was applied last.
UPDATE {schema}.lane SET policy_digest = %(digest)s
 WHERE tenant_id = %(tenant)s AND policy_digest IS DISTINCT FROM %(digest)s;

-- name: set_behind
-- Where reconcile stands.
UPDATE {schema}.lane
   SET reconcile_digest = %(digest)s, reconcile_activity = %(activity)s,
       reconcile_id = %(key)s::text[], reconcile_started_at = %(started_at)s,
       reconciled_at = %(finished_at)s, map_digest = %(map_digest)s
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s;

-- name: set_allowance
-- What the allowance has become; what it had at a time before is no longer asked for.
UPDATE {schema}.lane SET allowance = %(accounts)s, allowance_at = %(at)s
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s
   AND (allowance IS DISTINCT FROM %(accounts)s OR allowance_at IS DISTINCT FROM %(at)s);

-- name: clamp_allowance
-- No more than so many accounts, as if the allowance had been there before.
UPDATE {schema}.lane
   SET allowance = LEAST(COALESCE(allowance, %(most)s), %(most)s), allowance_at = %(now)s
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s;

-- name: finish
-- How the lane ended; waiting_since keeps the first time of an unbroken wait, which a replica that
-- did not get as far as the guard does not end, and an allowance does not refill while the lane
-- waits or is paused.
UPDATE {schema}.lane
   SET allowance_at = CASE WHEN %(stop_reason)s IN ('waiting', 'paused') AND allowance IS NOT NULL
                           THEN %(now)s ELSE allowance_at END,
       stop_reason = %(stop_reason)s, reason = %(reason)s,
       waiting_since = CASE WHEN %(stop_reason)s = 'waiting' THEN COALESCE(waiting_since, %(now)s)
                            WHEN %(stop_reason)s NOT IN ('exhausted', 'paused') THEN waiting_since
                       END
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s
   AND (stop_reason IS DISTINCT FROM %(stop_reason)s OR reason IS DISTINCT FROM %(reason)s
        OR %(stop_reason)s IN ('waiting', 'paused'));

-- name: served
-- The tenant was served: others come first next time.
UPDATE {schema}.tenant SET last_served_at = %(now)s WHERE tenant_id = %(tenant)s;
