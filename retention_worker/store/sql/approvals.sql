-- name: add
-- An approval; it counts from now on.
INSERT INTO {schema}.approval
       (tenant_id, scope, policy_digest, cutoff, at_most, approved_by, reason, approved_at, expires_at)
VALUES (%(tenant)s, %(scope)s, %(digest)s, %(cutoff)s, %(at_most)s, %(actor)s, %(reason)s, %(now)s,
        %(expires_at)s)
RETURNING id;

-- name: current
-- The newest approval of a lane that still counts for the policy.
SELECT id, cutoff, at_most - spent AS remaining
  FROM {schema}.approval
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND policy_digest = %(digest)s
   AND approved_at <= %(now)s AND expires_at > %(now)s AND spent < at_most
 ORDER BY id DESC LIMIT 1;

-- name: remaining
-- What an approval still covers; whoever erases under it does so one after the other.
SELECT at_most - spent AS remaining FROM {schema}.approval WHERE id = %(approval)s FOR UPDATE;

-- name: spend
-- Accounts that were erased under an approval.
UPDATE {schema}.approval SET spent = spent + %(accounts)s WHERE id = %(approval)s;
