-- name: server
-- What of the server and of the role decides whether a batch can work at all.
-- The deadlock time-out that counts is the shortest of the application's sessions: what this one
-- has, or what a role or the database was given. A value of the worker's own role says nothing of
-- the application's: then PostgreSQL's default counts.
SELECT current_user::text AS role, r.rolsuper AS superuser,
       pg_catalog.pg_is_in_recovery() AS standby,
       LEAST(
           (SELECT CASE WHEN s.source IN ('user', 'database user') THEN s.boot_val::int
                        ELSE s.setting::int END
              FROM pg_catalog.pg_settings s
             WHERE s.name = 'deadlock_timeout'),
           (SELECT min(CASE WHEN given.value ~ '^[0-9]+$' THEN given.value::numeric
                            ELSE extract(epoch FROM given.value::interval) * 1000 END)::int
              FROM pg_catalog.pg_db_role_setting o
             CROSS JOIN LATERAL unnest(o.setconfig) AS line
             CROSS JOIN LATERAL (SELECT split_part(line, '=', 2)) AS given (value)
             WHERE line LIKE 'deadlock_timeout=%%' AND o.setrole <> r.oid
               AND o.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d
                                          WHERE d.datname = current_database())))
       ) AS deadlock_timeout_ms
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user;

-- name: relations
-- The mapped tables and everything below them: partitions, and children by inheritance.
WITH RECURSIVE tree (root, oid) AS (
    SELECT o, o FROM unnest(%(oids)s::bigint[]::oid[]) AS o
    UNION
    SELECT tree.root, i.inhrelid
      FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
), published AS MATERIALIZED (
    SELECT g.relid, bool_or(p.pubdelete) AS deletes, bool_or(p.pubupdate) AS updates
      FROM pg_catalog.pg_publication p
     CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname::text) AS g
     GROUP BY g.relid
)
SELECT tree.root::bigint AS root, c.oid::bigint AS oid, n.nspname AS schema_name,
       c.relname AS table_name, c.relkind::text AS kind, c.relispartition AS is_partition,
       pg_catalog.row_security_active(c.oid) AS row_security,
       (events.bits & 4) <> 0 AS can_update, (events.bits & 16) <> 0 AS can_delete,
       COALESCE(published.deletes, FALSE) AS publishes_deletes,
       COALESCE(published.updates, FALSE) AS publishes_updates,
       CASE c.relreplident
           WHEN 'f' THEN TRUE
           WHEN 'n' THEN FALSE
           ELSE EXISTS (
               SELECT 1 FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                  AND CASE c.relreplident
                          WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
       END AS has_identity,
       c.reltuples::float8 AS estimated_rows,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END AS bytes
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL pg_catalog.pg_relation_is_updatable(c.oid, FALSE) AS events (bits)
  -- A publication by way of the root names the root, and the partitions' rows travel in its name.
  LEFT JOIN LATERAL (
      SELECT bool_or(p.deletes) AS deletes, bool_or(p.updates) AS updates
        FROM published p
       WHERE p.relid = c.oid
          OR p.relid IN (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(c.oid) AS a (relid))
  ) AS published ON TRUE
 ORDER BY n.nspname, c.relname;

-- name: columns
-- What decides whether a column can be blanked; a partition may be stricter than its parent.
WITH RECURSIVE domains (type, oid) AS (
    SELECT t.oid, t.oid FROM pg_catalog.pg_type t
     WHERE t.oid IN (SELECT a.atttypid FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0)
    UNION
    SELECT domains.type, t.typbasetype
      FROM domains JOIN pg_catalog.pg_type t ON t.oid = domains.oid
     WHERE t.typtype = 'd'
)
SELECT a.attrelid::bigint AS oid, a.attname AS name, quote_ident(a.attname) AS quoted,
       a.attnotnull OR EXISTS (
           SELECT 1 FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.oid
            WHERE d.type = a.atttypid AND t.typtype = 'd' AND t.typnotnull) AS not_null,
       a.attgenerated <> '' OR a.attidentity = 'a' AS is_generated
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY (%(oids)s::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum;

-- name: lacking
-- Which of the privileges that the map needs the current role does not have.
SELECT wanted.position::int AS position
  FROM unnest(%(oids)s::bigint[], %(columns)s::text[], %(privileges)s::text[])
       WITH ORDINALITY AS wanted (oid, column_name, privilege, position)
  JOIN pg_catalog.pg_class c ON c.oid = wanted.oid::oid
 WHERE NOT CASE
           WHEN wanted.privilege = 'USAGE'
               THEN pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
           WHEN wanted.privilege = 'LOCK'
               THEN pg_catalog.has_any_column_privilege(c.oid, 'UPDATE')
           WHEN wanted.column_name IS NULL
               THEN pg_catalog.has_table_privilege(c.oid, wanted.privilege)
           ELSE pg_catalog.has_column_privilege(c.oid, wanted.column_name, wanted.privilege)
       END
 ORDER BY wanted.position;

-- name: comparisons
-- Of pairs of columns: whether an operator compares their types, and whether an index helps.
-- types: each domain's base type, and what is stored alike (varchar is text).
WITH RECURSIVE asked AS (
    SELECT p.position, l.atttypid AS left_type, r.atttypid AS right_type
      FROM unnest(%(left_oids)s::bigint[], %(left_columns)s::text[],
                  %(right_oids)s::bigint[], %(right_columns)s::text[])
           WITH ORDINALITY AS p (left_oid, left_column, right_oid, right_column, position)
      JOIN pg_catalog.pg_attribute l
        ON l.attrelid = p.left_oid::oid AND l.attname = p.left_column AND NOT l.attisdropped
      JOIN pg_catalog.pg_attribute r
        ON r.attrelid = p.right_oid::oid AND r.attname = p.right_column AND NOT r.attisdropped
), steps (type, oid) AS (
    SELECT t, t FROM (SELECT left_type FROM asked UNION SELECT right_type FROM asked) AS a (t)
    UNION
    SELECT steps.type, t.typbasetype
      FROM steps JOIN pg_catalog.pg_type t ON t.oid = steps.oid WHERE t.typtype = 'd'
), types AS (
    SELECT steps.type, t.oid AS base, t.typtype, t.typcategory,
           CASE WHEN t.oid = 'varchar'::regtype THEN 'text'::regtype::oid ELSE t.oid END AS stored
      FROM steps JOIN pg_catalog.pg_type t ON t.oid = steps.oid WHERE t.typtype <> 'd'
), reachable AS (
    SELECT types.type, types.stored AS oid FROM types
    UNION
    SELECT types.type, k.casttarget
      FROM types JOIN pg_catalog.pg_cast k ON k.castsource = types.stored AND k.castcontext = 'i'
)
SELECT asked.position::int AS position, l.base::regtype::text AS left_type,
       r.base::regtype::text AS right_type,
       (l.base = r.base AND (l.typtype IN ('e', 'r', 'm') OR l.typcategory = 'A')) OR EXISTS (
           SELECT 1
             FROM pg_catalog.pg_operator o
             JOIN reachable lr ON lr.type = l.type AND lr.oid = o.oprleft
             JOIN reachable rr ON rr.type = r.type AND rr.oid = o.oprright
            WHERE o.oprname = '=' AND o.oprresult = 'bool'::regtype) AS comparable,
       l.base = r.base OR EXISTS (
           SELECT 1
             FROM pg_catalog.pg_amop m
             JOIN pg_catalog.pg_am a ON a.oid = m.amopmethod AND a.amname = 'btree'
            WHERE m.amopstrategy = 3 AND m.amoplefttype = l.stored AND m.amoprighttype = r.stored
       ) AS indexable
  FROM asked
  JOIN types l ON l.type = asked.left_type
  JOIN types r ON r.type = asked.right_type
 ORDER BY asked.position;

-- name: triggers
-- Enabled triggers of users on the mapped tables and their partitions.
SELECT t.tgrelid::bigint AS oid, t.tgname AS name,
       (t.tgtype & 1) <> 0 AS each_row,
       (t.tgtype & 8) <> 0 AS on_delete, (t.tgtype & 16) <> 0 AS on_update,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[])) AS columns,
       fn.nspname = %(own_schema)s
           OR COALESCE(starts_with(pg_catalog.obj_description(f.oid, 'pg_proc'),
                                   'retention-worker: no recreation of '), FALSE) AS is_ours,
       f.oid::bigint AS function
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
 WHERE t.tgrelid = ANY (%(oids)s::bigint[]::oid[])
   AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'A')
   AND (t.tgtype & 24) <> 0
 ORDER BY t.tgrelid, t.tgname;

