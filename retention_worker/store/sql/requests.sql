-- name: add
-- A new request, or the same one that is open already: asked twice at once it is done once. Its
-- transaction may have moved to another account meanwhile.
INSERT INTO {schema}.request AS r
       (tenant_id, kind, subject_id, subject_key, account_id, scope, source, actor, reason,
        requested_at, due_by, not_after)
VALUES (%(tenant)s, %(kind)s, %(subject)s, %(key)s::text[], %(account)s, %(scope)s, %(source)s,
        %(actor)s, %(reason)s, %(now)s, %(due_by)s, %(not_after)s)
ON CONFLICT (tenant_id, kind, subject_id, scope) WHERE state = 'open'
   DO UPDATE SET account_id = EXCLUDED.account_id
RETURNING *;

-- name: latest
-- The newest request for a subject that is done.
SELECT * FROM {schema}.request
 WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND subject_id = %(subject)s
   AND scope = %(scope)s AND state = 'done'
 ORDER BY id DESC LIMIT 1;

-- name: open_of
-- The open request for a subject, without a lock.
SELECT * FROM {schema}.request
 WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND subject_id = %(subject)s
   AND scope = %(scope)s AND state = 'open';

-- name: opened
-- Requests that are still open, the oldest first.
SELECT * FROM {schema}.request
 WHERE state = 'open' AND (%(tenants)s::text[] IS NULL OR tenant_id = ANY (%(tenants)s::text[]))
 ORDER BY id;

-- name: lock
-- One open request, for this transaction; who waited for it reads what became of it.
SELECT * FROM {schema}.request WHERE id = %(request)s AND state = 'open' FOR UPDATE;

-- name: set_progress
-- How far a large account was erased, and what hinders the rest.
UPDATE {schema}.request SET progress = %(progress)s::jsonb, detail = %(detail)s
 WHERE id = %(request)s;

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

-- name: deletion
-- A request as the API shows it: by its public name or by its number. `last_batch` is its newest.
SELECT r.id, r.deletion, r.tenant_id, r.kind, r.subject_id, r.account_id, r.scope, r.source,
       r.actor, r.reason, r.state, r.requested_at, r.due_by, r.finished_at,
       b.objects, b.last_batch
  FROM {schema}.request r
 CROSS JOIN LATERAL (
       SELECT COALESCE(sum(b.objects), 0) AS objects, COALESCE(max(b.id), 0) AS last_batch
         FROM {schema}.batch b WHERE b.request_id = r.id) AS b
 WHERE r.tenant_id = %(tenant)s
   AND (r.deletion = %(deletion)s::uuid OR r.id = %(request)s::bigint);

-- name: erased_rows
-- What a request's batches erased, by entry.
SELECT n.name, sum(n.rows::bigint)::bigint AS rows
  FROM {schema}.batch b CROSS JOIN LATERAL jsonb_each_text(b.counts) AS n (name, rows)
 WHERE b.request_id = %(request)s
 GROUP BY n.name ORDER BY n.name;

-- name: objects_left
-- Objects that are not gone, by state: those that the request queued (`own`), and those of its
-- subject that an earlier erasure had queued. Bytes are bytes, whoever was told of them first.
SELECT d.state, count(DISTINCT d.uri) AS objects,
       count(DISTINCT d.uri) FILTER (WHERE b.request_id IS NOT DISTINCT FROM %(request)s::bigint) AS own
  FROM {schema}.object_deletion d JOIN {schema}.batch b ON b.id = d.batch_id
 WHERE d.tenant_id = %(tenant)s AND d.account_id = %(account)s AND d.batch_id <= %(last_batch)s
   AND (b.request_id = %(request)s
        OR (d.entry = ANY (%(entries)s::text[])
            AND (%(kind)s = 'account'
                 OR EXISTS (SELECT 1 FROM {schema}.erasure e
                             WHERE e.batch_id = d.batch_id AND e.tenant_id = d.tenant_id
                               AND ((e.kind = 'account' AND e.subject_id = d.account_id)
                                    OR (e.kind = 'transaction'
                                        AND e.subject_id = %(subject)s))))))
 GROUP BY d.state;

-- name: objects_gone_at
-- When the last of those objects was gone.
SELECT max(o.gone_at) AS gone_at
  FROM {schema}.object_deleted o JOIN {schema}.batch b ON b.id = o.batch_id
 WHERE o.tenant_id = %(tenant)s AND o.account_id = %(account)s AND o.batch_id <= %(last_batch)s
   AND (b.request_id = %(request)s
        OR (o.entry = ANY (%(entries)s::text[])
            AND (%(kind)s = 'account'
                 OR EXISTS (SELECT 1 FROM {schema}.erasure e
                             WHERE e.batch_id = o.batch_id AND e.tenant_id = o.tenant_id
                               AND ((e.kind = 'account' AND e.subject_id = o.account_id)
                                    OR (e.kind = 'transaction'
                                        AND e.subject_id = %(subject)s))))));
