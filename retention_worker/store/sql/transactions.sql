-- name: objects
-- Objects of the account that an erasure of it, or of the transaction, queued: not gone yet.
SELECT d.entry, d.state, count(DISTINCT d.uri) AS objects FROM {schema}.object_deletion d
 WHERE d.tenant_id = %(tenant)s AND d.account_id = %(account)s
   AND EXISTS (SELECT 1 FROM {schema}.erasure e
                WHERE e.batch_id = d.batch_id AND e.tenant_id = d.tenant_id
                  AND ((e.kind = 'transaction' AND e.subject_id = %(transaction)s)
                       OR (e.kind = 'account' AND e.subject_id = %(account)s)))
 GROUP BY d.entry, d.state;
