-- name: next_batch
-- The number of the batch, needed by the outbox before the batch's row is written.
SELECT nextval(pg_get_serial_sequence(format('%%I.%%I', %(schema_name)s::text, 'batch'), 'id')) AS id;

-- name: write_erasures
-- One row an account; the SHA-256 of their lines, in the order of their ids, comes back.
WITH written AS (
    INSERT INTO {schema}.erasure
           (batch_id, tenant_id, kind, subject_id, scope, last_activity, complete, erased_at)
    SELECT %(batch)s, %(tenant)s, %(kind)s, e.subject_id, %(scope)s,
           e.last_activity::timestamptz, %(complete)s, %(now)s
      FROM unnest(%(ids)s::text[], %(activities)s::text[]) AS e (subject_id, last_activity)
     ORDER BY e.subject_id
    RETURNING *
)
SELECT encode(sha256(convert_to(COALESCE(string_agg(
           concat_ws(' ', id, batch_id, to_json(tenant_id), kind, to_json(subject_id), scope,
                     COALESCE(to_json(last_activity AT TIME ZONE 'UTC')::text, 'null'),
                     complete, to_json(erased_at AT TIME ZONE 'UTC')),
           E'\n' ORDER BY id), ''), 'UTF8')), 'hex') AS digest
  FROM written;

-- name: write_batch
-- The batch's row; body is the exact text that was hashed.
INSERT INTO {schema}.batch
       (id, sweep_id, request_id, tenant_id, scope, source, cutoff, policy_digest, map_digest,
        accounts, counts, objects, erased_at, body, previous_hash, hash)
OVERRIDING SYSTEM VALUE
VALUES (%(batch)s, %(sweep)s, %(request)s, %(tenant)s, %(scope)s, %(source)s, %(cutoff)s,
        %(policy_digest)s, %(map_digest)s, %(accounts)s, %(counts)s::jsonb, %(objects)s,
        %(erased_at)s, %(body)s, %(previous)s, %(hash)s);

-- name: totals
-- What a sweep has committed, by lane: the truth even where an answer was lost on the way.
SELECT b.tenant_id, b.scope, count(*) AS batches, sum(b.accounts)::bigint AS accounts,
       sum(b.objects)::bigint AS objects, jsonb_agg(b.counts) AS counts
  FROM {schema}.batch b
 WHERE b.sweep_id = %(sweep)s AND (%(tenant)s::text IS NULL OR b.tenant_id = %(tenant)s)
   AND (%(scope)s::text IS NULL OR b.scope = %(scope)s)
 GROUP BY b.tenant_id, b.scope;
