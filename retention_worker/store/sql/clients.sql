-- name: add
-- A new client; no row where the tenant has one of that name.
INSERT INTO {schema}.client
       (client_id, tenant_id, name, permissions, secret_hash, created_at, created_by)
VALUES (%(client)s, %(tenant)s, %(name)s, %(permissions)s::text[], %(hash)s, %(now)s, %(actor)s)
ON CONFLICT (tenant_id, name) WHERE revoked_at IS NULL DO NOTHING
RETURNING *;

-- name: listed
-- All clients, of one tenant or of all, revoked ones too.
SELECT * FROM {schema}.client
 WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s
 ORDER BY tenant_id, name, created_at;

-- name: lock
-- A client that counts, locked: nobody rotates or revokes it until the transaction ends.
SELECT * FROM {schema}.client WHERE client_id = %(client)s AND revoked_at IS NULL
   FOR NO KEY UPDATE;

-- name: rotate
-- Another secret.
UPDATE {schema}.client SET secret_hash = %(hash)s, rotated_at = %(now)s, rotated_by = %(actor)s
 WHERE client_id = %(client)s;

-- name: revoke
-- The client counts no more.
UPDATE {schema}.client SET revoked_at = %(now)s, revoked_by = %(actor)s
 WHERE client_id = %(client)s;

-- name: used
-- When a token was last issued.
UPDATE {schema}.client SET last_token_at = %(now)s WHERE client_id = %(client)s;

-- name: drop_tokens
-- The client's tokens count no more, from this moment on.
DELETE FROM {schema}.token WHERE client_id = %(client)s;

-- name: prune_tokens
-- Tokens that have expired.
DELETE FROM {schema}.token WHERE expires_at <= %(now)s;

-- name: count_tokens
-- How many tokens of a client count.
SELECT count(*) AS tokens FROM {schema}.token
 WHERE client_id = %(client)s AND expires_at > %(now)s;

-- name: add_token
-- A new token.
INSERT INTO {schema}.token (token_hash, client_id, permissions, issued_at, expires_at)
VALUES (%(hash)s, %(client)s, %(permissions)s::text[], %(now)s, %(expires_at)s);

-- name: bearer
-- Whose token it is, if it counts.
SELECT c.client_id, c.tenant_id, c.name, t.permissions
  FROM {schema}.token t JOIN {schema}.client c ON c.client_id = t.client_id
 WHERE t.token_hash = %(hash)s AND t.expires_at > %(now)s AND c.revoked_at IS NULL;
