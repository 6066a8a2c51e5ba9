-- name: erased
-- What a month's batches erased, by tenant, scope, source and rule.
SELECT tenant_id, scope, source, policy_digest, count(*) AS batches,
       sum(accounts)::bigint AS accounts, sum(objects)::bigint AS objects
  FROM {schema}.batch
 WHERE erased_at >= %(start)s AND erased_at < %(end)s AND source <> 'objects'
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 GROUP BY tenant_id, scope, source, policy_digest
 ORDER BY tenant_id, scope DESC, source, min(id);

-- name: rows
-- The same by entry of the data map: rows.
SELECT b.tenant_id, b.scope, b.source, b.policy_digest, c.key AS entry,
       sum(c.value::bigint)::bigint AS number
  FROM {schema}.batch b CROSS JOIN LATERAL jsonb_each_text(b.counts) AS c
 WHERE b.erased_at >= %(start)s AND b.erased_at < %(end)s AND b.source <> 'objects'
   AND (%(tenant)s::text IS NULL OR b.tenant_id = %(tenant)s)
 GROUP BY b.tenant_id, b.scope, b.source, b.policy_digest, c.key
 ORDER BY c.key;

-- name: objects
-- Objects that a month's drains found gone, or deleted.
SELECT tenant_id, sum(objects)::bigint AS deleted
  FROM {schema}.batch
 WHERE erased_at >= %(start)s AND erased_at < %(end)s AND source = 'objects'
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 GROUP BY tenant_id;

-- name: transactions
-- The same by transactions that were erased by themselves.
SELECT b.tenant_id, b.scope, b.source, b.policy_digest, count(*) AS number
  FROM {schema}.batch b JOIN {schema}.erasure e ON e.batch_id = b.id
 WHERE b.erased_at >= %(start)s AND b.erased_at < %(end)s
   AND e.kind = 'transaction' AND e.complete
   AND (%(tenant)s::text IS NULL OR b.tenant_id = %(tenant)s)
 GROUP BY b.tenant_id, b.scope, b.source, b.policy_digest;

