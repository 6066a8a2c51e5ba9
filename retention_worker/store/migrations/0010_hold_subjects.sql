-- What a hold has seen: ids of the account's rows, by which it still counts when the account's own id or
-- tenant changes, or its transactions become another account's.

CREATE TABLE {schema}.hold_subject (
    hold_id     bigint NOT NULL REFERENCES {schema}.hold,
    kind        text NOT NULL,
    subject_id  text NOT NULL,
    PRIMARY KEY (hold_id, kind, subject_id)
);
COMMENT ON TABLE {schema}.hold_subject IS
    'Ids of rows that hung on the account while the hold was in place; kind: account, transaction, a link, or the table of a credential.';
CREATE INDEX hold_subject_id ON {schema}.hold_subject (subject_id, kind);
CREATE INDEX hold_account ON {schema}.hold (account_id) WHERE released_at IS NULL;
