-- One pace for all replicas: a batch holds a stream while it runs, and says when the next may begin.
-- The times are the database's own, and none of them decides what is erased.

CREATE TABLE {schema}.pace (
    stream   int PRIMARY KEY,
    free_at  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE {schema}.pace IS
    'The lock of a row is a running batch; free_at is when the pause after the last one ends.';
INSERT INTO {schema}.pace (stream) SELECT generate_series(1, 64);

-- Rows that every batch updates in place: room on their pages, and a vacuum long before the usual
-- fifty dead rows and a fifth of the table, because each batch looks them up several times.
ALTER TABLE {schema}.lane SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200);
ALTER TABLE {schema}.tenant SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200);
ALTER TABLE {schema}.control SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200);
ALTER TABLE {schema}.pace SET (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200);
-- Queues: what is done leaves them, and what is at their front is read again and again.
ALTER TABLE {schema}.deferred SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500);
ALTER TABLE {schema}.object_deletion SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000);
-- The ledger only grows. Vacuumed by what came, so that its pages are marked visible and frozen a
-- little at a time, and not all at once after years; analysed as often.
ALTER TABLE {schema}.erasure SET (autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_freeze_min_age = 0);
ALTER TABLE {schema}.batch SET (autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_freeze_min_age = 0);
