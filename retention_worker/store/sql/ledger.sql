-- name: next_batch
-- The number of the batch, needed by the outbox before the batch's row is written.
SELECT nextval(pg_get_serial_sequence(format('%%I.%%I', %(schema_name)s::text, 'batch'), 'id')) AS id;

-- name: write_erasures
-- One row a subject, with the SHA-256 of its line; back comes the SHA-256 of their hexadecimal
-- hashes, a line each, in the order of their ids.
WITH numbered AS MATERIALIZED (
    SELECT nextval((SELECT pg_get_serial_sequence(
               format('%%I.%%I', %(schema_name)s::text, 'erasure'), 'id')::regclass)) AS id, e.*
      FROM (SELECT subject_id, last_activity::timestamptz
              FROM unnest(%(ids)s::text[], %(activities)s::text[]) AS g (subject_id, last_activity)
             ORDER BY subject_id) AS e
), written AS (
    INSERT INTO {schema}.erasure
           (id, batch_id, tenant_id, kind, subject_id, scope, last_activity, complete, erased_at,
            line_hash)
    OVERRIDING SYSTEM VALUE
    SELECT id, %(batch)s, %(tenant)s, %(kind)s, subject_id, %(scope)s, last_activity, %(complete)s,
           %(now)s,
           sha256(convert_to(concat_ws(' ',
               id, %(batch)s::bigint, to_json(%(tenant)s::text), %(kind)s::text,
               to_json(subject_id), %(scope)s::text,
               COALESCE(to_json(last_activity AT TIME ZONE 'UTC')::text, 'null'),
               %(complete)s::boolean, to_json(%(now)s::timestamptz AT TIME ZONE 'UTC')), 'UTF8'))
      FROM numbered
    RETURNING id, line_hash
)
SELECT encode(sha256(convert_to(
           COALESCE(string_agg(encode(line_hash, 'hex'), E'\n' ORDER BY id), ''), 'UTF8')),
           'hex') AS digest
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
