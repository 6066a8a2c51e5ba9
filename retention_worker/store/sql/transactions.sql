-- name: erasures
-- Complete erasures of a transaction and of its account.
SELECT kind, scope, erased_at FROM {schema}.erasure
 WHERE tenant_id = %(tenant)s AND complete
   AND ((kind = 'transaction' AND subject_id = %(transaction)s)
        OR (kind = 'account' AND subject_id = %(account)s))
 ORDER BY id;

-- name: objects_left
-- Objects of the account that are in the outbox by an erasure of it or of the transaction.
SELECT count(*) AS objects FROM {schema}.object_deletion d
 WHERE d.tenant_id = %(tenant)s AND d.account_id = %(account)s
   AND EXISTS (SELECT 1 FROM {schema}.erasure e
                WHERE e.batch_id = d.batch_id AND e.tenant_id = d.tenant_id
                  AND ((e.kind = 'transaction' AND e.subject_id = %(transaction)s)
                       OR (e.kind = 'account' AND e.subject_id = %(account)s)));
