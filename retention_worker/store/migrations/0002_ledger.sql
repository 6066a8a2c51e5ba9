-- The SHA-256 of each erasure row's line. The batch's body holds the hash of all of them: with the
-- single ones a changed row can be named, and a receipt can be proved without another's id.

ALTER TABLE {schema}.erasure ADD COLUMN line_hash bytea;
COMMENT ON COLUMN {schema}.erasure.line_hash IS
    'SHA-256 of the row''s line, as it was when the batch was written.';
