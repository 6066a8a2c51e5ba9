-- name: stores
-- The stores with an object whose time has come: from store to store through the index.
WITH RECURSIVE found AS (
    (SELECT store FROM {schema}.object_deletion WHERE state <> 'failed' ORDER BY store LIMIT 1)
    UNION ALL
    SELECT (SELECT o.store FROM {schema}.object_deletion o
             WHERE o.state <> 'failed' AND o.store > f.store ORDER BY o.store LIMIT 1)
      FROM found f WHERE f.store IS NOT NULL
)
SELECT f.store FROM found f
 WHERE f.store IS NOT NULL
   AND EXISTS (SELECT 1 FROM {schema}.object_deletion o
                WHERE o.store = f.store AND o.state <> 'failed' AND o.retry_at <= %(now)s)
 ORDER BY f.store;

-- name: claim
-- The next objects of a store, in hand until a time: nobody else asks for them meanwhile. A hold
-- keeps those of its account; a pause those that no request of a person queued.
UPDATE {schema}.object_deletion o
   SET claimed_until = %(until)s, attempts = o.attempts + 1
  FROM (SELECT q.id FROM {schema}.object_deletion q
         WHERE q.store = %(store)s AND q.state <> 'failed' AND q.retry_at <= %(now)s
           AND (q.claimed_until IS NULL OR q.claimed_until <= %(now)s)
           AND NOT EXISTS (SELECT 1 FROM {schema}.hold h
                            WHERE ((h.tenant_id = q.tenant_id AND h.account_id = q.account_id)
                                   OR EXISTS (SELECT 1 FROM {schema}.hold_subject s
                                               WHERE s.hold_id = h.id AND s.kind = 'account'
                                                 AND s.subject_id = q.account_id))
                              AND h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s))
           AND (NOT (%(paused)s OR q.tenant_id = ANY (%(paused_tenants)s::text[])) OR EXISTS
               (SELECT 1 FROM {schema}.batch b
                 WHERE b.id = q.batch_id AND b.request_id IS NOT NULL))
         ORDER BY q.retry_at, q.id LIMIT %(limit)s
           FOR UPDATE OF q SKIP LOCKED) AS c
 WHERE o.id = c.id
RETURNING o.id, o.tenant_id, o.account_id, o.batch_id, o.entry, o.uri, o.shared, o.state,
          o.attempts;

-- name: hold_on
-- What a drain is still busy with stays in its hand.
UPDATE {schema}.object_deletion SET claimed_until = %(until)s WHERE id = ANY (%(ids)s::bigint[]);

-- name: any_hold
-- Whether any account is on hold.
SELECT EXISTS (SELECT 1 FROM {schema}.hold
                WHERE released_at IS NULL AND (until IS NULL OR until > %(now)s)) AS found;

-- name: spoken_for
-- Of these URIs those that another row of the outbox keeps: its grace runs, its account is on hold.
SELECT q.uri FROM unnest(%(uris)s::text[]) AS u (uri)
  JOIN {schema}.object_deletion q ON q.uri = u.uri
 WHERE q.shared AND q.state = 'queued' AND q.error IS NULL AND q.retry_at > %(now)s
 UNION
SELECT q.uri FROM {schema}.hold h
  JOIN {schema}.object_deletion q
    ON (q.tenant_id = h.tenant_id AND q.account_id = h.account_id)
    OR EXISTS (SELECT 1 FROM {schema}.hold_subject s
                WHERE s.hold_id = h.id AND s.kind = 'account' AND s.subject_id = q.account_id)
 WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s)
   AND q.uri = ANY (%(uris)s::text[]);

-- name: same_objects
-- Further rows of the outbox that name one of these objects, and go with it: any that are shared, and
-- of others those of the same batches (`uri` has an index only where rows share objects).
SELECT o.id, o.tenant_id, o.account_id, o.batch_id, o.entry, o.uri, o.shared, o.state, o.attempts
  FROM unnest(%(uris)s::text[]) AS u (uri)
  JOIN {schema}.object_deletion o ON o.uri = u.uri AND o.shared
 UNION ALL
