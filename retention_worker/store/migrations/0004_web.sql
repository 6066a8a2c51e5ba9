-- The HTTP API: its clients, their access tokens, and how a client names a deletion.

CREATE TABLE {schema}.client (
    client_id      text PRIMARY KEY,
    tenant_id      text NOT NULL,
    name           text NOT NULL,
    permissions    text[] NOT NULL,
    secret_hash    bytea NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text NOT NULL,
    rotated_at     timestamptz,
    rotated_by     text,
    revoked_at     timestamptz,
    revoked_by     text,
    last_token_at  timestamptz
);
COMMENT ON TABLE {schema}.client IS
    'Programs that may use the API, each for one tenant. A secret is kept as its SHA-256 alone.';
CREATE UNIQUE INDEX client_name ON {schema}.client (tenant_id, name) WHERE revoked_at IS NULL;

CREATE TABLE {schema}.token (
    token_hash   bytea PRIMARY KEY,
    client_id    text NOT NULL REFERENCES {schema}.client,
    permissions  text[] NOT NULL,
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.token IS
    'Access tokens that count: who rotates or revokes a client deletes them. SHA-256 alone.';
CREATE INDEX token_client ON {schema}.token (client_id);
CREATE INDEX token_expires ON {schema}.token (expires_at);

-- What the API calls a request: numbers could be counted up, and would say how many there are.
ALTER TABLE {schema}.request ADD COLUMN deletion uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX request_deletion ON {schema}.request (deletion);
CREATE INDEX batch_request ON {schema}.batch (request_id) WHERE request_id IS NOT NULL;
