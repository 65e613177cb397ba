package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A Querier asks a server. *pgx.Conn, *pgxpool.Pool and pgx.Tx are Queriers;
// SQL makes one of what database/sql has.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// SQL returns a Querier that asks a *sql.DB, *sql.Conn or *sql.Tx. It must not
// be one of scoped's, under which the system catalogues are not to be read.
func SQL(db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) Querier {
	return sqlQuerier{db.QueryRowContext}
}

type sqlQuerier struct {
	queryRow func(ctx context.Context, query string, args ...any) *sql.Row
}

func (q sqlQuerier) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	return q.queryRow(ctx, query, args...)
}

// Read takes a snapshot of the named schemas, or, without names, of all but the
// system's own and those of temporary tables. It is one query without
// parameters, whose answer is one snapshot of the server's, and needs no right
// but to connect. A fault is an *Error around the server's own.
func Read(ctx context.Context, q Querier, schemas ...string) (*Catalog, error) {
	return read(ctx, q, Query, schemas)
}

// ReadFor is Read for use under a policy. Where values of its dimensions choose
// schemas, there may be thousands of them with the same tables: they are left out,
// as the template tells what is in them. Functions that only they have count as the
// template's.
func ReadFor(ctx context.Context, q Querier, p *policy.Policy, schemas ...string) (*Catalog, error) {
	return read(ctx, q, QueryFor(p), schemas)
}

func read(ctx context.Context, q Querier, query string, schemas []string) (*Catalog, error) {
	var text string
	if err := q.QueryRow(ctx, query).Scan(&text); err != nil {
		return nil, &Error{
			Message: "the server's catalogues could not be read",
			Hint:    "connect without scoped, to PostgreSQL 14 or later",
			Err:     err,
		}
	}
	return Decode(text, schemas...)
}

// Decode returns the catalogue that the answer of Query or QueryFor holds, of the named
// schemas or of all. It is for those who cannot give Read a Querier.
func Decode(answer string, schemas ...string) (*Catalog, error) {
	var f file
	if err := json.Unmarshal([]byte(answer), &f); err != nil {
		return nil, &Error{Message: "the server's answer is not a catalogue", Hint: "connect to PostgreSQL 14 or later", Err: err}
	}
	if len(schemas) > 0 {
		wanted := make(map[string]bool, len(schemas))
		for _, s := range schemas {
			wanted[s] = true
		}
		// Composite types and functions of other schemas stay: columns and
		// attribute notation may reach them.
		tables := f.Tables[:0]
		for _, t := range f.Tables {
			if wanted[t.Schema] || t.Kind == Type {
				tables = append(tables, t)
			}
		}
		f.Tables = tables
	}
	return f.catalog()
}

// Query asks PostgreSQL 14 and later for the catalogue, in one row of one text
// column. It has no parameters.
//
// A type outside pg_catalog gets its schema where format_type leaves it out,
// which depends on the session's search_path. Foreign keys that PostgreSQL adds
// for the partitions of the table referred to are left out. A unique index
// counts like a constraint, unless it is partial, on expressions, or not valid. What
// is deferrable does not count: rows may be the same until the end of a transaction.
const Query = queryTables + queryFunctions + "n.nspname" + queryEnd

// QueryFor is Query with which ReadFor asks.
func QueryFor(p *policy.Policy) string {
	var template string
	for _, d := range p.Dimensions() {
		if d.Schemas != nil {
			template += " WHEN " + ofValue(d.Schemas) + " THEN " + pgparse.QuoteLiteral(d.Schemas.Template)
		}
	}
	if template == "" {
		return Query
	}
	return queryTables + " AND NOT (" + OfValue(p) + ")" + queryFunctions + "CASE" + template + " ELSE n.nspname END" + queryEnd
}

