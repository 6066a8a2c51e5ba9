-- name: state
-- The triggers of ours on a table: known by their function's comment.
SELECT t.tgname AS trigger, f.prosrc AS body, d.description AS comment, r.rolname AS owner,
       t.tgenabled = 'A' AND f.prosecdef AS in_force,
       NOT EXISTS (
           SELECT 1 FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %(own_schema)s AND c.relname IN ('erasure', 'erased_transaction')
              AND NOT (has_schema_privilege(f.proowner, n.oid, 'USAGE')
                       AND has_table_privilege(f.proowner, c.oid, 'SELECT'))) AS can_read
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
  JOIN pg_catalog.pg_roles r ON r.oid = f.proowner
  JOIN pg_catalog.pg_description d
    ON d.classoid = 'pg_catalog.pg_proc'::regclass AND d.objoid = f.oid
 WHERE t.tgrelid = %(table)s::bigint::oid AND NOT t.tgisinternal
   AND starts_with(d.description, %(mark)s)
 ORDER BY t.tgname;