-- name: rules
-- Enabled rules that rewrite an UPDATE or a DELETE.
SELECT r.ev_class::bigint AS oid, r.rulename AS name,
       r.ev_type = '4' AS on_delete, r.ev_type = '2' AS on_update
  FROM pg_catalog.pg_rewrite r
 WHERE r.ev_class = ANY (%(oids)s::bigint[]::oid[])
   AND r.rulename <> '_RETURN' AND r.ev_type IN ('2', '4') AND r.ev_enabled IN ('O', 'A')
 ORDER BY r.ev_class, r.rulename;

-- name: indexes
-- Indexes of the tables: keys as PostgreSQL writes them, the columns of each, what they mention.
SELECT i.indrelid::bigint AS oid, c.relname AS name, a.amname AS method,
       i.indisunique OR i.indisexclusion AS is_unique, i.indisvalid AS is_valid,
       -- The column is younger than PostgreSQL 15.
       COALESCE((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, FALSE) AS nulls_are_equal,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid, TRUE) AS predicate,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k, TRUE)
               FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k) AS keys,
       ARRAY(SELECT t.attname::text FROM pg_catalog.pg_attribute t
              WHERE t.attrelid = i.indrelid AND t.attnum > 0
                AND (t.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                     OR (i.indexprs IS NOT NULL AND t.attnum IN (
                         SELECT d.refobjsubid FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_class'::regclass
                            AND d.refobjid = i.indrelid)))) AS mentions
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
 WHERE i.indrelid = ANY (%(oids)s::bigint[]::oid[])
 ORDER BY i.indrelid, c.relname;