-- name: margins
-- How long after its due date each was erased, in microseconds: the least, the most, and how many
-- later than allowed. The due date is computed here and not by the sweep's code: months are
-- added first, what would be after the month's end is the end of its last day, then days are.
-- Late counts from the later of the due date and the end of what kept the account back with a
-- person's knowledge: a hold, its lane's wait for an approval, and then the pause under which it
-- became free, or that began before it was late. Pauses with less than that between them are one.
WITH spell AS (
    SELECT paused_at, COALESCE(ended_at, 'infinity') AS ended_at,
           max(COALESCE(ended_at, 'infinity')) OVER (ORDER BY paused_at, id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended_before, id
      FROM {schema}.pause WHERE paused_at < %(end)s
), numbered AS (
    SELECT *, count(*) FILTER (WHERE ended_before IS NULL OR paused_at
                  > ended_before + %(allowed)s * interval '1 microsecond')
                OVER (ORDER BY paused_at, id) AS number
      FROM spell
), pauses AS (
    SELECT min(paused_at) AT TIME ZONE 'UTC' AS began, max(ended_at) AT TIME ZONE 'UTC' AS ended
      FROM numbered GROUP BY number
), rule AS (
    SELECT * FROM unnest(%(digests)s::text[], %(scopes)s::text[], %(months)s::int[], %(days)s::int[])
        AS r (digest, scope, months, days)
), due AS (
    SELECT b.tenant_id, b.scope, b.source, b.policy_digest,
           e.erased_at AT TIME ZONE 'UTC' AS erased_at, free.at AT TIME ZONE 'UTC' AS free_at,
           CASE WHEN extract(day FROM a.at + m.months) < extract(day FROM a.at)
                THEN date_trunc('day', a.at + m.months) + interval '1 day - 1 microsecond'
                ELSE a.at + m.months END + make_interval(days => r.days) AS due_at
      FROM {schema}.batch b
      JOIN {schema}.erasure e ON e.batch_id = b.id
      JOIN rule r ON r.digest = b.policy_digest AND r.scope = b.scope
     CROSS JOIN LATERAL (SELECT e.last_activity AT TIME ZONE 'UTC') AS a (at)
     CROSS JOIN LATERAL (SELECT make_interval(months => r.months)) AS m (months)
     CROSS JOIN LATERAL (
           SELECT max(f.at) FROM (
                  SELECT LEAST(h.released_at, h.until) FROM {schema}.hold h
                   WHERE h.tenant_id = e.tenant_id AND h.account_id = e.subject_id
                   UNION ALL
                  SELECT p.approved_at FROM {schema}.approval p
                   WHERE p.tenant_id = b.tenant_id AND p.scope = b.scope AND p.spent > 0
                     AND e.last_activity <= p.cutoff) AS f (at)
            WHERE f.at <= e.erased_at) AS free (at)
     WHERE b.erased_at >= %(start)s AND b.erased_at < %(end)s AND isfinite(e.last_activity)
       AND e.complete  -- a large account goes in parts, and is one
       AND (%(tenant)s::text IS NULL OR b.tenant_id = %(tenant)s)
), margin AS (
    SELECT *, (extract(epoch FROM erased_at - due_at) * 1000000)::bigint AS after_due,
           (extract(epoch FROM erased_at - GREATEST(due_at, free_at,
                CASE WHEN p.ended IS NOT NULL THEN LEAST(p.ended, erased_at) END)) * 1000000)::bigint
           AS after_free
      FROM due
      LEFT JOIN pauses p ON p.ended > GREATEST(due_at, free_at) AND p.began
                <= GREATEST(due_at, free_at) + %(allowed)s * interval '1 microsecond'
)
SELECT tenant_id, scope, source, policy_digest, min(after_due) AS earliest, max(after_due) AS latest,
       count(*) FILTER (WHERE after_due < 0) AS early,
       count(*) FILTER (WHERE after_free > %(allowed)s) AS late
  FROM margin GROUP BY tenant_id, scope, source, policy_digest;

-- name: policies
-- What policies say, by their digests; and the tenants' names.
SELECT DISTINCT ON (tenant_id, digest) tenant_id, tenant, digest, effective
  FROM {schema}.policy
 WHERE digest = ANY (%(digests)s::text[]) OR tenant_id = ANY (%(tenants)s::text[])
 ORDER BY tenant_id, digest, id DESC;

-- name: holds
-- Holds of a month: placed, released, and in force at its end.
SELECT tenant_id,
       count(*) FILTER (WHERE placed_at >= %(start)s) AS placed,
       count(*) FILTER (WHERE released_at >= %(start)s AND released_at < %(end)s) AS released,
       count(*) FILTER (WHERE (released_at IS NULL OR released_at >= %(end)s)
                          AND (until IS NULL OR until > %(end)s)) AS in_force
  FROM {schema}.hold
 WHERE placed_at < %(end)s AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 GROUP BY tenant_id;

-- name: approvals
-- The approvals of a month.
SELECT tenant_id, scope, cutoff, at_most, spent, approved_by, reason, approved_at
  FROM {schema}.approval
 WHERE approved_at >= %(start)s AND approved_at < %(end)s
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 ORDER BY tenant_id, id;

-- name: requests
-- Ad-hoc requests that were made in a month or still open in it, and what had become of them at its
-- end; late: done, refused or still open after the day by which they were due.
SELECT tenant_id, kind, scope, source,
       count(*) FILTER (WHERE requested_at >= %(start)s) AS requested,
       count(*) FILTER (WHERE state = 'done' AND finished_at < %(end)s) AS done,
       count(*) FILTER (WHERE state = 'refused' AND finished_at < %(end)s) AS refused,
       count(*) FILTER (WHERE finished_at IS NULL OR finished_at >= %(end)s) AS open,
       count(*) FILTER (WHERE due_by < LEAST(COALESCE(finished_at, %(end)s), %(end)s)) AS late
  FROM {schema}.request
 WHERE requested_at < %(end)s AND (finished_at IS NULL OR finished_at >= %(start)s)
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 GROUP BY tenant_id, kind, scope, source
 ORDER BY tenant_id, kind, scope, source;
