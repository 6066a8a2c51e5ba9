-- name: latest
-- The policy of a tenant that was applied last.
SELECT effective FROM {schema}.policy WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT 1;

-- name: log
-- A policy is applied for the first time, or again after another one.
INSERT INTO {schema}.policy (tenant_id, tenant, digest, content, effective, revision, applied_at)
VALUES (%(tenant_id)s, %(tenant)s, %(digest)s, %(content)s, %(effective)s::jsonb, %(revision)s,
        %(now)s);

-- name: applied
-- The tenants for which a policy was ever applied, by the name that its file had last.
SELECT DISTINCT ON (tenant_id) tenant_id, tenant FROM {schema}.policy ORDER BY tenant_id, id DESC;

-- name: history
-- Every policy that was applied for a tenant, newest first.
SELECT id, tenant, digest, content, effective, revision, applied_at
  FROM {schema}.policy WHERE tenant_id = %(tenant)s ORDER BY id DESC;