// OfValue returns the SQL condition that a row n of pg_namespace is the schema of a
// value of one of p's dimensions: false where the values of none choose schemas.
func OfValue(p *policy.Policy) string {
	var conditions []string
	for _, d := range p.Dimensions() {
		if d.Schemas != nil {
			conditions = append(conditions, ofValue(d.Schemas))
		}
	}
	if conditions == nil {
		return "false"
	}
	return strings.Join(conditions, " OR ")
}

func ofValue(s *policy.Schemas) string {
	like := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_", policy.Placeholder, "_%").Replace(s.Pattern())
	names := make([]string, 0, 4)
	for _, name := range s.Reserved() {
		names = append(names, pgparse.QuoteLiteral(name))
	}
	return "n.nspname LIKE " + pgparse.QuoteLiteral(like) + " ESCAPE '!' AND n.nspname NOT IN (" + strings.Join(names, ", ") + ")"
}

const (
	queryTables = `
SELECT pg_catalog.jsonb_build_object('version', 1, 'tables', coalesce((
  SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'type' END,
    'columns', coalesce((
      SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', a.attname,
        'type', CASE WHEN en.nspname <> 'pg_catalog' AND pg_catalog.pg_type_is_visible(e.oid)
                THEN pg_catalog.quote_ident(en.nspname) || '.' ELSE '' END || pg_catalog.format_type(a.atttypid, a.atttypmod),
        'not_null', CASE WHEN a.attnotnull THEN true END,
        'default', CASE WHEN a.atthasdef AND a.attgenerated = '' THEN true END,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END
      ) ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
        THEN t.typelem ELSE t.oid END
      JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'primary_key', (
      SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.i)
      FROM pg_catalog.pg_index k, pg_catalog.unnest(k.indkey) WITH ORDINALITY x(num, i), pg_catalog.pg_attribute a
      WHERE k.indrelid = c.oid AND k.indisprimary AND k.indimmediate AND x.i <= k.indnkeyatts AND a.attrelid = c.oid AND a.attnum = x.num),
    'unique', (
      SELECT pg_catalog.jsonb_agg(DISTINCT u.names)
      FROM (
        SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.i) AS names
        FROM pg_catalog.pg_index k, pg_catalog.unnest(k.indkey) WITH ORDINALITY x(num, i), pg_catalog.pg_attribute a
        WHERE k.indrelid = c.oid AND k.indisunique AND NOT k.indisprimary AND k.indisvalid AND k.indimmediate
          AND k.indpred IS NULL AND k.indexprs IS NULL
          AND x.i <= k.indnkeyatts AND a.attrelid = c.oid AND a.attnum = x.num
        GROUP BY k.indexrelid) u),
    'foreign_keys', (
      SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.i)
          FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY x(num, i)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = x.num),
        'schema', rn.nspname,
        'table', rc.relname,
        'keys', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.i)
          FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY x(num, i)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = x.num),
        'on_delete', CASE f.confdeltype WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END,
        'on_update', CASE f.confupdtype WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END,
        'not_validated', CASE WHEN NOT f.convalidated THEN true END))
      FROM pg_catalog.pg_constraint f
      JOIN pg_catalog.pg_class rc ON rc.oid = f.confrelid
      JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
      WHERE f.conrelid = c.oid AND f.contype = 'f' AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_constraint p WHERE p.oid = f.conparentid AND p.conrelid = f.conrelid))
  )))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

	queryFunctions = `
), '[]'), 'functions', coalesce((
  SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('schema', f.nspname, 'name', f.proname, 'row', f.takes_row))
  FROM (
    SELECT `

	queryEnd = ` AS nspname, p.proname, pg_catalog.bool_or(t.typtype = 'c'
      OR EXISTS (SELECT 1 FROM pg_catalog.pg_type b WHERE b.oid = t.typbasetype AND b.typtype IN ('c', 'd'))
      OR t.typname IN ('record', 'any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray')) AS takes_row
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0]
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND p.pronargs - p.pronargdefaults <= 1 AND p.prokind <> 'p'
    GROUP BY 1, p.proname) f
), '[]'))::pg_catalog.text`
)
