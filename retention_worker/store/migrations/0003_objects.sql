-- The outbox is drained: what is asked when, by store, and what is gone. An object's URI leaves the
-- outbox once a batch of the ledger says that it is gone.

ALTER TABLE {schema}.object_deletion ADD COLUMN store text GENERATED ALWAYS AS
    (COALESCE(substring(uri from '^[A-Za-z][A-Za-z0-9+.-]*://[^/]*'), '')) STORED;
COMMENT ON COLUMN {schema}.object_deletion.store IS
    'What is asked together: s3://bucket, file://, or nothing before a bare path.';
ALTER TABLE {schema}.object_deletion ADD COLUMN claimed_until timestamptz;
COMMENT ON COLUMN {schema}.object_deletion.claimed_until IS
    'A drain has it in hand until then; one that died leaves it to the next.';
ALTER TABLE {schema}.object_deletion ADD COLUMN since timestamptz;
COMMENT ON COLUMN {schema}.object_deletion.since IS 'Since when it is denied, failed or kept.';
UPDATE {schema}.object_deletion SET retry_at = queued_at WHERE retry_at IS NULL;
ALTER TABLE {schema}.object_deletion ALTER COLUMN retry_at SET NOT NULL;
COMMENT ON COLUMN {schema}.object_deletion.retry_at IS
    'Nobody asks before: a grace, or a pause after an error.';
ALTER TABLE {schema}.object_deletion ADD CONSTRAINT object_deletion_state
    CHECK (state IN ('queued', 'denied', 'failed', 'kept'));
-- Each object is updated once or twice before it goes: room for that on its own page.
ALTER TABLE {schema}.object_deletion SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
DROP INDEX {schema}.object_deletion_queued;
-- A drain goes from store to store, and takes the earliest of each.
CREATE INDEX object_deletion_ready ON {schema}.object_deletion (store, retry_at, id)
 WHERE state <> 'failed';
CREATE INDEX object_deletion_state ON {schema}.object_deletion (state, id) WHERE state <> 'queued';
CREATE INDEX object_deletion_batch ON {schema}.object_deletion (batch_id);

CREATE TABLE {schema}.object_deleted (
    id          bigint PRIMARY KEY,
    tenant_id   text NOT NULL,
    account_id  text NOT NULL,
    batch_id    bigint NOT NULL,
    entry       text NOT NULL,
    gone_batch  bigint NOT NULL,
    gone_at     timestamptz NOT NULL,
    uri         text
);
COMMENT ON TABLE {schema}.object_deleted IS
    'Objects that are gone: which batch erased their rows, and which says that they are gone.';
COMMENT ON COLUMN {schema}.object_deleted.uri IS
    'Kept for a few days, so that verify --objects can look whether it is really gone.';
CREATE INDEX object_deleted_account ON {schema}.object_deleted (tenant_id, account_id);
CREATE INDEX object_deleted_batch ON {schema}.object_deleted (batch_id);
CREATE INDEX object_deleted_sample ON {schema}.object_deleted (gone_at) WHERE uri IS NOT NULL;
