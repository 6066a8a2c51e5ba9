-- The transactions of erased accounts, by which what was erased stays erased when a transaction is
-- given to another account, or the account to another tenant, or its id changes.

CREATE TABLE {schema}.erased_transaction (
    transaction_id  text NOT NULL,
    batch_id        bigint NOT NULL
);
COMMENT ON TABLE {schema}.erased_transaction IS
    'Transactions of accounts that a batch has erased, or a part of.';
CREATE INDEX erased_transaction_id ON {schema}.erased_transaction USING hash (transaction_id);
CREATE INDEX erased_transaction_batch ON {schema}.erased_transaction (batch_id);

-- Whoever may read what was erased (the owners of triggers, the application) may read this, too.
DO $grants$
DECLARE
    mine record;
BEGIN
    FOR mine IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL aclexplode(c.relacl) AS a
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
         WHERE c.oid = '{schema}.erasure'::pg_catalog.regclass AND a.privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT SELECT ON {schema}.erased_transaction TO %s', mine.role);
    END LOOP;
END
$grants$;
