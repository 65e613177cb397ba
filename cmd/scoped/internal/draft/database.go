// Package draft proposes a policy for a database that exists: from its columns,
// keys, references, views and functions it derives what a person would write
// first, with the reasons as comments, and denies what it cannot decide.
package draft

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// A Database is what is read of a database for a policy.
type Database struct {
	catalog    *catalog.Catalog
	searchPath []string
	parents    map[*catalog.Table]parent
	inherited  map[*catalog.Table]bool   // those with children that are no partitions
	bases      map[column]string         // the types behind domains
	extensions map[*catalog.Table]string // of those that belong to one
	views      map[*catalog.Table]*view
	functions  []*function

	alike   []*alike // the schemas that may be those of values
	once    []string // the others, but for those of the search path
	ofValue string   // the condition that a schema n is a value's
}

// A column is one of a table's.
type column struct {
	table *catalog.Table
	name  string
}

// A parent is the table whose partition or child another one is.
type parent struct {
	table     *catalog.Table
	partition bool
}

// Read reads what a policy depends on. It needs no right but to connect, and
// PostgreSQL 14 or later. The connection must not be in a transaction. The policy
// is that which is to be updated: it says which schemas are left out because they
// are like a template. Without one, those are left out that are like each other.
func Read(ctx context.Context, conn *pgx.Conn, p *policy.Policy) (*Database, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	db := &Database{
		parents:    map[*catalog.Table]parent{},
		inherited:  map[*catalog.Table]bool{},
		bases:      map[column]string{},
		extensions: map[*catalog.Table]string{},
		views:      map[*catalog.Table]*view{},
	}
	if err := db.readSearchPath(ctx, tx); err != nil {
		return nil, unreadable(err)
	}
	if p == nil {
		if p, err = db.readAlike(ctx, tx); err != nil {
			return nil, unreadable(err)
		}
	}
	if db.catalog, err = catalog.ReadFor(ctx, tx, p); err != nil {
		return nil, err
	}
	db.ofValue = catalog.OfValue(p)
	for _, read := range []func(context.Context, pgx.Tx) error{
		db.readParents, db.readDomains, db.readExtensions, db.readViews, db.readFunctions,
	} {
		if err := read(ctx, tx); err != nil {
			return nil, unreadable(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}
	db.scan()
	return db, db.describeViews(ctx, conn)
}

func unreadable(err error) error {
	return fmt.Errorf("the server's catalogues could not be read: %w", err)
}

func (db *Database) readSearchPath(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `
SELECT coalesce(array_agg(s ORDER BY i) FILTER (WHERE s !~ '^pg_' AND s <> 'information_schema'), '{}')::text[]
FROM unnest(current_schemas(false)) WITH ORDINALITY AS p(s, i)`).Scan(&db.searchPath)
	if len(db.searchPath) == 0 {
		db.searchPath = []string{"public"}
	}
	return err
}

func (db *Database) readParents(ctx context.Context, tx pgx.Tx) error {
	var child, of tableName
	var p parent
	return each(ctx, tx, `
SELECT cn.nspname, c.relname, pn.nspname, p.relname, c.relispartition
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.relkind IN ('r', 'p', 'f')
ORDER BY i.inhseqno DESC`,
		[]any{&child.schema, &child.name, &of.schema, &of.name, &p.partition}, func() {
			t := db.table(child)
			if p.table = db.table(of); t != nil && p.table != nil {
				db.parents[t] = p // the first of several is the last here
				db.inherited[p.table] = db.inherited[p.table] || !p.partition
			}
		})
}

func (db *Database) readDomains(ctx context.Context, tx pgx.Tx) error {
	var t tableName
	var name, base string
	return each(ctx, tx, `
WITH RECURSIVE base AS (
  SELECT oid AS domain, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT b.domain, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE t.typtype = 'd'
)
SELECT n.nspname, c.relname, a.attname, format_type(b.typbasetype, b.typtypmod)
FROM base b
JOIN pg_type t ON t.oid = b.typbasetype AND t.typtype <> 'd'
JOIN pg_attribute a ON a.atttypid = b.domain AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND NOT (`+db.ofValue+`)`,
		[]any{&t.schema, &t.name, &name, &base}, func() {
			if t := db.table(t); t != nil {
				db.bases[column{t, name}] = base
			}
		})
}

func (db *Database) readExtensions(ctx context.Context, tx pgx.Tx) error {
	var t tableName
	var extension string
	return each(ctx, tx, `
SELECT n.nspname, c.relname, e.extname
FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid
JOIN pg_class c ON c.oid = d.objid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'`,
		[]any{&t.schema, &t.name, &extension}, func() {
			if t := db.table(t); t != nil {
				db.extensions[t] = extension
			}
		})
}

// each calls f for each row of a query, after scanning it.
func each(ctx context.Context, tx pgx.Tx, sql string, scan []any, f func(), args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, scan, func() error {
		f()
		return nil
	})
	return err
}

func (db *Database) table(n tableName) *catalog.Table { return db.catalog.Table(n.schema, n.name) }

// top returns the table that t is a partition or child of, over all levels, or t.
func (db *Database) top(t *catalog.Table) *catalog.Table {
	for {
		p, ok := db.parents[t]
		if !ok {
			return t
		}
		t = p.table
	}
}

// typeOf returns a column's type, that behind it where it is a domain.
func (db *Database) typeOf(t *catalog.Table, c *catalog.Column) string {
	if base := db.bases[column{t, c.Name}]; base != "" {
		return base
	}
	return c.Type
}
