-- name: in_order
-- Rows are read along the index, a page at a time: without statistics, as after a restore, every
-- page would else be sorted out of all the rows that are left.
SELECT set_config('enable_bitmapscan', 'off', true);

-- name: batches
-- The next batches in order of their numbers; times as texts, because a changed one may be none.
SELECT id, sweep_id, request_id, tenant_id, scope, source, cutoff::text, policy_digest, map_digest,
       accounts, counts, objects, erased_at::text, body, previous_hash, hash
  FROM {schema}.batch
 WHERE id > %(after)s AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 ORDER BY id LIMIT %(limit)s;

-- name: erasures
-- The next erasure rows in order of their batch and their own number.
SELECT id, batch_id, tenant_id, kind, subject_id, scope, last_activity::text, complete,
       erased_at::text, encode(line_hash, 'hex') AS line_hash
  FROM {schema}.erasure
 WHERE (batch_id, id) > (%(after_batch)s, %(after)s) AND batch_id >= %(after_batch)s
   AND (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
 ORDER BY batch_id, id LIMIT %(limit)s;

-- name: of_subject
-- Every erasure row of one account or transaction.
SELECT id, batch_id, tenant_id, kind, subject_id, scope, last_activity::text, complete,
       erased_at::text, encode(line_hash, 'hex') AS line_hash
  FROM {schema}.erasure
 WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND subject_id = %(subject)s
 ORDER BY id;

-- name: proof
-- A batch's body and hash, and the hashes of all its erasure rows with their numbers.
SELECT b.body, b.hash,
       (SELECT array_agg(e.id ORDER BY e.id) FROM {schema}.erasure e WHERE e.batch_id = b.id) AS ids,
       (SELECT array_agg(encode(e.line_hash, 'hex') ORDER BY e.id)
          FROM {schema}.erasure e WHERE e.batch_id = b.id) AS line_hashes
  FROM {schema}.batch b WHERE b.id = %(batch)s;

-- name: heads
-- The heads of all chains: of the lanes, and of what is not a lane's.
SELECT tenant_id, scope, 'sweep' AS source, head_batch, head_hash FROM {schema}.lane
 WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s
 UNION ALL
SELECT tenant_id, NULL, 'cli', head_batch, head_hash FROM {schema}.request_chain
 WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s;

-- name: hashes
-- The hashes of batches by their numbers.
SELECT id, hash FROM {schema}.batch WHERE id = ANY (%(ids)s::bigint[]);

-- name: batch_with
-- The tenant's batch with a hash.
SELECT id FROM {schema}.batch WHERE tenant_id = %(tenant)s AND hash = %(hash)s LIMIT 1;

-- name: is_followed
-- Whether a batch of the tenant, or the head of a chain, names a hash.
SELECT EXISTS (SELECT 1 FROM {schema}.batch
                WHERE tenant_id = %(tenant)s AND previous_hash = %(hash)s)
    OR EXISTS (SELECT 1 FROM {schema}.lane
                WHERE tenant_id = %(tenant)s AND head_hash = %(hash)s)
    OR EXISTS (SELECT 1 FROM {schema}.request_chain
                WHERE tenant_id = %(tenant)s AND head_hash = %(hash)s) AS followed;

-- name: last
-- The number of the newest batch.
SELECT COALESCE(max(id), 0) AS id FROM {schema}.batch;

-- name: given
-- The newest number that was given to a batch, whether it was committed or not.
SELECT COALESCE(max(last_value), 0) AS given FROM pg_catalog.pg_sequences
 WHERE format('%%I.%%I', schemaname, sequencename)
       = pg_get_serial_sequence(format('%%I.%%I', %(schema_name)s::text, 'batch'), 'id');

-- name: under_way
-- All transactions before `oldest` have ended; none from `newest` on had begun.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest;

-- name: transactions
-- The transactions of the accounts that a batch has erased, whosever they are by now.
SELECT transaction_id FROM {schema}.erased_transaction
 WHERE batch_id = %(batch)s ORDER BY transaction_id;