SELECT o.id, o.tenant_id, o.account_id, o.batch_id, o.entry, o.uri, o.shared, o.state, o.attempts
  FROM {schema}.object_deletion o
 WHERE o.batch_id = ANY (%(batches)s::bigint[]) AND NOT o.shared AND o.uri = ANY (%(uris)s::text[]);

-- name: put_back
-- Objects that are still there: in which state, why, and when they are asked for again.
UPDATE {schema}.object_deletion o
   SET state = g.state, error = g.error, retry_at = g.retry_at, attempts = g.attempts,
       claimed_until = NULL,
       since = CASE WHEN g.state = 'queued' THEN NULL
                    WHEN g.state = o.state THEN o.since ELSE %(now)s END
  FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(errors)s::text[], %(attempts)s::int[],
              %(times)s::timestamptz[]) AS g (id, state, error, attempts, retry_at)
 WHERE o.id = g.id;

-- name: lock_chains
-- The heads of the tenants' chains, locked in the order of their names.
SELECT tenant_id, head_hash FROM {schema}.request_chain
 WHERE tenant_id = ANY (%(tenants)s::text[]) ORDER BY tenant_id FOR UPDATE;

-- name: make_chains
-- The rows of the tenants' chains, where they have none yet.
INSERT INTO {schema}.request_chain (tenant_id)
SELECT t.tenant_id FROM unnest(%(tenants)s::text[]) AS t (tenant_id) ORDER BY t.tenant_id
ON CONFLICT DO NOTHING;

-- name: take
-- Rows whose objects are gone leave the outbox; who comes second finds none. Rows of one object have
-- one `object_id`.
WITH taken AS (
    DELETE FROM {schema}.object_deletion o
     USING unnest(%(ids)s::bigint[], %(objects)s::bigint[]) AS g (id, object_id)
     WHERE o.id = g.id
    RETURNING o.*, g.object_id
), noted AS (
    INSERT INTO {schema}.object_deleted
           (id, tenant_id, account_id, batch_id, entry, gone_batch, gone_at, uri, object_id)
    SELECT id, tenant_id, account_id, batch_id, entry, %(gone_batch)s, %(now)s,
           CASE WHEN %(keep_uri)s THEN uri END, object_id
      FROM taken
)
SELECT id FROM taken;

-- name: scopes
-- Which scope batches erased.
SELECT id, scope FROM {schema}.batch WHERE id = ANY (%(batches)s::bigint[]);

-- name: forget_uris
-- URIs of what has been gone for long.
UPDATE {schema}.object_deleted SET uri = NULL
 WHERE id IN (SELECT id FROM {schema}.object_deleted
               WHERE uri IS NOT NULL AND gone_at < %(before)s LIMIT %(limit)s);

-- name: counts
-- The outbox by state; an object that several rows named counts once.
SELECT state, count(*) AS objects
  FROM (SELECT DISTINCT state, uri FROM {schema}.object_deletion
         WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s) AS o
 GROUP BY state;

-- name: late
-- Objects that are queued since before a time; those that a hold keeps are not late.
SELECT count(DISTINCT o.uri) AS objects FROM {schema}.object_deletion o
 WHERE o.state = 'queued' AND o.queued_at < %(before)s
   AND (%(tenant)s::text IS NULL OR o.tenant_id = %(tenant)s)
   AND NOT EXISTS (SELECT 1 FROM {schema}.hold h
                    WHERE ((h.tenant_id = o.tenant_id AND h.account_id = o.account_id)
                           OR EXISTS (SELECT 1 FROM {schema}.hold_subject s
                                       WHERE s.hold_id = h.id AND s.kind = 'account'
                                         AND s.subject_id = o.account_id))
                      AND h.released_at IS NULL AND (h.until IS NULL OR h.until > %(now)s));

