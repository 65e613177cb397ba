-- What is not in the schema :schema (an oid), and depends on something that is.
WITH RECURSIVE part(classid, objid) AS (
  SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = :schema AND d.deptype <> 'e'
  UNION
  SELECT d.classid, d.objid
  FROM part p
  JOIN pg_depend d ON d.refclassid = p.classid AND d.refobjid = p.objid
  WHERE d.deptype IN ('a', 'i', 'P', 'S')
), dependent AS (
  SELECT DISTINCT d.classid, d.objid, d.objsubid
  FROM part p
  JOIN pg_depend d ON d.refclassid = p.classid AND d.refobjid = p.objid
  WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM part o WHERE o.classid = d.classid AND o.objid = d.objid)
    OR d.deptype = 'a' AND d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relispartition AND c.relkind IN ('r', 'p', 'f'))
  UNION
  SELECT e.classid, e.objid, 0
  FROM pg_depend e
  WHERE e.refclassid = 'pg_namespace'::regclass AND e.refobjid = :schema AND e.classid = 'pg_extension'::regclass
)
SELECT DISTINCT CASE WHEN w.rulename = '_RETURN' THEN pg_describe_object('pg_class'::regclass, w.ev_class, 0) ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END
FROM dependent d
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid,
pg_identify_object(d.classid, d.objid, 0) i
WHERE i.schema IS DISTINCT FROM (SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = :schema)
ORDER BY 1
