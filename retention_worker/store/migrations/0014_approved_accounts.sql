-- An approval names the accounts that were shown. One that was given by a number alone might let others
-- go, so that it ends here: whoever wants it looks again.

ALTER TABLE {schema}.approval ADD COLUMN accounts bytea;
COMMENT ON COLUMN {schema}.approval.accounts IS
    'The first eight bytes of the SHA-256 of each account''s id, in their order. NULL: of a replay, or given before.';
UPDATE {schema}.approval
   SET ended_at = now(), ended_because = 'given by a number of accounts, before approvals named them'
 WHERE ended_at IS NULL;
