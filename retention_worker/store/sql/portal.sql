-- name: add_user
-- A new user; no row where the name was ever given.
INSERT INTO {schema}.portal_user
       (name, tenant_id, role, password_hash, created_at, created_by, password_at, password_by)
VALUES (%(name)s, %(tenant)s, %(role)s, %(hash)s, %(now)s, %(actor)s, %(now)s, %(actor)s)
ON CONFLICT DO NOTHING
RETURNING *;

-- name: users
-- All users, of one tenant or of all, disabled ones too.
SELECT * FROM {schema}.portal_user
 WHERE %(tenant)s::text IS NULL OR tenant_id = %(tenant)s
 ORDER BY tenant_id, name;

-- name: user
-- A user that counts.
SELECT * FROM {schema}.portal_user WHERE name = %(name)s AND disabled_at IS NULL;

-- name: disable
-- The user counts no more; no row where there is none that does.
UPDATE {schema}.portal_user SET disabled_at = %(now)s, disabled_by = %(actor)s
 WHERE name = %(name)s AND disabled_at IS NULL
RETURNING *;

-- name: set_password
-- Another password; no row where there is no such user that counts.
UPDATE {schema}.portal_user
   SET password_hash = %(hash)s, password_at = %(now)s, password_by = %(actor)s
 WHERE name = %(name)s AND disabled_at IS NULL
RETURNING *;

-- name: end_sessions_of
-- A user's sessions end.
DELETE FROM {schema}.portal_session WHERE local_user = %(name)s;

-- name: attempt
-- One more attempt of a name; a window that is over begins anew.
INSERT INTO {schema}.portal_attempt AS a (name_hash, attempts, since)
VALUES (%(hash)s, 1, %(now)s)
ON CONFLICT (name_hash) DO UPDATE
   SET attempts = CASE WHEN a.since <= %(over)s THEN 1 ELSE a.attempts + 1 END,
       since = CASE WHEN a.since <= %(over)s THEN EXCLUDED.since ELSE a.since END
RETURNING attempts, since;

-- name: prune_attempts
-- Windows that are over.
DELETE FROM {schema}.portal_attempt WHERE since <= %(over)s;

-- name: forget_attempts
-- Somebody signed in.
DELETE FROM {schema}.portal_attempt WHERE name_hash = %(hash)s;

-- name: open_session
-- Somebody is signed in.
INSERT INTO {schema}.portal_session
       (session_hash, local_user, name, tenant_id, role, csrf_secret, created_at, last_seen_at,
        ends_at)
VALUES (%(hash)s, %(local_user)s, %(name)s, %(tenant)s, %(role)s, %(csrf)s, %(now)s, %(now)s,
        %(ends_at)s);

-- name: session
-- A session that counts; tenant and role of a local user as they are now.
SELECT s.name, COALESCE(u.tenant_id, s.tenant_id) AS tenant_id, COALESCE(u.role, s.role) AS role,
       s.csrf_secret, s.last_seen_at, s.ends_at
  FROM {schema}.portal_session s
  LEFT JOIN {schema}.portal_user u ON u.name = s.local_user
 WHERE s.session_hash = %(hash)s AND s.ends_at > %(now)s AND s.last_seen_at > %(idle)s
   AND u.disabled_at IS NULL;

-- name: seen
-- Its user did something; never backwards, because requests overtake each other.
UPDATE {schema}.portal_session SET last_seen_at = GREATEST(last_seen_at, %(now)s)
 WHERE session_hash = %(hash)s;

-- name: close_session
-- Its user signs out.
DELETE FROM {schema}.portal_session WHERE session_hash = %(hash)s;

-- name: prune_sessions
-- Sessions that are over.
DELETE FROM {schema}.portal_session WHERE ends_at <= %(now)s OR last_seen_at <= %(idle)s;
