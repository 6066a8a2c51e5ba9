-- The portal: people who sign in, their sessions, and how often somebody tried.

CREATE TABLE {schema}.portal_user (
    name           text PRIMARY KEY,
    tenant_id      text NOT NULL,
    role           text NOT NULL CHECK (role IN ('viewer', 'support', 'approver')),
    password_hash  text NOT NULL,
    created_at     timestamptz NOT NULL,
    created_by     text NOT NULL,
    password_at    timestamptz NOT NULL,
    password_by    text NOT NULL,
    disabled_at    timestamptz,
    disabled_by    text
);
COMMENT ON TABLE {schema}.portal_user IS
    'People who sign in with a password (argon2), each for one tenant. A name is never given anew.';

CREATE TABLE {schema}.portal_session (
    session_hash  bytea PRIMARY KEY,
    local_user    text REFERENCES {schema}.portal_user,
    name          text NOT NULL,
    tenant_id     text NOT NULL,
    role          text NOT NULL CHECK (role IN ('viewer', 'support', 'approver')),
    csrf_secret   text NOT NULL,
    created_at    timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.portal_session IS
    'Who is signed in: SHA-256 of a long random text. local_user is NULL for a provider''s users.';
CREATE INDEX portal_session_user ON {schema}.portal_session (local_user);
CREATE INDEX portal_session_ends ON {schema}.portal_session (ends_at);

CREATE TABLE {schema}.portal_attempt (
    name_hash  bytea PRIMARY KEY,
    attempts   int NOT NULL,
    since      timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.portal_attempt IS
    'Attempts to sign in that did not succeed, by the SHA-256 of the name: some type a password there.';
CREATE INDEX portal_attempt_since ON {schema}.portal_attempt (since);
