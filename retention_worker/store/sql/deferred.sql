-- name: ready
-- Deferred accounts whose time has come; those that are half erased first.
SELECT account_id, account_key, reason, attempts, progress
  FROM ((SELECT * FROM {schema}.deferred
          WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND retry_at <= %(now)s
            AND (looked_at IS NULL OR looked_at < %(now)s)
          ORDER BY retry_at LIMIT %(limit)s)
        UNION
        (SELECT * FROM {schema}.deferred
          WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND active_at <= %(cutoff)s
            AND (looked_at IS NULL OR looked_at < %(now)s)
          ORDER BY active_at LIMIT %(limit)s)) AS ready
 ORDER BY reason <> 'partial', COALESCE(retry_at, active_at), account_id
 LIMIT %(limit)s;

-- name: count_ready
-- How many are ready, counted no further than the limit.
SELECT count(*) FROM (
    SELECT 1 FROM {schema}.deferred
     WHERE tenant_id = %(tenant)s AND scope = %(scope)s
       AND (retry_at <= %(now)s OR active_at <= %(cutoff)s)
       AND (looked_at IS NULL OR looked_at < %(now)s)
     LIMIT %(limit)s) AS ready;

-- name: ready_lanes
-- Which of many lanes have a deferred account whose time has come.
SELECT l.position::int
  FROM unnest(%(tenants)s::text[], %(scopes)s::text[], %(instants)s::timestamptz[])
       WITH ORDINALITY AS l (tenant_id, scope, cutoff, position)
 WHERE EXISTS (SELECT 1 FROM {schema}.deferred d
                WHERE d.tenant_id = l.tenant_id AND d.scope = l.scope AND d.retry_at <= %(now)s)
    OR EXISTS (SELECT 1 FROM {schema}.deferred d
                WHERE d.tenant_id = l.tenant_id AND d.scope = l.scope AND d.active_at <= l.cutoff);

-- name: counts
-- How many accounts of lanes are deferred, by reason.
SELECT tenant_id, scope, reason, count(*) AS accounts
  FROM {schema}.deferred
 WHERE tenant_id = ANY (%(tenants)s::text[])
 GROUP BY tenant_id, scope, reason;

-- name: errors
-- Accounts of lanes that could not be erased and need somebody: what failed, and what timed out again
-- and again. `known` are counted by whoever asks. `detail` is one of what they say.
SELECT tenant_id, scope, count(*) AS accounts, min(detail) AS detail
  FROM {schema}.deferred
 WHERE tenant_id = ANY (%(tenants)s::text[]) AND NOT account_id = ANY (%(known)s::text[])
   AND (reason = 'error' OR (reason = 'timeout' AND attempts >= 3))
 GROUP BY tenant_id, scope;

-- name: kept_beyond
-- Tenants with an account that is deferred because of something from the future.
SELECT DISTINCT tenant_id FROM {schema}.deferred
 WHERE tenant_id = ANY (%(tenants)s::text[]) AND active_at > %(latest)s;

-- name: tried_again
-- Which of these accounts are tried again at a time of their own: reconcile leaves them to it.
SELECT account_id FROM {schema}.deferred
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND account_id = ANY (%(ids)s::text[])
   AND reason IN ('locked', 'timeout', 'error', 'partial');

-- name: put
-- Defer accounts, or change what blocks them.
INSERT INTO {schema}.deferred AS d
       (tenant_id, scope, account_id, account_key, reason, detail, retry_at, active_at,
        attempts, progress, since, looked_at)
SELECT %(tenant)s, %(scope)s, p.account_id, ARRAY(SELECT jsonb_array_elements_text(p.account_key)),
       p.reason, p.detail, p.retry_at::timestamptz, p.active_at::timestamptz, p.attempts,
       p.progress, %(now)s, CASE WHEN p.reason <> 'partial' THEN %(now)s::timestamptz END
  FROM jsonb_to_recordset(%(deferred)s::jsonb)
       AS p (account_id text, account_key jsonb, reason text, detail text, retry_at text,
             active_at text, attempts int, progress jsonb)
ON CONFLICT (tenant_id, scope, account_id) DO UPDATE
   SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, retry_at = EXCLUDED.retry_at,
       active_at = EXCLUDED.active_at, attempts = EXCLUDED.attempts, progress = EXCLUDED.progress,
       looked_at = EXCLUDED.looked_at;

-- name: remember
-- Activity whose evidence is about to be erased, for the lanes whose time it still decides.
INSERT INTO {schema}.deferred AS d
       (tenant_id, scope, account_id, account_key, reason, active_at, known_at, since)
SELECT %(tenant)s, l.scope, s.account_id, ARRAY(SELECT jsonb_array_elements_text(s.account_key)),
       'newer_credential', s.credential_at::timestamptz, s.credential_at::timestamptz, %(now)s
  FROM unnest(%(ids)s::text[], %(keys)s::jsonb[], %(activities)s::text[], %(credentials)s::text[])
       AS s (account_id, account_key, activity, credential_at)
 CROSS JOIN unnest(%(scopes)s::text[]) AS l (scope)
 WHERE s.activity IS NULL OR s.credential_at::timestamptz > s.activity::timestamptz
ON CONFLICT (tenant_id, scope, account_id) DO UPDATE
   SET active_at = GREATEST(d.active_at, EXCLUDED.active_at),
       known_at = GREATEST(d.known_at, EXCLUDED.known_at);

-- name: drop
-- Accounts that are done, or not due any more.
DELETE FROM {schema}.deferred
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND account_id = ANY (%(ids)s::text[]);

-- name: wake
-- Look in the next sweep at what was on hold, too where a hold kept something of another's account.
UPDATE {schema}.deferred SET retry_at = %(now)s, looked_at = NULL WHERE reason = 'hold';
