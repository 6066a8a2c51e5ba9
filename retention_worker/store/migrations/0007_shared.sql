-- An object that several rows named goes when the last of them lets it go: its grace, its hold.

-- Hash: a URI may be longer than an entry of a B-tree. Where nothing is shared it is empty.
CREATE INDEX object_deletion_shared ON {schema}.object_deletion USING hash (uri) WHERE shared;
