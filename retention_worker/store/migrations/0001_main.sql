-- The worker's own tables. Nothing in them is the content of a credential.
-- Tenants are keyed by the value in the database's tenant column, never by a file's name; ids of
-- accounts and transactions are kept as text (a composite id as a JSON array of texts).

CREATE TABLE {schema}.sweep (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    version       text NOT NULL,
    host          text NOT NULL,
    totals        jsonb
);
COMMENT ON TABLE {schema}.sweep IS 'One row a sweep: start, end, version, host, totals.';
-- The clock guard reads the latest start.
CREATE INDEX sweep_started ON {schema}.sweep (started_at DESC);

CREATE TABLE {schema}.tenant (
    tenant_id       text PRIMARY KEY,
    last_served_at  timestamptz
);
COMMENT ON TABLE {schema}.tenant IS 'The lock of a row is the lease: who holds it erases for the tenant.';

CREATE TABLE {schema}.lane (
    tenant_id             text NOT NULL REFERENCES {schema}.tenant,
    scope                 text NOT NULL CHECK (scope IN ('biometrics', 'all')),
    watermark_activity    text,
    watermark_id          text[],
    policy_digest         text,
    map_digest            text,
    reconcile_digest      text,
    reconcile_activity    text,
    reconcile_id          text[],
    reconcile_started_at  timestamptz,
    reconciled_at         timestamptz,
    waiting_since         timestamptz,
    stop_reason           text,
    reason                text,
    allowance             double precision,
    allowance_at          timestamptz,
    head_hash             text,
    head_batch            bigint,
    PRIMARY KEY (tenant_id, scope)
);
COMMENT ON COLUMN {schema}.lane.watermark_activity IS
    'Everything up to here was erased or is in deferred: the text of the last candidate''s activity.';
COMMENT ON COLUMN {schema}.lane.map_digest IS
    'The digest of the map entries under which everything behind the watermark was last looked through.';

CREATE TABLE {schema}.deferred (
    tenant_id   text NOT NULL,
    scope       text NOT NULL,
    account_id  text NOT NULL,
    account_key text[] NOT NULL,
    reason      text NOT NULL CHECK (reason IN
                    ('locked', 'hold', 'newer_activity', 'newer_credential', 'timeout', 'error', 'partial')),
    detail      text,
    retry_at    timestamptz,
    active_at   timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    progress    jsonb,
    since       timestamptz NOT NULL,
    looked_at   timestamptz,
    known_at    timestamptz,
    PRIMARY KEY (tenant_id, scope, account_id)
);
COMMENT ON TABLE {schema}.deferred IS
    'Due accounts behind the watermark to look at again: at retry_at, or once the cutoff reaches active_at.';
COMMENT ON COLUMN {schema}.deferred.known_at IS
    'Activity that a credential showed which was erased since: it counts, whatever else blocks.';
COMMENT ON COLUMN {schema}.deferred.looked_at IS
    'The start of the sweep that looked last: each looks once. NULL: the next batch may go on.';
CREATE INDEX deferred_retry ON {schema}.deferred (tenant_id, scope, retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX deferred_active ON {schema}.deferred (tenant_id, scope, active_at) WHERE active_at IS NOT NULL;
CREATE INDEX deferred_reason ON {schema}.deferred (tenant_id, scope, reason);

CREATE TABLE {schema}.policy (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    tenant      text NOT NULL,
    digest      text NOT NULL,
    content     text NOT NULL,
    effective   jsonb NOT NULL,
    revision    text,
    applied_at  timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.policy IS 'A log of every effective policy that was applied.';
CREATE INDEX policy_tenant ON {schema}.policy (tenant_id, id DESC);

CREATE TABLE {schema}.hold (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       text NOT NULL,
    account_id      text NOT NULL,
    reason          text NOT NULL,
    placed_by       text NOT NULL,
    placed_at       timestamptz NOT NULL,
    until           timestamptz,
    released_at     timestamptz,
    released_by     text,
    release_reason  text
);
COMMENT ON TABLE {schema}.hold IS 'Legal holds: while one is active nothing of the account is erased.';
CREATE INDEX hold_active ON {schema}.hold (tenant_id, account_id) WHERE released_at IS NULL;

CREATE TABLE {schema}.approval (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      text NOT NULL,
    scope          text NOT NULL,
    policy_digest  text NOT NULL,
    cutoff         timestamptz NOT NULL,
    at_most        bigint NOT NULL,
    spent          bigint NOT NULL DEFAULT 0,
    approved_by    text NOT NULL,
    reason         text NOT NULL,
    approved_at    timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.approval IS
    'Lets a waiting lane go: the accounts with activity up to the cutoff that was shown, at_most of them.';
CREATE INDEX approval_lane ON {schema}.approval (tenant_id, scope, id DESC);

CREATE TABLE {schema}.control (
    one           boolean PRIMARY KEY DEFAULT TRUE CHECK (one),
    paused_at     timestamptz,
    paused_by     text,
    paused_until  timestamptz,
    pause_reason  text,
    total_allowance        double precision,
    total_allowance_at     timestamptz,
    total_waits            boolean NOT NULL DEFAULT FALSE,
    clock_accepted_at      timestamptz,
    clock_accepted_by      text,
    clock_accepted_reason  text,
    clock_accepted_sweep   bigint
);
INSERT INTO {schema}.control DEFAULT VALUES;
COMMENT ON TABLE {schema}.control IS 'One row: the pause of everything, what all lanes may erase together, and the last sweep whose clock was accepted.';

CREATE TABLE {schema}.request (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('account', 'transaction')),
    subject_id    text NOT NULL,
    subject_key   text[] NOT NULL,
    account_id    text NOT NULL,
    scope         text NOT NULL CHECK (scope IN ('biometrics', 'all')),
    source        text NOT NULL CHECK (source IN ('api', 'portal', 'cli')),
    actor         text NOT NULL,
    reason        text NOT NULL,
    requested_at  timestamptz NOT NULL,
    due_by        timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'refused')),
    detail        text,
    progress      jsonb,
    finished_at   timestamptz
);
COMMENT ON TABLE {schema}.request IS
    'Every ad-hoc erasure that was asked for; an open one is finished by run and sweep.';
