-- name: read
-- The pause, and the sweep whose clock was accepted.
SELECT paused_at, paused_by, paused_until, pause_reason, clock_accepted_sweep
  FROM {schema}.control;

-- name: total_allowance
-- What all lanes have together.
SELECT total_allowance, total_allowance_at, total_waits FROM {schema}.control;

-- name: lock_total
-- Whoever reserves of the total does so one after the other.
SELECT 1 AS locked FROM {schema}.control FOR UPDATE;

-- name: set_total_allowance
-- What all lanes have together has become.
UPDATE {schema}.control
   SET total_allowance = %(accounts)s, total_allowance_at = %(at)s, total_waits = %(waits)s;

-- name: give_back
-- What a lane had reserved and did not need.
UPDATE {schema}.control SET total_allowance = total_allowance + %(accounts)s;

-- name: pause
-- Stop every sweep.
UPDATE {schema}.control
   SET paused_at = %(now)s, paused_by = %(actor)s, pause_reason = %(reason)s,
       paused_until = %(until)s;

-- name: end_pauses
-- The pause that is in force ends, or the end that was given to it comes sooner.
UPDATE {schema}.pause SET ended_at = GREATEST(paused_at, %(now)s)
 WHERE ended_at IS NULL OR ended_at > %(now)s;

-- name: note_pause
-- A pause begins: what is due meanwhile is not late before a while after its end.
INSERT INTO {schema}.pause (paused_at, ended_at, actor, reason)
VALUES (%(now)s, %(until)s, %(actor)s, %(reason)s);

-- name: resume
-- Let sweeps go again.
UPDATE {schema}.control SET paused_until = LEAST(paused_until, %(now)s::timestamptz)
 WHERE paused_at IS NOT NULL;

-- name: accept_clock
-- The starts of all sweeps so far no longer count for the clock guard.
UPDATE {schema}.control
   SET clock_accepted_at = %(now)s, clock_accepted_by = %(actor)s,
       clock_accepted_reason = %(reason)s,
       clock_accepted_sweep = COALESCE((SELECT max(id) FROM {schema}.sweep), 0);

-- name: accept_total
-- What all lanes have together refills from now on.
UPDATE {schema}.control SET total_allowance_at = LEAST(total_allowance_at, %(now)s);

-- name: accept_lanes
-- What a sweep dated in the future left in the lanes counts from now on.
UPDATE {schema}.lane
   SET allowance_at = LEAST(allowance_at, %(now)s), waiting_since = LEAST(waiting_since, %(now)s),
       reconciled_at = LEAST(reconciled_at, %(now)s),
       reconcile_started_at = LEAST(reconcile_started_at, %(now)s)
 WHERE GREATEST(allowance_at, waiting_since, reconciled_at, reconcile_started_at) > %(now)s;

-- name: accept_tenants
-- It is no reason to serve a tenant last.
UPDATE {schema}.tenant SET last_served_at = %(now)s WHERE last_served_at > %(now)s;

-- name: accept_deferred
-- What it deferred, or began to erase, is looked at again now: its times are none.
UPDATE {schema}.deferred SET retry_at = %(now)s, looked_at = NULL, since = LEAST(since, %(now)s)
 WHERE looked_at > %(now)s OR since > %(now)s OR (reason = 'partial' AND retry_at > %(now)s);

-- name: latest_start
-- The latest start of a sweep since the clock was accepted.
SELECT s.started_at
  FROM {schema}.sweep s, {schema}.control c
 WHERE s.id > COALESCE(c.clock_accepted_sweep, 0)
 ORDER BY s.started_at DESC LIMIT 1;
