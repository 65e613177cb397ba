package check

// The queries are for PostgreSQL 14 and later, with pg_catalog first in the
// search_path. What only later versions have is read by its name from JSON.

const sessionQuery = `
SELECT session_user::text, current_setting('server_version_num')::int, (SELECT count(*) FROM pg_largeobject_metadata)::int`

// notSystem is a condition on pg_namespace n: not the system's own.
const notSystem = ` n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' `

const schemasQuery = `
SELECT n.nspname::text, has_schema_privilege('public', n.oid, 'CREATE')
FROM pg_namespace n WHERE` + notSystem + `ORDER BY 1`

const rolesQuery = `
SELECT r.rolname::text, r.rolsuper, r.rolbypassrls, r.rolcanlogin,
  ARRAY(
    SELECT p.rolname::text FROM pg_roles p
    WHERE NOT r.rolsuper AND p.oid <> r.oid AND pg_has_role(r.oid, p.oid, 'MEMBER') AND p.rolname IN
      ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    ORDER BY 1)
FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1`

const settingsQuery = `
SELECT coalesce(r.rolname, '')::text, coalesce(d.datname, '')::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s
CROSS JOIN unnest(s.setconfig) c
LEFT JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = current_database()) AND (s.setrole = 0 OR r.oid IS NOT NULL)
ORDER BY 1, 2, 3`

const relationsQuery = `
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text,
  c.relrowsecurity, c.relforcerowsecurity,
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
  coalesce(c.reloptions, '{}'),
  c.reltuples < 0 AND c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0,
  ARRAY(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
  ARRAY(
    SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = 0
    UNION
    SELECT a.privilege_type FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = c.oid AND a.grantee = 0
    ORDER BY 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND` + notSystem + `ORDER BY 2, 3`

const columnsQuery = `
SELECT a.attrelid, a.attname::text,
  (WITH RECURSIVE b (oid) AS (
     SELECT a.atttypid UNION ALL SELECT t.typbasetype FROM b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
   SELECT format_type(b.oid, NULL) FROM b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd'),
  a.attnotnull OR t.typnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity <> '', a.attgenerated <> '',
  coalesce(NOT l.collisdeterministic, false)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND` + notSystem + `
ORDER BY a.attrelid, a.attnum`

const indexesQuery = `
SELECT i.indrelid, x.relname::text, m.amname::text, i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid AND i.indisready,
  k.oid IS NOT NULL,
  ARRAY(
    SELECT coalesce(a.attname, '')::text
    FROM unnest(i.indkey) WITH ORDINALITY u(num, n) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num AND u.num <> 0
    WHERE u.n <= i.indnkeyatts ORDER BY u.n),
  ARRAY(
    SELECT o.oprname = '=' FROM unnest(k.conexclop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = u.op ORDER BY u.n),
  coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
  coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid))
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE` + notSystem + `ORDER BY 1, 2`

// Foreign keys that PostgreSQL adds for the partitions of the table referred to
// are left out.
const foreignKeysQuery = `
SELECT f.conrelid, f.conname::text,
  ARRAY(
    SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY u(num, n)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.num ORDER BY u.n),
  f.confrelid,
  ARRAY(
    SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY u(num, n)
    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.num ORDER BY u.n),
  f.confdeltype::text || f.confupdtype::text, f.convalidated, coalesce((to_jsonb(f) ->> 'conenforced')::bool, true),
  ARRAY(
    SELECT format('ALTER TABLE %s ENABLE TRIGGER %I;', t.tgrelid::regclass, t.tgname)
    FROM pg_trigger t WHERE t.tgconstraint = f.oid AND t.tgenabled = 'D' ORDER BY 1)
FROM pg_constraint f
JOIN pg_namespace n ON n.oid = f.connamespace
WHERE f.contype = 'f' AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = f.conparentid AND p.conrelid = f.conrelid) AND` + notSystem + `
ORDER BY 1, 2`

const functionsQuery = `
SELECT p.oid, n.nspname::text, p.proname::text, pg_get_function_identity_arguments(p.oid), l.lanname::text, p.prokind = 'p', p.prosecdef,
  coalesce((SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c ~ '^search_path='), ''),
  CASE WHEN l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL THEN p.prosrc ELSE '' END,
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND` + notSystem + `ORDER BY 2, 3, 4`

