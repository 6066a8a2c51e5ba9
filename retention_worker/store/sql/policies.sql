-- name: latest
-- The policy of a tenant that was applied last.
SELECT effective FROM {schema}.policy WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 1;

-- name: log
-- A policy is applied for the first time, or again after another one.
INSERT INTO {schema}.policy (tenant_id, tenant, digest, content, effective, revision, applied_at)
VALUES (%(tenant_id)s, %(tenant)s, %(digest)s, %(content)s, %(effective)s::jsonb, %(revision)s,
        %(now)s);

-- name: history
-- Every policy that was applied for a tenant, newest first.
SELECT id, tenant, digest, content, effective, revision, applied_at
  FROM {schema}.policy WHERE tenant_id = %(tenant)s ORDER BY id DESC;
