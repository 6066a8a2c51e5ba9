-- name: same
-- The lane's open approval, where it is the same in everything that it grants.
SELECT id, expires_at FROM {schema}.approval
 WHERE id = (SELECT max(id) FROM {schema}.approval
              WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND ended_at IS NULL)
   AND policy_digest = %(digest)s AND cutoff = %(cutoff)s AND at_most = %(at_most)s
   AND accounts = %(accounts)s AND approved_by = %(actor)s AND spent = 0 AND expires_at > %(now)s;

-- name: given
-- The open approvals of a tenant that somebody gave for a reason, and of which nothing is spent.
SELECT id, scope, cutoff, at_most, expires_at FROM {schema}.approval
 WHERE tenant_id = %(tenant)s AND ended_at IS NULL AND spent = 0 AND expires_at > %(now)s
   AND approved_by = %(actor)s AND reason = %(reason)s AND policy_digest = %(digest)s
 ORDER BY id;

-- name: end_open
-- The lane's open approvals end.
UPDATE {schema}.approval SET ended_at = %(now)s, ended_because = %(because)s
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND ended_at IS NULL;

-- name: add
-- An approval; it counts from now on.
INSERT INTO {schema}.approval
       (tenant_id, scope, policy_digest, cutoff, at_most, accounts, approved_by, reason, approved_at,
        expires_at)
VALUES (%(tenant)s, %(scope)s, %(digest)s, %(cutoff)s, %(at_most)s, %(accounts)s, %(actor)s,
        %(reason)s, %(now)s, %(expires_at)s)
RETURNING id;

-- name: add_for_replay
-- An approval of a replay's own batches: no sweep ever goes by it.
INSERT INTO {schema}.approval
       (tenant_id, scope, policy_digest, cutoff, at_most, approved_by, reason, approved_at, expires_at,
        ended_at, ended_because)
VALUES (%(tenant)s, %(scope)s, %(digest)s, %(cutoff)s, %(at_most)s, %(actor)s, %(reason)s, %(now)s,
        %(now)s, %(now)s, 'for a replay alone')
RETURNING id;

-- name: current
-- The open approval of a lane, where it still counts for the policy; an older one never does.
SELECT id, cutoff, at_most - spent AS remaining, accounts
  FROM (SELECT * FROM {schema}.approval
         WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND ended_at IS NULL
         ORDER BY id DESC LIMIT 1) AS a
 WHERE policy_digest = %(digest)s AND approved_at <= %(now)s AND expires_at > %(now)s
   AND spent < at_most AND accounts IS NOT NULL;

-- name: remaining
-- What an open approval still covers; whoever erases under it does so one after the other.
SELECT CASE WHEN ended_at IS NULL AND expires_at > %(at)s THEN at_most - spent ELSE 0 END AS remaining
  FROM {schema}.approval WHERE id = %(approval)s FOR UPDATE;

-- name: remaining_of_replay
-- What an approval of a replay still covers.
SELECT at_most - spent AS remaining FROM {schema}.approval WHERE id = %(approval)s FOR UPDATE;

-- name: spend
-- Accounts that were erased under an approval.
UPDATE {schema}.approval SET spent = spent + %(accounts)s WHERE id = %(approval)s;
