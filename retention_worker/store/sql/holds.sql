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

-- name: remembered
-- Active holds with all that they have seen, as an export keeps them.
SELECT h.tenant_id, h.account_id, h.reason, h.placed_by, h.placed_at, h.until,
       ARRAY(SELECT ARRAY[s.kind, s.subject_id] FROM {schema}.hold_subject s
              WHERE s.hold_id = h.id ORDER BY s.kind, s.subject_id) AS seen
  FROM {schema}.hold h
 WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s)
 ORDER BY h.tenant_id, h.account_id, h.placed_at, h.id;

-- name: missing
-- Of holds that an export has, those that were never placed here: their positions.
SELECT u.position
  FROM unnest(%(tenants)s::text[], %(accounts)s::text[], %(placed)s::timestamptz[])
       WITH ORDINALITY AS u (tenant_id, account_id, placed_at, position)
 WHERE NOT EXISTS (SELECT 1 FROM {schema}.hold h
                    WHERE h.account_id = u.account_id AND h.tenant_id = u.tenant_id
                      AND h.placed_at = u.placed_at);

-- name: place_again
-- What a hold had seen, of one that was placed again.
INSERT INTO {schema}.hold_subject (hold_id, kind, subject_id)
SELECT %(hold)s::bigint, u.kind, u.subject_id
  FROM unnest(%(kinds)s::text[], %(subjects)s::text[]) AS u (kind, subject_id)
ON CONFLICT DO NOTHING;

-- name: forgotten
-- Those of these holds that have seen rows of kinds that the map does not have any more.
SELECT DISTINCT hold_id FROM {schema}.hold_subject
 WHERE hold_id = ANY (%(holds)s::bigint[]) AND kind <> ALL (%(kinds)s::text[]);
