-- Every pause of everything, so that nobody counts as late what was due in one of them. `control` has
-- the one that is in force, or was the last.

CREATE TABLE {schema}.pause (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    paused_at  timestamptz NOT NULL,
    ended_at   timestamptz,
    actor      text NOT NULL,
    reason     text NOT NULL
);
COMMENT ON TABLE {schema}.pause IS
    'Every pause of everything; ended_at may lie ahead: the end that was given. NULL: until somebody ends it.';
INSERT INTO {schema}.pause (paused_at, ended_at, actor, reason)
SELECT paused_at, paused_until, COALESCE(paused_by, ''), COALESCE(pause_reason, '')
  FROM {schema}.control WHERE paused_at IS NOT NULL;