const usesQuery = `
WITH dependency AS (
  SELECT DISTINCT d.classid, d.objid, d.objsubid,
    CASE WHEN d.refclassid = 'pg_class'::regclass THEN d.refobjid ELSE 0 END::oid AS relation,
    CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE 0 END::oid AS function
  FROM pg_depend d
  WHERE d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass) AND d.deptype IN ('n', 'a'))
SELECT CASE r.ev_type WHEN '1' THEN 'view' ELSE 'rule' END, r.ev_class, r.rulename::text, d.relation, d.function
  FROM dependency d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  WHERE d.relation <> r.ev_class
UNION
SELECT 'function', d.objid, '', d.relation, d.function FROM dependency d WHERE d.classid = 'pg_proc'::regclass
UNION
SELECT 'default', x.adrelid, a.attname::text, d.relation, d.function
  FROM dependency d JOIN pg_attrdef x ON d.classid = 'pg_attrdef'::regclass AND x.oid = d.objid
  JOIN pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum
  WHERE d.function <> 0
UNION -- in PostgreSQL 14 the generated column is what depends
SELECT 'default', a.attrelid, a.attname::text, d.relation, d.function
  FROM dependency d JOIN pg_attribute a ON d.classid = 'pg_class'::regclass AND a.attrelid = d.objid AND a.attnum = d.objsubid
  WHERE a.attgenerated <> '' AND d.function <> 0
UNION
SELECT 'check', k.conrelid, k.conname::text, d.relation, d.function
  FROM dependency d JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
  WHERE k.contype = 'c' AND k.conrelid <> 0 AND d.function <> 0
UNION
SELECT 'index', i.indrelid, c.relname::text, d.relation, d.function
  FROM dependency d JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid JOIN pg_class c ON c.oid = d.objid
  WHERE d.function <> 0
UNION
SELECT 'operator', 0, o.oid::regoperator::text, 0, o.oprcode::oid
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE` + notSystem + `
UNION
SELECT 'cast', 0, format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)), 0, c.castfunc
  FROM pg_cast c WHERE c.castfunc <> 0
ORDER BY 1, 2, 3, 4, 5`

// The bit 2 of tgtype is that of BEFORE.
const triggersQuery = `
SELECT t.tgrelid, t.tgname::text, t.tgfoid, t.tgtype & 2 <> 0
FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D' ORDER BY 1, 2`

const rulesQuery = `
SELECT r.ev_class, r.rulename::text FROM pg_rewrite r WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D' ORDER BY 1, 2`

const policiesQuery = `
SELECT p.polrelid, p.polname::text,
  concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid)) LIKE '%current_setting(%'
FROM pg_policy p ORDER BY 1, 2`

const rightsQuery = `
SELECT r.rolname::text, c.oid, pg_has_role(r.oid, c.relowner, 'MEMBER')
FROM pg_roles r
CROSS JOIN pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rolcanlogin AND NOT r.rolsuper AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND` + notSystem + `
  AND has_database_privilege(r.oid, current_database(), 'CONNECT') AND has_schema_privilege(r.oid, n.oid, 'USAGE')
  AND (has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE'))
ORDER BY 1, n.nspname, c.relname`

const publicationsQuery = `
SELECT p.pubname::text, c.oid, EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = b.oid AND r.prrelid = c.oid), to_jsonb(p) ->> 'rowfilter' IS NOT NULL
FROM pg_publication_tables p
JOIN pg_publication b ON b.pubname = p.pubname
JOIN pg_namespace n ON n.nspname = p.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE` + notSystem + `
ORDER BY 1, n.nspname, c.relname`

const subscribedQuery = `
SELECT s.subname::text, r.srrelid FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid ORDER BY 1, 2`

// In the queries below ofValue is replaced by the condition that n is the schema of
// a value.
const ofValue = " $value "

// The types of templates. Composite types are those of CREATE TYPE.
const typesQuery = `
SELECT n.nspname::text, t.typname::text
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND n.nspname = ANY ($1) ORDER BY 1, 2`

const sequencesQuery = `
SELECT n.nspname::text, c.relname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
  AND n.nspname = ANY ($1) ORDER BY 1, 2`

