-- Tombstones are found by the person's id, whichever tenant it was erased for: where ids are unique by
-- themselves an erasure counts after a move to another tenant, too.

CREATE INDEX erasure_person ON {schema}.erasure (subject_id, kind, tenant_id);
DROP INDEX {schema}.erasure_subject;
