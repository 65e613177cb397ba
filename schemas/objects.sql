-- The objects of the schema :schema (an oid), each with the statements that make it.
-- It is run with the schema alone before pg_catalog in the search path, so that names in
-- it are not qualified and those elsewhere are. Where PostgreSQL qualifies all the same,
-- the name is cut off.
--
-- create makes an object and late completes it when all others are there; refused says
-- why it cannot be copied, and what to do. {schema} stands for the schema's own name.
WITH member AS MATERIALIZED (
  -- Only an index over what depends on a schema finds its objects without reading the
  -- catalogues of all schemas.
  SELECT d.classid, d.objid
  FROM pg_depend d
  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = :schema AND d.deptype <> 'e'
    AND NOT EXISTS (
      SELECT FROM pg_depend e JOIN pg_extension x ON x.oid = e.refobjid
      WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e' AND x.extnamespace = :schema)
), rel AS MATERIALIZED (
  SELECT c.*, quote_ident(c.relname) AS name,
    coalesce(' WITH (' || array_to_string(
      ARRAY(SELECT format('%s=%L', o.option_name, o.option_value) FROM pg_options_to_table(c.reloptions) o)
      || ARRAY(SELECT format('toast.%s=%L', o.option_name, o.option_value)
               FROM pg_class t, pg_options_to_table(t.reloptions) o WHERE t.oid = c.reltoastrelid), ', ', '')
      || CASE WHEN c.reloptions IS NULL AND NOT EXISTS (
           SELECT FROM pg_class t WHERE t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL) THEN NULL ELSE ')' END, '') AS options,
    coalesce((SELECT format(' USING %I', m.amname) FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'), '') AS method,
    coalesce((SELECT format(' TABLESPACE %I', t.spcname) FROM pg_tablespace t WHERE t.oid = c.reltablespace), '') AS space
  FROM member m
  JOIN pg_class c ON c.oid = m.objid
  WHERE m.classid = 'pg_class'::regclass
), col AS MATERIALIZED (
  SELECT a.*, r.name AS rel, r.relkind, r.relispartition, quote_ident(a.attname) AS name,
    a.attislocal OR r.relispartition AS own, -- stands in CREATE TABLE
    a.attgenerated = '' AND EXISTS (
      SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
      WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_proc'::regclass
        AND p.pronamespace = :schema) AS default_late, -- the function may need the table
    pg_get_expr(f.adbin, f.adrelid) AS expression,
    t.typstorage,
    CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END AS collation,
    (SELECT pg_get_expr(pf.adbin, pf.adrelid)
     FROM pg_inherits i
     JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname AND NOT pa.attisdropped
     LEFT JOIN pg_attrdef pf ON pf.adrelid = pa.attrelid AND pf.adnum = pa.attnum
     WHERE i.inhrelid = a.attrelid ORDER BY i.inhseqno LIMIT 1) AS inherited_expression,
    EXISTS (SELECT FROM pg_inherits i
     JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname AND pa.attnotnull AND NOT pa.attisdropped
     WHERE i.inhrelid = a.attrelid) AS inherited_not_null,
    CASE WHEN n.conname <> r.relname || '_' || a.attname || '_not_null' THEN format(' CONSTRAINT %I', n.conname) ELSE '' END
      || ' NOT NULL' || CASE WHEN n.connoinherit THEN ' NO INHERIT' ELSE '' END AS not_null,
    n.oid AS not_null_oid, quote_ident(n.conname) AS not_null_name,
    'ADD CONSTRAINT ' || quote_ident(n.conname) || ' ' || pg_get_constraintdef(n.oid) AS not_null_later,
    a.attnotnull AND coalesce(n.convalidated, true) AS must_be
  FROM rel r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  LEFT JOIN pg_constraint n ON n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]
  WHERE r.relkind IN ('r', 'p', 'v', 'm')
), sequence AS MATERIALIZED (
  SELECT r.*, format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache)
      || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END AS bounds,
    format_type(s.seqtypid, NULL) AS type,
    d.refobjid AS owner_table, d.refobjsubid AS owner_column, coalesce(d.deptype = 'i', false) AS identity
  FROM rel r
  JOIN pg_sequence s ON s.seqrelid = r.oid
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
), idx AS MATERIALIZED (
  SELECT i.*, c.relname, quote_ident(c.relname) AS name, r.name AS rel,
    array_to_string(ARRAY[
      (SELECT format('ALTER INDEX %s ATTACH PARTITION %I', h.inhparent::regclass, c.relname) FROM pg_inherits h WHERE h.inhrelid = c.oid),
      (SELECT format('ALTER INDEX %I SET TABLESPACE %I', c.relname, t.spcname) FROM pg_tablespace t WHERE t.oid = c.reltablespace),
      CASE WHEN i.indisclustered THEN format('ALTER TABLE %s CLUSTER ON %I', r.name, c.relname) END,
      CASE WHEN i.indisreplident THEN format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', r.name, c.relname) END,
      (SELECT string_agg(format('ALTER INDEX %I ALTER COLUMN %s SET STATISTICS %s', c.relname, a.attnum, a.attstattarget), E';\n' ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)
    ], E';\n') AS late,
    (SELECT format('ALTER INDEX %I SET (%s)', c.relname, string_agg(format('%s=%L', o.option_name, o.option_value), ', '))
     FROM pg_options_to_table(c.reloptions) o HAVING count(*) > 0) AS set_options,
    CASE WHEN NOT i.indisvalid AND r.relkind <> 'p' THEN 'it is not valid; drop it, or REINDEX it' END AS refused
  FROM rel r
  JOIN pg_index i ON i.indrelid = r.oid
  JOIN pg_class c ON c.oid = i.indexrelid
), fn AS MATERIALIZED (
  SELECT p.*, quote_ident(p.proname) AS name,
    format('%I(%s)', p.proname, CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*' ELSE pg_get_function_identity_arguments(p.oid) END) AS signature,
    CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS what
  FROM member m
  JOIN pg_proc p ON p.oid = m.objid
  WHERE m.classid = 'pg_proc'::regclass AND NOT EXISTS ( -- the constructors of a range
    SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
), typ AS MATERIALIZED (
  SELECT t.*, quote_ident(t.typname) AS name
  FROM member m
  JOIN pg_type t ON t.oid = m.objid
  WHERE m.classid = 'pg_type'::regclass AND t.typtype <> 'm'
), object AS (
  -- what: as in ALTER … OWNER TO, which for what has no owner is NULL; grant_on: as in GRANT … ON
  SELECT 'pg_namespace'::regclass AS class, n.oid, 0 AS phase, 'schema' AS kind, NULL AS rel, '' AS name,
    'SCHEMA {schema}' AS what, n.nspowner AS owner, 'SCHEMA {schema}' AS grant_on, n.nspacl AS acl, 'n' AS acl_kind,
    'CREATE SCHEMA {schema}' AS create, NULL AS late, NULL AS refused, NULL AS comments
  FROM pg_namespace n
  WHERE n.oid = :schema

  UNION ALL
  SELECT 'pg_type'::regclass, t.oid, 1, CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, NULL, t.name,
    CASE t.typtype WHEN 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || t.name, t.typowner, 'TYPE ' || t.name, t.typacl, 'T',
    CASE t.typtype
    WHEN 'e' THEN format(E'CREATE TYPE %s AS ENUM (%s)', t.name, (
      SELECT string_agg(E'\n    ' || quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) || E'\n' FROM pg_enum e WHERE e.enumtypid = t.oid))
    WHEN 'c' THEN format(E'CREATE TYPE %s AS (%s)', t.name, (
      SELECT string_agg(format(E'\n    %I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attcollation <> at.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END), ',' ORDER BY a.attnum) || E'\n'
      FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid
      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
    WHEN 'd' THEN format('CREATE DOMAIN %s AS %s', t.name, format_type(t.typbasetype, t.typtypmod))
      || CASE WHEN t.typcollation <> b.typcollation THEN ' COLLATE ' || t.typcollation::regcollation ELSE '' END
      || coalesce(' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), '')
      || CASE WHEN t.typnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = 0 AND k.contypid = t.oid AND k.contype = 'n') THEN ' NOT NULL' ELSE '' END
      || coalesce((SELECT string_agg(format(E'\n    CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.conname)
                   FROM pg_constraint k WHERE k.conrelid = 0 AND k.contypid = t.oid AND k.convalidated), '')
    WHEN 'r' THEN (
      SELECT format('CREATE TYPE %s AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I', t.name, format_type(r.rngsubtype, NULL), n.nspname, o.opcname)
        || CASE WHEN r.rngcollation <> rs.typcollation THEN ', COLLATION = ' || r.rngcollation::regcollation ELSE '' END
        || coalesce((SELECT ', SUBTYPE_DIFF = ' || CASE WHEN p.pronamespace = :schema THEN quote_ident(p.proname) ELSE format('%I.%I', pn.nspname, p.proname) END
                     FROM pg_proc p JOIN pg_namespace pn ON pn.oid = p.pronamespace WHERE p.oid = r.rngsubdiff), '')
        || coalesce((SELECT format(', MULTIRANGE_TYPE_NAME = %I', mt.typname) FROM pg_type mt WHERE mt.oid = r.rngmultitypid), '') || ')'
      FROM pg_range r
      JOIN pg_opclass o ON o.oid = r.rngsubopc
      JOIN pg_namespace n ON n.oid = o.opcnamespace
      JOIN pg_type rs ON rs.oid = r.rngsubtype
      WHERE r.rngtypid = t.oid)
    END,
    (SELECT string_agg(format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', t.name, k.conname, pg_get_constraintdef(k.oid)), E';\n' ORDER BY k.conname)
     FROM pg_constraint k WHERE k.conrelid = 0 AND k.contypid = t.oid AND NOT k.convalidated),
    CASE
    WHEN NOT t.typisdefined THEN 'it is not defined, but only named; define it, or drop it'
    WHEN t.typtype NOT IN ('e', 'c', 'd', 'r') THEN 'it is a base type, which superusers make; put it into a schema that all share'
    WHEN EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngcanonical <> 0) THEN 'it is a range with a canonical function; put it into a schema that all share'
    END,
    concat_ws(E';\n',
      (SELECT string_agg(format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', k.conname, t.name, c), E';\n' ORDER BY k.conname)
       FROM pg_constraint k, obj_description(k.oid, 'pg_constraint') c WHERE k.conrelid = 0 AND k.contypid = t.oid AND c IS NOT NULL),
      (SELECT string_agg(format('COMMENT ON COLUMN %s.%I IS %L', t.name, a.attname, c), E';\n' ORDER BY a.attnum)
       FROM pg_attribute a, col_description(a.attrelid, a.attnum) c WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND c IS NOT NULL))
  FROM typ t
  LEFT JOIN pg_type b ON b.oid = t.typbasetype

  UNION ALL
  SELECT 'pg_class'::regclass, s.oid, CASE WHEN s.identity THEN 7 ELSE 2 END, 'sequence', NULL, s.name,
    'SEQUENCE ' || s.name, s.relowner, 'SEQUENCE ' || s.name, s.relacl, 's',
    CASE WHEN NOT s.identity THEN format('CREATE %sSEQUENCE %s AS %s %s', CASE s.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, s.name, s.type, s.bounds) END,
    CASE WHEN NOT s.identity AND a.attname IS NOT NULL THEN format('ALTER SEQUENCE %s OWNED BY %s.%I', s.name, s.owner_table::regclass, a.attname) END,
    NULL, NULL
  FROM sequence s
  LEFT JOIN pg_attribute a ON a.attrelid = s.owner_table AND a.attnum = s.owner_column

  UNION ALL
  SELECT 'pg_proc'::regclass, f.oid, 3, lower(f.what), NULL, f.signature,
    f.what || ' ' || f.signature, f.proowner, CASE f.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || format('%s(%s)', f.name, oidvectortypes(f.proargtypes)), f.proacl, 'f',
    CASE WHEN f.prokind = 'a' THEN (
      SELECT format('CREATE AGGREGATE %s(%s) (STYPE = %s', f.name,
          CASE WHEN f.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(f.oid) END, format_type(a.aggtranstype, NULL))
        || (SELECT string_agg(format(E',\n    %s = %s', s.option, CASE WHEN p.pronamespace = :schema THEN quote_ident(p.proname) ELSE format('%I.%I', pn.nspname, p.proname) END), '' ORDER BY s.place)
            FROM (VALUES (1, 'SFUNC', a.aggtransfn), (2, 'FINALFUNC', a.aggfinalfn), (3, 'COMBINEFUNC', a.aggcombinefn), (4, 'SERIALFUNC', a.aggserialfn),
              (5, 'DESERIALFUNC', a.aggdeserialfn), (6, 'MSFUNC', a.aggmtransfn), (7, 'MINVFUNC', a.aggminvtransfn), (8, 'MFINALFUNC', a.aggmfinalfn)) s(place, option, fn)
            JOIN pg_proc p ON p.oid = s.fn JOIN pg_namespace pn ON pn.oid = p.pronamespace)
        || CASE WHEN a.aggtransspace <> 0 THEN format(E',\n    SSPACE = %s', a.aggtransspace) ELSE '' END
        || CASE WHEN a.aggfinalextra THEN E',\n    FINALFUNC_EXTRA' ELSE '' END
        || CASE WHEN a.aggfinalfn <> 0 THEN E',\n    FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
        || CASE WHEN a.agginitval IS NOT NULL THEN format(E',\n    INITCOND = %L', a.agginitval) ELSE '' END
        || CASE WHEN a.aggmtranstype <> 0 THEN format(E',\n    MSTYPE = %s', format_type(a.aggmtranstype, NULL)) ELSE '' END
        || CASE WHEN a.aggmtransspace <> 0 THEN format(E',\n    MSSPACE = %s', a.aggmtransspace) ELSE '' END
        || CASE WHEN a.aggmfinalextra THEN E',\n    MFINALFUNC_EXTRA' ELSE '' END
        || CASE WHEN a.aggmfinalfn <> 0 THEN E',\n    MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END ELSE '' END
        || CASE WHEN a.aggminitval IS NOT NULL THEN format(E',\n    MINITCOND = %L', a.aggminitval) ELSE '' END
        || coalesce((SELECT format(E',\n    SORTOP = OPERATOR(%s%s)', CASE WHEN o.oprnamespace = :schema THEN '' ELSE quote_ident(n.nspname) || '.' END, o.oprname)
                     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = a.aggsortop), '')
        || CASE f.proparallel WHEN 's' THEN E',\n    PARALLEL = SAFE' WHEN 'r' THEN E',\n    PARALLEL = RESTRICTED' ELSE '' END
        || CASE a.aggkind WHEN 'h' THEN E',\n    HYPOTHETICAL' ELSE '' END || ')'
      FROM pg_aggregate a WHERE a.aggfnoid = f.oid)
    ELSE (
      SELECT format('CREATE %s %s(', f.what, f.name) || substr(d, length(h) + 1)
      FROM pg_get_functiondef(f.oid) d, format('CREATE OR REPLACE %s %I.%s(', f.what, (SELECT nspname FROM pg_namespace WHERE oid = :schema), f.name) h
      WHERE starts_with(d, h))
    END,
    NULL, NULL, NULL
  FROM fn f

  UNION ALL
  SELECT 'pg_operator'::regclass, o.oid, 4, 'operator', NULL, format('%s (%s, %s)', o.oprname, l.type, r.type),
    format('OPERATOR %s (%s, %s)', o.oprname, l.type, r.type), o.oprowner, NULL, NULL, NULL,
    format('CREATE OPERATOR %s (FUNCTION = %s', o.oprname, CASE WHEN p.pronamespace = :schema THEN quote_ident(p.proname) ELSE format('%I.%I', pn.nspname, p.proname) END)
      || CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || l.type ELSE '' END
      || CASE WHEN o.oprright <> 0 THEN ', RIGHTARG = ' || r.type ELSE '' END
      || coalesce((SELECT string_agg(format(', %s = OPERATOR(%s%s)', x.option, CASE WHEN z.oprnamespace = :schema THEN '' ELSE quote_ident(n.nspname) || '.' END, z.oprname), '' ORDER BY x.option)
                   FROM (VALUES ('COMMUTATOR', o.oprcom), ('NEGATOR', o.oprnegate)) x(option, other)
                   JOIN pg_operator z ON z.oid = x.other JOIN pg_namespace n ON n.oid = z.oprnamespace), '')
      || coalesce((SELECT string_agg(format(', %s = %s', x.option, CASE WHEN z.pronamespace = :schema THEN quote_ident(z.proname) ELSE format('%I.%I', n.nspname, z.proname) END), '' ORDER BY x.option DESC)
                   FROM (VALUES ('RESTRICT', o.oprrest), ('JOIN', o.oprjoin)) x(option, fn)
                   JOIN pg_proc z ON z.oid = x.fn JOIN pg_namespace n ON n.oid = z.pronamespace), '')
      || CASE WHEN o.oprcanhash THEN ', HASHES' ELSE '' END || CASE WHEN o.oprcanmerge THEN ', MERGES' ELSE '' END || ')',
    NULL, CASE WHEN o.oprcode = 0 THEN 'it is not defined, but only named; define it, or drop it' END, NULL
  FROM member m
  JOIN pg_operator o ON o.oid = m.objid
  LEFT JOIN pg_proc p ON p.oid = o.oprcode
  LEFT JOIN pg_namespace pn ON pn.oid = p.pronamespace,
  LATERAL (SELECT CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END AS type) l,
  LATERAL (SELECT CASE WHEN o.oprright = 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END AS type) r
  WHERE m.classid = 'pg_operator'::regclass

  UNION ALL
  SELECT 'pg_class'::regclass, r.oid, CASE r.relkind WHEN 'v' THEN 6 WHEN 'm' THEN 6 ELSE 5 END, k.kind, NULL, r.name,
    upper(k.kind) || ' ' || r.name, r.relowner, 'TABLE ' || r.name, r.relacl, 'r',
    CASE r.relkind
    WHEN 'v' THEN format(E'CREATE VIEW %s%s AS\n%s', r.name, r.options, rtrim(pg_get_viewdef(r.oid), ';'))
    WHEN 'm' THEN format(E'CREATE MATERIALIZED VIEW %s%s%s%s AS\n%s\nWITH NO DATA', r.name, r.method, r.options, r.space, rtrim(pg_get_viewdef(r.oid), ';'))
    ELSE format('CREATE %sTABLE %s (%s)', CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, r.name, (
        SELECT string_agg(format(E'\n    %s %s', c.name, format_type(c.atttypid, c.atttypmod))
          || CASE c.attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4' ELSE '' END
          || c.collation
          || CASE
             WHEN c.attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', c.expression)
             WHEN c.attgenerated = 'v' THEN format(' GENERATED ALWAYS AS (%s) VIRTUAL', c.expression)
             WHEN s.oid IS NOT NULL THEN format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)', CASE c.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, s.name, s.bounds)
             WHEN NOT c.default_late THEN coalesce(' DEFAULT ' || c.expression, '')
             ELSE '' END
          || CASE WHEN c.must_be THEN c.not_null ELSE '' END, ',' ORDER BY c.attnum) || E'\n'
        FROM col c
        LEFT JOIN sequence s ON s.identity AND s.owner_table = c.attrelid AND s.owner_column = c.attnum
        WHERE c.attrelid = r.oid AND c.own))
      || CASE WHEN r.relispartition THEN '' ELSE coalesce((
           SELECT format(' INHERITS (%s)', string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)) FROM pg_inherits i WHERE i.inhrelid = r.oid HAVING count(*) > 0), '') END
      || CASE WHEN r.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(r.oid) ELSE '' END
      || r.method || r.options || r.space
      || coalesce((SELECT format(E';\nALTER TABLE ONLY %s ATTACH PARTITION %s %s', i.inhparent::regclass, r.name, pg_get_expr(r.relpartbound, r.oid))
                   FROM pg_inherits i WHERE r.relispartition AND i.inhrelid = r.oid), '')
    END,
    concat_ws(E';\n',
      (SELECT string_agg(nullif(concat_ws(E';\n',
          CASE WHEN r.relkind = 'v' AND c.expression IS NOT NULL THEN format('ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s', r.name, c.name, c.expression)
            WHEN c.default_late OR NOT c.own AND c.attgenerated = '' AND c.expression <> coalesce(c.inherited_expression, '')
              THEN format('ALTER TABLE ONLY %s ALTER COLUMN %s SET DEFAULT %s', r.name, c.name, c.expression)
            WHEN NOT c.own AND c.expression IS NULL AND c.inherited_expression IS NOT NULL
              THEN format('ALTER TABLE ONLY %s ALTER COLUMN %s DROP DEFAULT', r.name, c.name) END,
          CASE WHEN NOT c.own AND c.must_be AND NOT c.inherited_not_null THEN format('ALTER TABLE ONLY %s %s', r.name, coalesce(c.not_null_later, format('ALTER COLUMN %s SET NOT NULL', c.name))) END,
          CASE WHEN c.attstorage <> c.typstorage AND r.relkind <> 'v' THEN format('ALTER %s %s ALTER COLUMN %s SET STORAGE %s', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE ONLY' END, r.name, c.name,
            CASE c.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END) END,
          CASE WHEN c.attstattarget >= 0 THEN format('ALTER %s %s ALTER COLUMN %s SET STATISTICS %s', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE ONLY' END, r.name, c.name, c.attstattarget) END,
          (SELECT format('ALTER %s %s ALTER COLUMN %s SET (%s)', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE ONLY' END, r.name, c.name, string_agg(format('%s=%L', o.option_name, o.option_value), ', '))
           FROM pg_options_to_table(c.attoptions) o WHERE o.option_name NOT LIKE 'pg\_%' HAVING count(*) > 0) -- 15.20 keeps pg_attver there
        ), ''), E';\n' ORDER BY c.attnum) FROM col c WHERE c.attrelid = r.oid),
      CASE WHEN r.relrowsecurity THEN format('ALTER TABLE ONLY %s ENABLE ROW LEVEL SECURITY', r.name) END,
      CASE WHEN r.relforcerowsecurity THEN format('ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY', r.name) END,
      CASE WHEN r.relreplident = 'n' AND r.relkind IN ('r', 'p') THEN format('ALTER TABLE ONLY %s REPLICA IDENTITY NOTHING', r.name) WHEN r.relreplident = 'f' THEN format('ALTER TABLE ONLY %s REPLICA IDENTITY FULL', r.name) END,
      CASE WHEN r.relkind = 'm' AND r.relispopulated THEN 'REFRESH MATERIALIZED VIEW ' || r.name END),
    CASE
    WHEN r.relkind = 'f' THEN 'foreign tables are not copied; put it into a schema that all share'
    WHEN EXISTS (SELECT FROM pg_type t WHERE t.oid = r.reltype AND t.typacl IS NOT NULL) THEN 'its row type has grants of its own, which are not copied; make it again'
    WHEN r.reloftype <> 0 THEN 'it is a table of a type; ALTER TABLE … NOT OF makes it one of its own'
    WHEN EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE r.relispartition AND i.inhrelid = r.oid AND p.relnamespace <> :schema)
      THEN 'it is a partition of a table in another schema, which can have only one of its bounds; detach it'
    WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = r.oid AND i.inhdetachpending) THEN 'it is being detached; ALTER TABLE … DETACH PARTITION … FINALIZE ends that'
    WHEN EXISTS (SELECT FROM col a JOIN col b ON b.attrelid = a.attrelid AND b.attnum > a.attnum WHERE a.attrelid = r.oid AND a.attinhcount = 0 AND b.attinhcount > 0)
      THEN 'a column that it inherits stands behind one of its own, an order that cannot be made anew; make the table again'
    END,
    concat_ws(E';\n', (
      SELECT string_agg(format('COMMENT ON COLUMN %s.%s IS %L', r.name, c.name, d), E';\n' ORDER BY c.attnum)
      FROM col c, col_description(c.attrelid, c.attnum) d WHERE c.attrelid = r.oid AND d IS NOT NULL), (
      SELECT string_agg(format('COMMENT ON CONSTRAINT %s ON %s IS %L', c.not_null_name, r.name, d), E';\n' ORDER BY c.attnum)
      FROM col c, obj_description(c.not_null_oid, 'pg_constraint') d WHERE c.attrelid = r.oid AND c.must_be AND d IS NOT NULL))
  FROM rel r,
  LATERAL (SELECT CASE r.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind) k
  WHERE r.relkind <> 'S'

  UNION ALL
  SELECT 'pg_constraint'::regclass, k.oid, CASE k.contype WHEN 'f' THEN 11 ELSE 8 END, 'constraint', r.name, quote_ident(k.conname),
    format('CONSTRAINT %I ON %s', k.conname, r.name), NULL, NULL, NULL, NULL,
    format('ALTER TABLE %s%s ADD CONSTRAINT %I %s', CASE WHEN k.contype IN ('p', 'u', 'x') THEN 'ONLY ' ELSE '' END, r.name, k.conname, pg_get_constraintdef(k.oid)),
    concat_ws(E';\n', i.set_options, nullif(i.late, '')),
    CASE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O' AND k.contype = 'f')
      THEN 'its triggers are disabled, or fire otherwise; ALTER TABLE … ENABLE TRIGGER ALL' ELSE i.refused END,
    (SELECT format('COMMENT ON INDEX %I IS %L', k.conname, d) FROM obj_description(i.indexrelid, 'pg_class') d WHERE d IS NOT NULL)
  FROM rel r
  JOIN pg_constraint k ON k.conrelid = r.oid
  LEFT JOIN idx i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
  WHERE k.contype IN ('p', 'u', 'x') OR k.contype = 'c' AND k.conislocal OR k.contype = 'f' AND k.conparentid = 0
    OR k.contype = 'n' AND k.conislocal AND NOT k.convalidated

  UNION ALL
  SELECT 'pg_class'::regclass, i.indexrelid, 9, 'index', i.rel, i.name,
    'INDEX ' || i.name, NULL, NULL, NULL, NULL, pg_get_indexdef(i.indexrelid, 0, true), i.late, i.refused, NULL
  FROM idx i
  WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))

  UNION ALL
  SELECT 'pg_statistic_ext'::regclass, s.oid, 10, 'statistics', s.stxrelid::regclass::text, quote_ident(s.stxname),
    format('STATISTICS %I', s.stxname), s.stxowner, NULL, NULL, NULL,
    (SELECT format('CREATE STATISTICS %I', s.stxname) || substr(d, length(h) + 1)
     FROM pg_get_statisticsobjdef(s.oid) d, format('CREATE STATISTICS %I.%I', (SELECT nspname FROM pg_namespace WHERE oid = :schema), s.stxname) h
     WHERE starts_with(d, h)),
    CASE WHEN (to_jsonb(s) ->> 'stxstattarget')::integer >= 0 THEN format('ALTER STATISTICS %I SET STATISTICS %s', s.stxname, to_jsonb(s) ->> 'stxstattarget') END,
    NULL, NULL
  FROM member m
  JOIN pg_statistic_ext s ON s.oid = m.objid
  WHERE m.classid = 'pg_statistic_ext'::regclass

  UNION ALL
  SELECT 'pg_rewrite'::regclass, w.oid, 12, 'rule', r.name, quote_ident(w.rulename),
    format('RULE %I ON %s', w.rulename, r.name), NULL, NULL, NULL, NULL, rtrim(pg_get_ruledef(w.oid, true), ';'),
    'ALTER TABLE ' || r.name || CASE w.ev_enabled WHEN 'D' THEN ' DISABLE RULE ' WHEN 'R' THEN ' ENABLE REPLICA RULE ' WHEN 'A' THEN ' ENABLE ALWAYS RULE ' END || quote_ident(w.rulename),
    NULL, NULL
  FROM rel r
  JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'

  UNION ALL
  SELECT 'pg_trigger'::regclass, t.oid, 13, 'trigger', r.name, quote_ident(t.tgname),
    format('TRIGGER %I ON %s', t.tgname, r.name), NULL, NULL, NULL, NULL,
    CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid, true) END,
    CASE WHEN t.tgenabled <> coalesce(p.tgenabled, 'O') THEN 'ALTER TABLE ' || CASE WHEN t.tgparentid = 0 THEN '' ELSE 'ONLY ' END || r.name
      || CASE t.tgenabled WHEN 'O' THEN ' ENABLE' WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' WHEN 'A' THEN ' ENABLE ALWAYS' END || ' TRIGGER ' || quote_ident(t.tgname) END,
    NULL, NULL
  FROM rel r
  JOIN pg_trigger t ON t.tgrelid = r.oid
  LEFT JOIN pg_trigger p ON p.oid = t.tgparentid
  WHERE t.tgparentid = 0 AND NOT t.tgisinternal OR t.tgparentid <> 0 AND NOT p.tgisinternal AND t.tgenabled <> p.tgenabled

  UNION ALL
  SELECT 'pg_policy'::regclass, p.oid, 14, 'policy', r.name, quote_ident(p.polname),
    format('POLICY %I ON %s', p.polname, r.name), NULL, NULL, NULL, NULL,
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, r.name, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(CASE WHEN u = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u)) END, ', ' ORDER BY 1) FROM unnest(p.polroles) u))
      || coalesce(E'\n    USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
      || coalesce(E'\n    WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''),
    NULL, NULL, NULL
  FROM rel r
  JOIN pg_policy p ON p.polrelid = r.oid

  UNION ALL
  SELECT 'pg_default_acl'::regclass, a.oid, 15, 'default privileges', NULL,
    format('%s of %I', lower(k.kind), pg_get_userbyid(a.defaclrole)), NULL, NULL, NULL, NULL, NULL,
    (SELECT string_agg(format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA {schema} GRANT %s ON %s TO %s%s', pg_get_userbyid(a.defaclrole), g.privileges, k.kind,
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), E';\n' ORDER BY g.grantee, g.is_grantable)
     FROM (SELECT x.grantee, x.is_grantable, string_agg(DISTINCT x.privilege_type, ', ') AS privileges FROM aclexplode(a.defaclacl) x GROUP BY 1, 2) g),
    NULL, NULL, NULL
  FROM member m
  JOIN pg_default_acl a ON a.oid = m.objid,
  LATERAL (SELECT CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END AS kind) k
  WHERE m.classid = 'pg_default_acl'::regclass

  UNION ALL -- what no statement above makes
  SELECT m.classid::regclass, m.objid, 16, i.type, NULL, coalesce(i.name, i.identity), NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    'objects of this kind are not copied; put it into a schema that all share', NULL
  FROM (
    SELECT m.classid, m.objid FROM member m
    WHERE m.classid::regclass::text <> ALL (ARRAY['pg_class', 'pg_type', 'pg_proc', 'pg_operator', 'pg_statistic_ext', 'pg_default_acl', 'pg_publication_namespace']) -- 14 lacks the last
    UNION ALL
    SELECT 'pg_cast'::regclass, c.oid FROM typ t JOIN pg_cast c ON t.oid IN (c.castsource, c.casttarget)
    WHERE NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_cast'::regclass AND i.objid = c.oid AND i.deptype = 'i')
  ) m, pg_identify_object(m.classid, m.objid, 0) i

  UNION ALL
  SELECT m.classid::regclass, m.objid, 16, 'security label', NULL, i.identity, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    'security labels are not copied; remove it', NULL
  FROM member m
  JOIN pg_seclabel l ON l.classoid = m.classid AND l.objoid = m.objid, pg_identify_object(m.classid, m.objid, l.objsubid) i
)
SELECT o.class::oid, o.oid, o.phase, o.kind, coalesce(o.rel, ''), o.name, coalesce(o.what, ''),
  CASE WHEN o.owner IS NULL THEN '' ELSE quote_ident(pg_get_userbyid(o.owner)) END, coalesce(o.grant_on, ''),
  coalesce(o.create, ''), coalesce(o.late, ''),
  coalesce(o.refused,
    (SELECT 'it belongs to the extension ' || quote_ident(x.extname) || '; move that into a schema that all share' FROM pg_depend e JOIN pg_extension x ON x.oid = e.refobjid
     WHERE e.classid = o.class AND e.objid = o.oid AND e.deptype = 'e'),
    CASE WHEN o.create IS NULL AND o.kind NOT IN ('sequence', 'trigger') THEN 'PostgreSQL does not show how it is made' END, ''),
  concat_ws(E';\n',
    CASE WHEN o.acl IS NOT NULL AND granted.given IS DISTINCT FROM granted.usual
      THEN concat_ws(E';\n', format('REVOKE ALL ON %s FROM PUBLIC, %I', o.grant_on, pg_get_userbyid(o.owner)), granted.given) END,
    (SELECT string_agg(format('GRANT %s (%s) ON TABLE %s TO %s%s', x.privilege_type, c.name, o.name,
       CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), E';\n' ORDER BY c.attnum, x.grantee, x.privilege_type)
     FROM col c, aclexplode(c.attacl) x WHERE o.class = 'pg_class'::regclass AND c.attrelid = o.oid)),
  concat_ws(E';\n',
    (SELECT format('COMMENT ON %s IS %L', o.what, d.description) FROM pg_description d WHERE d.classoid = o.class AND d.objoid = o.oid AND d.objsubid = 0),
    nullif(o.comments, ''))
FROM object o,
LATERAL (
  SELECT string_agg(DISTINCT x.privilege_type, ', ') AS privileges FROM aclexplode(acldefault(o.acl_kind::"char", o.owner)) x WHERE x.grantee = o.owner
) every,
LATERAL (
  SELECT string_agg(statement, E';\n' ORDER BY statement) FILTER (WHERE given), string_agg(statement, E';\n' ORDER BY statement) FILTER (WHERE NOT given)
  FROM (
    SELECT x.given, format('GRANT %s ON %s TO %s%s',
      CASE WHEN string_agg(DISTINCT x.privilege_type, ', ') = every.privileges THEN 'ALL' ELSE string_agg(DISTINCT x.privilege_type, ', ') END,
      o.grant_on, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
    FROM (
      SELECT true AS given, a.* FROM aclexplode(o.acl) a
      UNION ALL
      SELECT false, a.* FROM aclexplode(acldefault(o.acl_kind::"char", o.owner)) a
    ) x
    GROUP BY x.given, x.grantee, x.is_grantable
  ) s
) granted(given, usual)