// Functions of values that differ in nothing but the name of their schema are one.
const valueFunctionsQuery = `
SELECT f.oid, f.nspname::text, f.proname::text, pg_get_function_identity_arguments(f.oid), f.lanname::text, f.prokind = 'p', f.prosecdef, f.path, f.prosrc, false
FROM (
  SELECT DISTINCT ON (p.proname, replace(p.prosrc, n.nspname, ''), replace(s.path, n.nspname, '')) p.*, n.nspname, l.lanname, s.path
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
  CROSS JOIN LATERAL (SELECT coalesce((SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c ~ '^search_path='), '') AS path) s
  WHERE p.prokind <> 'a' AND p.prosqlbody IS NULL AND l.lanname NOT IN ('c', 'internal') AND (` + ofValue + `)
  ORDER BY p.proname, replace(p.prosrc, n.nspname, ''), replace(s.path, n.nspname, ''), n.nspname) f
ORDER BY 2, 3, 4`

// Schemas are those of values whose owner, or rights but for the owner's own, are
// not the template's.
const rightsOfSchemasQuery = `
WITH schema AS (
  SELECT n.nspname, pg_get_userbyid(n.nspowner) AS owner, ARRAY(
    SELECT concat_ws(' ', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)
    FROM aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner ORDER BY 1) AS rights, (` + ofValue + `) AS of_value
  FROM pg_namespace n)
SELECT t.nspname::text, s.nspname::text
FROM schema t JOIN schema s ON s.of_value AND (s.owner, s.rights) IS DISTINCT FROM (t.owner, t.rights)
WHERE t.nspname = ANY ($1)
ORDER BY 1, 2`

// Tables in the schemas of values that the templates lack, once each.
const strayTablesQuery = `
SELECT c.relname::text, array_agg(n.nspname::text ORDER BY n.nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (` + ofValue + `) AND c.relname NOT IN (
  SELECT t.relname FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE tn.nspname = ANY ($1))
GROUP BY 1 ORDER BY 1`

// What depends on something in the schema of a value, or in a template, and lies
// elsewhere.
const crossingsQuery = `
WITH schema AS MATERIALIZED (SELECT n.oid FROM pg_namespace n WHERE (` + ofValue + `) OR n.nspname = ANY ($1)),
inside AS (
  SELECT 'pg_class'::regclass AS classid, c.oid, c.relnamespace AS schema, c.relname AS name FROM pg_class c JOIN schema s ON s.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'I', 't')
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, p.proname FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
  UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typnamespace, t.typname FROM pg_type t JOIN schema s ON s.oid = t.typnamespace),
dependency AS (
  SELECT d.classid, d.objid, i.schema, i.name FROM pg_depend d JOIN inside i ON i.classid = d.refclassid AND i.oid = d.refobjid WHERE d.deptype IN ('n', 'a')),
crossing AS (
  SELECT 'view' AS kind, c.relnamespace AS from_schema, c.relname AS from_name, c.oid, d.schema, d.name
    FROM dependency d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
  UNION ALL SELECT 'function', p.pronamespace, p.proname, p.oid, d.schema, d.name
    FROM dependency d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
  UNION ALL SELECT 'default', c.relnamespace, c.relname, c.oid, d.schema, d.name
    FROM dependency d JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid JOIN pg_class c ON c.oid = a.adrelid
  UNION ALL SELECT CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'check' END, c.relnamespace, c.relname, c.oid, d.schema, d.name
    FROM dependency d JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid JOIN pg_class c ON c.oid = k.conrelid
  UNION ALL SELECT 'trigger', c.relnamespace, c.relname, c.oid, d.schema, d.name
    FROM dependency d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL SELECT 'table', c.relnamespace, c.relname, c.oid, d.schema, d.name
    FROM dependency d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm'))
SELECT DISTINCT x.kind, f.nspname::text, x.from_name::text, x.oid, n.nspname::text, x.name::text
FROM crossing x JOIN pg_namespace f ON f.oid = x.from_schema JOIN pg_namespace n ON n.oid = x.schema
WHERE x.from_schema <> x.schema ORDER BY 2, 3, 1, 5, 6`
