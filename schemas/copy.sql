-- The statements that copy what is in the schema :schema (an oid) to another, :to (a
-- literal), whose tables are empty. The rows are those of one snapshot, as it is one
-- statement.
WITH col AS (
  SELECT c.relname, a.attnum, quote_ident(a.attname) AS name, a.attrelid,
    CASE
    WHEN coalesce(e.typnamespace, t.typnamespace) <> :schema THEN quote_ident(a.attname)
    -- The type is another one there, and what it holds is spelled the same.
    WHEN e.oid IS NOT NULL THEN format('%I::pg_catalog.text::%I.%I[]', a.attname, :to, e.typname)
    ELSE format('%I::pg_catalog.text::%I.%I', a.attname, :to, t.typname)
    END AS value
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
  WHERE c.relnamespace = :schema AND c.relkind = 'r'
)
SELECT 'WITH ' || string_agg(format('copy_%s AS (INSERT INTO %I.%I %s SELECT %s FROM ONLY %I.%I)', c.oid, :to, c.relname,
    CASE WHEN l.names IS NULL THEN '' ELSE '(' || l.names || ') OVERRIDING SYSTEM VALUE' END, coalesce(l.vals, ''), n.nspname, c.relname), E',\n') || ' SELECT'
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace,
LATERAL (SELECT string_agg(k.name, ', ' ORDER BY k.attnum), string_agg(k.value, ', ' ORDER BY k.attnum) FROM col k WHERE k.attrelid = c.oid) l(names, vals)
WHERE c.relnamespace = :schema AND c.relkind = 'r'
HAVING count(*) > 0
UNION ALL
SELECT format('SELECT pg_catalog.setval(%L::pg_catalog.regclass, last_value, is_called) FROM %I.%I', format('%I.%I', :to, c.relname), n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relnamespace = :schema AND c.relkind = 'S'
