-- name: take
-- A stream that is free, until the transaction ends; a time that no pause explains counts as none.
SELECT stream FROM {schema}.pace
 WHERE stream <= %(streams)s
   AND (free_at <= clock_timestamp()
        OR free_at > clock_timestamp() + make_interval(secs => %(longest)s))
 ORDER BY stream LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: wait
-- Seconds until the first stream is free; 0 where one is, or is only locked by a running batch.
SELECT GREATEST(0, extract(epoch FROM min(free_at) - clock_timestamp()))::float8 AS seconds
  FROM {schema}.pace WHERE stream <= %(streams)s;

-- name: release
-- The pause after a batch: so many times as long as the batch has taken, within bounds. Back come
-- its seconds.
UPDATE {schema}.pace
   SET free_at = clock_timestamp() + LEAST(
           make_interval(secs => %(longest)s),
           (clock_timestamp() - transaction_timestamp() + make_interval(secs => %(beyond)s))
           * %(factor)s::float8)
 WHERE stream = %(stream)s
RETURNING GREATEST(0, extract(epoch FROM free_at - clock_timestamp()))::float8 AS seconds;

-- name: charge
-- The pause after a batch that was rolled back, and took its time all the same.
UPDATE {schema}.pace
   SET free_at = GREATEST(free_at, clock_timestamp() + make_interval(secs => %(seconds)s))
 WHERE stream = (SELECT min(stream) FROM {schema}.pace WHERE free_at <= clock_timestamp());

-- name: signals
-- How the server is doing; NULL is what this role may not know, or what cannot be known.
WITH RECURSIVE mapped (relid) AS ( -- the tables, and the partitions in which their rows are
    SELECT unnest(%(tables)s::bigint[]::oid[])
    UNION
    SELECT i.inhrelid FROM mapped JOIN pg_catalog.pg_inherits i ON i.inhparent = mapped.relid
)
SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS written,
       (SELECT jsonb_agg(jsonb_build_object(
                   'name', r.application_name, 'state', r.state,
                   'replayed', (COALESCE(r.replay_lsn, r.flush_lsn) - '0/0'::pg_lsn)::bigint,
                   'lag', extract(epoch FROM r.replay_lag)::float8))
          FROM pg_catalog.pg_stat_replication r
         WHERE r.state IS DISTINCT FROM 'backup') AS standbys,
       (SELECT a.last_failed_time > COALESCE(a.last_archived_time, '-infinity')
          FROM pg_catalog.pg_stat_archiver a) AS archiving_fails,
       (SELECT 100.0 * sum(d.numbackends) / current_setting('max_connections')::int
          FROM pg_catalog.pg_stat_database d)::float8 AS connection_percent,
       -- Counters begin at zero after a crash, a failover or a copy: what ANALYZE saw counts too.
       (SELECT max(100.0 * s.n_dead_tup / GREATEST(s.n_live_tup + s.n_dead_tup, c.reltuples))
          FROM mapped JOIN pg_catalog.pg_stat_all_tables s USING (relid)
          JOIN pg_catalog.pg_class c ON c.oid = s.relid
         WHERE s.n_dead_tup >= %(least_dead)s)::float8 AS dead_percent,
       EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_vacuum v
                WHERE v.relid IN (SELECT relid FROM mapped)) AS vacuuming,
       (SELECT extract(epoch FROM clock_timestamp() - min(t.xact_start))
          FROM pg_catalog.pg_stat_activity t
         WHERE t.pid <> pg_backend_pid() AND t.datname = current_database())::float8
         AS oldest_seconds,
       pg_has_role('pg_read_all_stats', 'MEMBER') AS sees_all;

-- name: waiting
-- How many sessions wait for a lock of this transaction.
SELECT count(*) AS sessions FROM pg_catalog.pg_locks l
 WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid));
