-- Rows that name one object: it is deleted once and counted once, whoever's rows named it.

ALTER TABLE {schema}.object_deleted ADD COLUMN object_id bigint;
COMMENT ON COLUMN {schema}.object_deleted.object_id IS
    'The same for all rows that named one object and went with it; NULL: the row counts by itself.';
-- Hash: a URI may be longer than an entry of a B-tree. A drain looks for the other rows of each
-- object that it is about to delete.
CREATE INDEX object_deletion_uri ON {schema}.object_deletion USING hash (uri);
DROP INDEX {schema}.object_deletion_shared;
