-- The outbox is filled in the batch that erases: an index entry for each object's URI was a tenth of
-- what a batch costs. Rows of several batches that name one object are those of maps that say so.

CREATE INDEX object_deletion_shared ON {schema}.object_deletion USING hash (uri) WHERE shared;
DROP INDEX {schema}.object_deletion_uri;
