-- An approval ends: with its lane, with its time, or because another one takes its place. At most one of
-- a lane is open, and it stands for the lane as it was shown.

ALTER TABLE {schema}.approval ADD COLUMN ended_at timestamptz;
ALTER TABLE {schema}.approval ADD COLUMN ended_because text;
UPDATE {schema}.approval a SET ended_at = a.expires_at, ended_because = 'a newer approval'
 WHERE EXISTS (SELECT 1 FROM {schema}.approval n
                WHERE n.tenant_id = a.tenant_id AND n.scope = a.scope AND n.id > a.id);
CREATE INDEX approval_open ON {schema}.approval (tenant_id, scope, id DESC) WHERE ended_at IS NULL;

CREATE TABLE {schema}.idempotency (
    key_hash      bytea PRIMARY KEY,
    request_hash  bytea NOT NULL,
    begun_at      timestamptz NOT NULL,
    status        int,
    answer        text
);
COMMENT ON TABLE {schema}.idempotency IS
    'What was answered to a request with an Idempotency-Key; status is NULL while it is under way.';
CREATE INDEX idempotency_begun ON {schema}.idempotency (begun_at);
