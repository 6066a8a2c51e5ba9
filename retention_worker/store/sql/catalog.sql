-- name: tables
-- The tables of the data map that exist, by literal name.
SELECT c.oid::bigint AS oid, n.nspname AS schema_name, c.relname AS table_name,
       c.relkind::text AS kind
  FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema_name, table_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema_name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.table_name
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f');

-- name: columns
-- Their columns, each with its type's own name (no modifier: a cast to char(1) would cut).
SELECT a.attrelid::bigint AS oid, a.attname AS name, n.nspname AS type_schema,
       t.typname AS type_name, a.attnotnull AS not_null
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum;

-- name: unique_keys
-- The unique indexes that hold for every row: valid, on plain columns, without a predicate.
SELECT i.indrelid::bigint AS oid, i.indisprimary AS is_primary,
       array_agg(a.attname::text ORDER BY k.position) AS columns
  FROM pg_catalog.pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[])
   AND i.indisunique AND i.indisvalid AND i.indimmediate
   AND i.indpred IS NULL AND i.indexprs IS NULL AND k.position <= i.indnkeyatts
 GROUP BY i.indexrelid, i.indrelid, i.indisprimary
 ORDER BY i.indisprimary DESC, i.indexrelid;

-- name: foreign_keys
-- References among the mapped tables: children are erased first.
SELECT conrelid::bigint AS child, confrelid::bigint AS parent
  FROM pg_catalog.pg_constraint
 WHERE contype = 'f' AND conparentid = 0 AND conrelid <> confrelid
   AND conrelid = ANY (%(oids)s::bigint[]::oid[]) AND confrelid = ANY (%(oids)s::bigint[]::oid[]);