-- name: in_hand
-- Until when drains have objects in hand.
SELECT max(claimed_until) AS until FROM {schema}.object_deletion
 WHERE claimed_until > %(now)s AND state <> 'failed';

-- name: listed
-- Objects of the outbox, those that need a person first.
SELECT id, tenant_id, account_id, batch_id, entry, uri, state, attempts, error, queued_at, since,
       retry_at
  FROM {schema}.object_deletion
 WHERE (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
   AND (%(state)s::text IS NULL OR state = %(state)s)
 ORDER BY array_position(ARRAY['failed', 'denied', 'kept', 'queued'], state), id
 LIMIT %(limit)s;

-- name: retry
-- Ask for objects again at once; how many.
WITH again AS (
UPDATE {schema}.object_deletion
   SET state = 'queued', attempts = 0, since = NULL, error = NULL, retry_at = %(now)s
 WHERE (claimed_until IS NULL OR claimed_until <= %(now)s)
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
   AND (%(state)s::text IS NULL OR state = %(state)s)
   AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
   AND (NOT shared OR retry_at <= %(now)s OR state <> 'queued' OR error IS NOT NULL)
RETURNING uri)
SELECT count(DISTINCT uri) AS objects FROM again;

-- name: of_batches
-- Objects whose rows batches erased: what is gone and what is left, by batch, account and state.
SELECT o.batch_id, o.state, count(DISTINCT o.uri) AS objects, min(o.since) AS since
  FROM {schema}.object_deletion o
 WHERE o.tenant_id = %(tenant)s AND o.batch_id = ANY (%(batches)s::bigint[])
   AND (%(account)s::text IS NULL OR o.account_id = %(account)s)
 GROUP BY o.batch_id, o.state
 UNION ALL
SELECT d.batch_id, 'gone', count(DISTINCT COALESCE(d.object_id, d.id)), NULL
  FROM {schema}.object_deleted d
 WHERE d.tenant_id = %(tenant)s AND d.batch_id = ANY (%(batches)s::bigint[])
   AND (%(account)s::text IS NULL OR d.account_id = %(account)s)
 GROUP BY d.batch_id;

-- name: of_account
-- The account's objects whose rows are gone, by entry: what is gone and what is left.
SELECT o.entry, o.state, count(DISTINCT o.uri) AS objects, min(o.since) AS since
  FROM {schema}.object_deletion o
 WHERE o.tenant_id = %(tenant)s AND o.account_id = %(account)s
 GROUP BY o.entry, o.state
 UNION ALL
SELECT d.entry, 'gone', count(DISTINCT COALESCE(d.object_id, d.id)), NULL
  FROM {schema}.object_deleted d
 WHERE d.tenant_id = %(tenant)s AND d.account_id = %(account)s
 GROUP BY d.entry;

-- name: completions
-- The batches that say that objects are gone whose rows a batch erased.
SELECT b.body, b.hash FROM {schema}.batch b
 WHERE b.id IN (SELECT d.gone_batch FROM {schema}.object_deleted d
                 WHERE d.tenant_id = %(tenant)s AND d.batch_id = %(batch)s
                   AND (%(account)s::text IS NULL OR d.account_id = %(account)s))
 ORDER BY b.id;

-- name: sample
-- Some of the objects that are gone, whose URI is still known.
SELECT id, tenant_id, uri, gone_at,
       COALESCE(substring(uri from '^[A-Za-z][A-Za-z0-9+.-]*://[^/]*'), '') AS store
  FROM {schema}.object_deleted
 WHERE uri IS NOT NULL AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 ORDER BY random() LIMIT %(limit)s;

-- name: is_there
-- Whether the outbox exists, in a form that has stores.
SELECT EXISTS (SELECT 1 FROM pg_attribute
                WHERE attrelid = to_regclass(format('%%I.object_deletion', %(schema_name)s::text))
                  AND attname = 'store') AS found;

-- name: stores_of_outbox
-- The stores of all objects in the outbox.
SELECT DISTINCT store FROM {schema}.object_deletion ORDER BY store;