CREATE UNIQUE INDEX request_open ON {schema}.request (tenant_id, kind, subject_id, scope)
 WHERE state = 'open';
CREATE INDEX request_subject ON {schema}.request (tenant_id, kind, subject_id);

CREATE TABLE {schema}.request_chain (
    tenant_id   text PRIMARY KEY,
    head_hash   text,
    head_batch  bigint
);
COMMENT ON TABLE {schema}.request_chain IS
    'The head of a tenant''s chain of ad-hoc erasures, apart from its lanes and their lease.';

CREATE TABLE {schema}.batch (
    id             bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    sweep_id       bigint,
    request_id     bigint,
    tenant_id      text NOT NULL,
    scope          text NOT NULL,
    source         text NOT NULL,
    cutoff         timestamptz,
    policy_digest  text,
    map_digest     text NOT NULL,
    accounts       int NOT NULL,
    counts         jsonb NOT NULL,
    objects        int NOT NULL,
    erased_at      timestamptz NOT NULL,
    body           text NOT NULL,
    previous_hash  text,
    hash           text NOT NULL
);
COMMENT ON TABLE {schema}.batch IS 'One row a committed batch; body is the exact text that is hashed.';
CREATE INDEX batch_sweep ON {schema}.batch (sweep_id);
CREATE INDEX batch_chain ON {schema}.batch (tenant_id, scope, id);

CREATE TABLE {schema}.erasure (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id       bigint NOT NULL,
    tenant_id      text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('account', 'transaction')),
    subject_id     text NOT NULL,
    scope          text NOT NULL CHECK (scope IN ('biometrics', 'all')),
    last_activity  timestamptz,
    complete       boolean NOT NULL,
    erased_at      timestamptz NOT NULL
);
COMMENT ON TABLE {schema}.erasure IS
    'One row an account or transaction erased: the tombstone too. complete is false for a part of a large account.';
CREATE INDEX erasure_subject ON {schema}.erasure (tenant_id, kind, subject_id);
CREATE INDEX erasure_batch ON {schema}.erasure (batch_id);

CREATE TABLE {schema}.object_deletion (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    account_id  text NOT NULL,
    batch_id    bigint NOT NULL,
    entry       text NOT NULL,
    uri         text NOT NULL,
    shared      boolean NOT NULL,
    queued_at   timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'queued',
    attempts    int NOT NULL DEFAULT 0,
    retry_at    timestamptz,
    error       text
);
COMMENT ON TABLE {schema}.object_deletion IS 'The outbox: objects outside the database whose rows are gone.';
CREATE INDEX object_deletion_account ON {schema}.object_deletion (tenant_id, account_id);
CREATE INDEX object_deletion_queued ON {schema}.object_deletion (id) WHERE state = 'queued';

CREATE VIEW {schema}.erased AS
    SELECT tenant_id AS tenant, kind, subject_id AS id, scope, min(erased_at) AS at
      FROM {schema}.erasure
     WHERE complete
     GROUP BY tenant_id, kind, subject_id, scope;
COMMENT ON VIEW {schema}.erased IS 'What was erased and since when, for the application to read.';
