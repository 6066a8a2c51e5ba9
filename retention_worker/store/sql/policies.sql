-- name: latest
-- The policy of each tenant that was applied last.
SELECT DISTINCT ON (tenant_id) tenant_id, tenant, digest, revision, applied_at
  FROM {schema}.policy WHERE tenant_id = ANY (%(tenants)s::text[])
 ORDER BY tenant_id, id DESC;

-- name: log
-- A policy is applied for the first time, or again after another one.
INSERT INTO {schema}.policy (tenant_id, tenant, digest, content, effective, revision, applied_at)
VALUES (%(tenant_id)s, %(tenant)s, %(digest)s, %(content)s, %(effective)s::jsonb, %(revision)s,
        %(now)s);

-- name: history
-- Every policy that was applied for a tenant, newest first.
SELECT id, tenant, digest, content, effective, revision, applied_at
  FROM {schema}.policy WHERE tenant_id = %(tenant)s ORDER BY id DESC;
