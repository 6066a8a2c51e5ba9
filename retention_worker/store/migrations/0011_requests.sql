-- A request of a replay is for what was there before the first erasure, whoever finishes it.

ALTER TABLE {schema}.request ADD COLUMN not_after timestamptz;
COMMENT ON COLUMN {schema}.request.not_after IS
    'Refused where the account was active later: then its id may be somebody else''s.';
