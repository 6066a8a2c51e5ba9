-- name: tables
-- The tables of the data map that exist, by literal name.
SELECT c.oid::bigint AS oid, n.nspname AS schema_name, c.relname AS table_name,
       c.relkind::text AS kind
  FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema_name, table_name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema_name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.table_name
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f');

-- name: columns
-- Their columns, each with its type's own name (no modifier: a cast to char(1) would cut); `base` is
-- the type under all its domains, `operators` the schema of the operators by which an index of that
-- type compares, whatever the search_path: the default B-tree's, else the default hash's.
SELECT a.attrelid::bigint AS oid, a.attname AS name, n.nspname AS type_schema,
       t.typname AS type_name, a.attnotnull AS not_null, base.oid::bigint AS base,
       -- Types that PostgreSQL comes with have low numbers and their operators in pg_catalog.
       CASE WHEN base.oid < 16384::oid THEN 'pg_catalog' ELSE COALESCE(
           (SELECT s.nspname
              FROM pg_catalog.pg_opclass c
              JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod
              JOIN pg_catalog.pg_amop o
                ON o.amopfamily = c.opcfamily AND o.amoplefttype = c.opcintype
               AND o.amoprighttype = c.opcintype
               AND o.amopstrategy = CASE m.amname WHEN 'btree' THEN 3 ELSE 1 END
              JOIN pg_catalog.pg_operator p ON p.oid = o.amopopr
              JOIN pg_catalog.pg_namespace s ON s.oid = p.oprnamespace
             WHERE c.opcintype = base.oid AND c.opcdefault AND m.amname IN ('btree', 'hash')
             ORDER BY m.amname LIMIT 1),
           'pg_catalog') END AS operators
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 CROSS JOIN LATERAL (
       WITH RECURSIVE under (oid, kind, parent) AS (
           SELECT t.oid, t.typtype, t.typbasetype
            UNION ALL
           SELECT b.oid, b.typtype, b.typbasetype
             FROM under u JOIN pg_catalog.pg_type b ON b.oid = u.parent
            WHERE u.kind = 'd')
       SELECT u.oid FROM under u WHERE u.kind <> 'd') AS base
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
SELECT conrelid::bigint AS child, confrelid::bigint AS parent,
       confdeltype IN ('c', 'n', 'd') AS acts,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = conrelid AND a.attnum = ANY (conkey)) AS columns
  FROM pg_catalog.pg_constraint
 WHERE contype = 'f' AND conparentid = 0 AND conrelid <> confrelid
   AND conrelid = ANY (%(oids)s::bigint[]::oid[]) AND confrelid = ANY (%(oids)s::bigint[]::oid[]);