-- name: references
-- Foreign keys onto the given tables, and onto what their deletion takes along by cascades.
WITH RECURSIVE reached (oid) AS (
    SELECT o FROM unnest(%(deleted)s::bigint[]::oid[]) AS o
    UNION
    SELECT k.conrelid
      FROM reached JOIN pg_catalog.pg_constraint k ON k.confrelid = reached.oid
     WHERE k.contype = 'f' AND k.confdeltype = 'c' AND k.conparentid = 0
), wanted AS (
    SELECT oid FROM reached UNION SELECT o FROM unnest(%(blanked)s::bigint[]::oid[]) AS o
)
SELECT k.conname AS name, k.conrelid::bigint AS child, k.confrelid::bigint AS parent,
       cn.nspname AS child_schema, c.relname AS child_table,
       rn.nspname AS root_schema, r.relname AS root_table,
       pn.nspname AS parent_schema, p.relname AS parent_table,
       k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
               JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.position)
           AS child_columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, position)
               JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.position)
           AS parent_columns
  FROM wanted
  JOIN pg_catalog.pg_constraint k
    ON k.confrelid = wanted.oid AND k.contype = 'f' AND k.conparentid = 0
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_catalog.pg_class r
    ON r.oid = COALESCE(pg_catalog.pg_partition_root(k.conrelid)::oid, k.conrelid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
 ORDER BY cn.nspname, c.relname, k.conname;

-- name: surroundings
-- Every other table of users: its columns, and the mapped tables that it refers to.
SELECT c.oid::bigint AS oid, n.nspname AS schema_name, c.relname AS table_name,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS columns,
       ARRAY(SELECT t.typname::text FROM pg_catalog.pg_attribute a
               JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS types,
       ARRAY(SELECT DISTINCT k.confrelid::bigint FROM pg_catalog.pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'f'
                AND k.confrelid = ANY (%(oids)s::bigint[]::oid[])) AS refers_to
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname <> %(own_schema)s AND n.nspname <> 'information_schema'
   AND n.nspname !~ '^pg_' AND c.oid <> ALL (%(oids)s::bigint[]::oid[])
   -- What an extension brings holds nobody's data.
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname;

-- name: citus
-- The schema in which Citus keeps which tables are distributed; no row without it.
SELECT n.nspname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'pg_dist_partition' AND c.relkind = 'r'
 ORDER BY n.nspname = 'pg_catalog' DESC LIMIT 1;

-- name: checks
-- The CHECK constraints of tables, each with the columns that it is about.
SELECT c.conname AS name, pg_get_expr(c.conbin, c.conrelid) AS expression,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) AS k (attnum)
               JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns
  FROM pg_catalog.pg_constraint c
 WHERE c.contype = 'c' AND c.conrelid = ANY (%(oids)s::bigint[]::oid[])
 ORDER BY c.conrelid, c.conname;

-- name: function
-- A function: as whom it runs, under which search_path, and its body.
SELECT f.oid::bigint AS oid, n.nspname AS schema_name, f.proname AS name,
       l.lanname AS language, f.prosecdef AS definer,
       pg_catalog.pg_get_userbyid(f.proowner)::text AS owner,
       COALESCE(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) AS source,
       (SELECT substr(line, length('search_path=') + 1) FROM unnest(f.proconfig) AS line
         WHERE line LIKE 'search_path=%%') AS search_path
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = f.prolang
 WHERE f.oid = %(oid)s::bigint::oid;

-- name: search_path
-- Where names are looked for now.
SELECT current_setting('search_path') AS path;

-- name: set_search_path
-- Where names are looked for until the transaction ends.
SELECT set_config('search_path', %(path)s, true);

-- name: called
-- Functions of users with one of these names; where no schema is named, those that search_path finds.
SELECT DISTINCT f.oid::bigint AS oid
  FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w (schema_name, name)
  JOIN pg_catalog.pg_proc f ON f.proname = w.name AND f.prokind IN ('f', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND (n.nspname = w.schema_name
        OR (w.schema_name IS NULL AND pg_catalog.pg_function_is_visible(f.oid)))
 ORDER BY oid;

-- name: touched
-- Which of these names are relations, and whether a role may do what is done there. A right on one
-- column is taken for enough. Sequences: those of defaults, which an INSERT draws from.
SELECT w.position::int AS position, n.nspname AS schema_name, c.relname AS table_name, w.privilege,
       pg_catalog.has_schema_privilege(%(role)s::name, n.oid, 'USAGE') AS schema_usage,
       CASE WHEN w.privilege IN ('SELECT', 'INSERT', 'UPDATE')
            THEN pg_catalog.has_any_column_privilege(%(role)s::name, c.oid, w.privilege)
            ELSE pg_catalog.has_table_privilege(%(role)s::name, c.oid, w.privilege)
       END AS granted,
       drawn.schemas AS sequence_schemas, drawn.names AS sequence_names
  FROM unnest(%(schemas)s::text[], %(names)s::text[], %(privileges)s::text[])
       WITH ORDINALITY AS w (schema_name, name, privilege, position)
  JOIN pg_catalog.pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT COALESCE(array_agg(sn.nspname::text ORDER BY s.oid), ARRAY[]::text[]) AS schemas,
              COALESCE(array_agg(s.relname::text ORDER BY s.oid), ARRAY[]::text[]) AS names
         FROM pg_catalog.pg_attrdef a
         JOIN pg_catalog.pg_depend d
           ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
              AND d.refclassid = 'pg_class'::regclass
         JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
         JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
        WHERE w.privilege = 'INSERT' AND a.adrelid = c.oid
          AND CASE WHEN s.relkind = 'S'  -- the server may ask in any order, and refuses for a table
                   THEN NOT pg_catalog.has_sequence_privilege(%(role)s::name, s.oid, 'USAGE, UPDATE')
                   ELSE FALSE END) AS drawn
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND (n.nspname = w.schema_name
        OR (w.schema_name IS NULL AND pg_catalog.pg_table_is_visible(c.oid)))
 ORDER BY w.position;
