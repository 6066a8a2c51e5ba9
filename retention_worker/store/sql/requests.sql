-- name: add
-- A new request, or the same one that is open already: asked twice at once it is done once. Its
-- transaction may have moved to another account meanwhile.
INSERT INTO {schema}.request AS r
       (tenant_id, kind, subject_id, subject_key, account_id, scope, source, actor, reason,
        requested_at, due_by)
VALUES (%(tenant)s, %(kind)s, %(subject)s, %(key)s::text[], %(account)s, %(scope)s, %(source)s,
        %(actor)s, %(reason)s, %(now)s, %(due_by)s)
ON CONFLICT (tenant_id, kind, subject_id, scope) WHERE state = 'open'
   DO UPDATE SET account_id = EXCLUDED.account_id
RETURNING *;

-- name: latest
-- The newest request for a subject that is done.
SELECT * FROM {schema}.request
 WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND subject_id = %(subject)s
   AND scope = %(scope)s AND state = 'done'
 ORDER BY id DESC LIMIT 1;

-- name: opened
-- Requests that are still open, the oldest first.
SELECT * FROM {schema}.request
 WHERE state = 'open' AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY (%(tenants)s::text[]))
 ORDER BY id;

-- name: lock
-- One open request, for this transaction; who waited for it reads what became of it.
SELECT * FROM {schema}.request WHERE id = %(request)s AND state = 'open' FOR UPDATE;

-- name: set_progress
-- How far a large account was erased.
UPDATE {schema}.request SET progress = %(progress)s::jsonb WHERE id = %(request)s;

-- name: finish
-- A request is done, or refused.
UPDATE {schema}.request SET state = %(state)s, detail = %(detail)s, finished_at = %(now)s
 WHERE id = %(request)s;

-- name: make_chain
-- The row of a tenant's chain, where it has none yet.
INSERT INTO {schema}.request_chain (tenant_id) VALUES (%(tenant)s) ON CONFLICT DO NOTHING;

-- name: lock_chain
-- The chain's head; whoever adds to the chain does so one after the other.
SELECT head_hash FROM {schema}.request_chain WHERE tenant_id = %(tenant)s FOR UPDATE;

-- name: set_chain_head
-- The newest ad-hoc batch of the tenant.
UPDATE {schema}.request_chain SET head_hash = %(hash)s, head_batch = %(batch)s
 WHERE tenant_id = %(tenant)s;
