-- What the objects of the schema :schema (an oid) depend on: for each, another that must
-- be there before it. Parts of objects stand for these: an array for its element, a rule
-- for its view.
WITH member AS MATERIALIZED (
  SELECT d.classid, d.objid FROM pg_depend d
  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = :schema
), rel AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.reltype FROM member m JOIN pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_class'::regclass
), typ AS MATERIALIZED (
  SELECT t.* FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass
), part(class, oid, of_class, of_oid) AS MATERIALIZED (
  SELECT 'pg_type'::regclass, t.oid, 'pg_class'::regclass, r.oid FROM rel r JOIN pg_type t ON t.oid = r.reltype
  UNION ALL
  SELECT 'pg_type'::regclass, t.typarray, 'pg_class'::regclass, r.oid FROM rel r JOIN pg_type t ON t.oid = r.reltype
  UNION ALL
  SELECT 'pg_type'::regclass, t.typarray, 'pg_type'::regclass, t.oid FROM typ t WHERE t.typarray <> 0
  UNION ALL
  SELECT 'pg_class'::regclass, t.typrelid, 'pg_type'::regclass, t.oid FROM typ t WHERE t.typtype = 'c'
  UNION ALL
  SELECT 'pg_type'::regclass, unnest(ARRAY[r.rngmultitypid, m.typarray]), 'pg_type'::regclass, t.oid
  FROM typ t JOIN pg_range r ON r.rngtypid = t.oid JOIN pg_type m ON m.oid = r.rngmultitypid
  UNION ALL
  SELECT 'pg_constraint'::regclass, k.oid, 'pg_type'::regclass, t.oid FROM typ t JOIN pg_constraint k ON k.conrelid = 0 AND k.contypid = t.oid
  UNION ALL
  SELECT 'pg_attrdef'::regclass, f.oid, 'pg_class'::regclass, r.oid FROM rel r JOIN pg_attrdef f ON f.adrelid = r.oid
  UNION ALL
  SELECT 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, r.oid FROM rel r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename = '_RETURN'
  UNION ALL
  SELECT 'pg_class'::regclass, k.conindid, 'pg_constraint'::regclass, k.oid FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype IN ('p', 'u', 'x')
), object AS (
  SELECT class, oid, of_class, of_oid FROM part
  UNION ALL
  SELECT classid::regclass, objid, classid::regclass, objid FROM member
  UNION ALL
  SELECT c, i, c, i
  FROM (
    SELECT 'pg_constraint'::regclass, k.oid FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid
    UNION ALL
    SELECT 'pg_class'::regclass, i.indexrelid FROM rel r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid FROM rel r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid FROM rel r JOIN pg_policy p ON p.polrelid = r.oid
  ) o(c, i)
)
SELECT DISTINCT o.of_class::oid, o.of_oid, coalesce(p.of_class, d.refclassid)::oid, coalesce(p.of_oid, d.refobjid)
FROM object o,
-- Of each object, lest all dependencies of the database be read.
LATERAL (SELECT * FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid OFFSET 0) d
LEFT JOIN part p ON p.class = d.refclassid AND p.oid = d.refobjid
WHERE d.refclassid <> 'pg_namespace'::regclass
  -- A sequence is there before the table that owns it, and so is a table before the
  -- functions that its defaults call.
  AND NOT (d.deptype = 'a' AND o.class = 'pg_class'::regclass AND o.oid IN (SELECT oid FROM rel WHERE relkind = 'S'))
  AND NOT (o.class = 'pg_attrdef'::regclass AND d.refclassid = 'pg_proc'::regclass AND (
    SELECT a.attgenerated = '' FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.oid = o.oid))
