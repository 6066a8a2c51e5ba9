-- name: place
-- A new hold.
INSERT INTO {schema}.hold (tenant_id, account_id, reason, placed_by, placed_at, until)
VALUES (%(tenant)s, %(account)s, %(reason)s, %(actor)s, %(now)s, %(until)s)
RETURNING id;

-- name: same
-- The active hold of an account that is the same in everything.
SELECT id FROM {schema}.hold
 WHERE tenant_id = %(tenant)s AND account_id = %(account)s AND released_at IS NULL
   AND reason = %(reason)s AND placed_by = %(actor)s AND until IS NOT DISTINCT FROM %(until)s
 ORDER BY id LIMIT 1;

-- name: release
-- End all active holds of an account.
UPDATE {schema}.hold
   SET released_at = %(now)s, released_by = %(actor)s, release_reason = %(reason)s
 WHERE tenant_id = %(tenant)s AND account_id = %(account)s AND released_at IS NULL
   AND (until IS NULL OR until > %(now)s);

-- name: end
-- One hold ends.
UPDATE {schema}.hold
   SET released_at = %(now)s, released_by = %(actor)s, release_reason = %(reason)s
 WHERE id = %(hold)s;

-- name: inherit
-- What one hold has seen, another has seen, too.
INSERT INTO {schema}.hold_subject (hold_id, kind, subject_id)
SELECT %(to)s::bigint, kind, subject_id FROM {schema}.hold_subject WHERE hold_id = %(hold)s
ON CONFLICT DO NOTHING;

-- name: list
-- Active holds, of one tenant or of all.
SELECT id, tenant_id, account_id, reason, placed_by, placed_at, until FROM {schema}.hold
 WHERE released_at IS NULL AND (until IS NULL OR until > %(now)s)
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 ORDER BY tenant_id, placed_at, id;
