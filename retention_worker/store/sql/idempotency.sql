-- name: forget
-- What nobody asks for again.
DELETE FROM {schema}.idempotency
 WHERE key_hash IN (SELECT key_hash FROM {schema}.idempotency
                     WHERE begun_at < %(before)s ORDER BY begun_at LIMIT 100);

-- name: begin
-- The key is this request's from now on; no row where it is somebody's already.
INSERT INTO {schema}.idempotency (key_hash, request_hash, begun_at)
VALUES (%(key)s, %(request)s, %(now)s)
ON CONFLICT (key_hash) DO UPDATE SET begun_at = EXCLUDED.begun_at
      WHERE idempotency.status IS NULL AND idempotency.begun_at < %(stale)s
        AND idempotency.request_hash = EXCLUDED.request_hash
RETURNING 1 AS begun;

-- name: read
-- What became of the request that has the key.
SELECT request_hash, status, answer FROM {schema}.idempotency WHERE key_hash = %(key)s;

-- name: end
-- What was answered.
UPDATE {schema}.idempotency SET status = %(status)s, answer = %(answer)s WHERE key_hash = %(key)s;

-- name: give_up
-- Nothing was done: the key is free again.
DELETE FROM {schema}.idempotency WHERE key_hash = %(key)s AND status IS NULL;
