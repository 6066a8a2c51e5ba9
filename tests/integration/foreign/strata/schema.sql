-- Four levels, no foreign key among the lower ones, kinds told apart by a column, activity elsewhere.
CREATE SCHEMA idv;
CREATE TYPE idv.document_kind AS ENUM ('PASSPORT', 'SELFIE', 'AUDIT');

CREATE TABLE idv.account (
    account_no  bigint PRIMARY KEY,
    ref         text NOT NULL UNIQUE,
    client      text NOT NULL,
    touched_at  timestamptz
);
CREATE INDEX ON idv.account (client, touched_at, account_no);

CREATE TABLE idv.login (
    id bigint PRIMARY KEY, account_no bigint NOT NULL, at timestamp NOT NULL, ok boolean NOT NULL
);
CREATE INDEX ON idv.login (account_no, at);

CREATE TABLE idv.applicant (id uuid PRIMARY KEY, account_ref text NOT NULL, full_name text);
CREATE INDEX ON idv.applicant (account_ref);
CREATE TABLE idv.check (id uuid PRIMARY KEY, applicant_id uuid NOT NULL, result text);
CREATE INDEX ON idv.check (applicant_id);

CREATE TABLE idv.document (
    id         uuid PRIMARY KEY,
    check_id   uuid NOT NULL,
    kind       idv.document_kind,
    file       text,
    thumbnail  bytea
);
CREATE INDEX ON idv.document (check_id);
CREATE TABLE idv.page (document_id uuid NOT NULL, number int NOT NULL, text text);
CREATE INDEX ON idv.page (document_id);

CREATE TABLE idv.embedding (
    check_id uuid NOT NULL, made_on date, vector real[] NOT NULL
);
CREATE INDEX ON idv.embedding (check_id);
