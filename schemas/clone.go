package schemas

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

//go:embed copy.sql
var copyQuery string

// Clone makes the schema of the value to from that of another, as Create makes one
// from the template. With data it gets the rows too, all of one snapshot, and its
// sequences go on from where those are.
func (m *Manager) Clone(ctx context.Context, from, to string, data bool) error {
	source, err := m.SchemaName(from)
	if err != nil {
		return err
	}
	target, err := m.SchemaName(to)
	if err != nil {
		return err
	}
	return m.transact(ctx, func(tx pgx.Tx) error {
		oid, err := m.find(ctx, tx, from, source)
		if err != nil {
			return err
		}
		d, err := m.readToCopy(ctx, tx, source)
		if err != nil {
			return err
		}
		if !data {
			return m.create(ctx, tx, d, to, nil)
		}
		names, err := catalogTexts(ctx, tx, of(`SELECT format('%I.%I', c.relname, a.attname)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
			WHERE c.relnamespace = :schema AND c.relkind = 'r' AND (t.typname ~ '^_?reg' AND t.typnamespace = 'pg_catalog'::regnamespace)`, oid))
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("the rows of the schema %s of %q cannot be copied: %s would go on naming objects of that schema; store their names as text",
				quote(source), from, strings.Join(names, ", "))
		}
		if err != nil {
			return err
		}
		statements, err := catalogTexts(ctx, tx, strings.ReplaceAll(of(copyQuery, oid), ":to", pgparse.QuoteLiteral(target)))
		if err != nil {
			return err
		}
		return m.create(ctx, tx, d, to, func(string) error {
			// All rows or none: no policy may choose among them.
			_, err := exec(ctx, tx, "SET LOCAL row_security = off;\n"+strings.Join(statements, ";\n")+";\nSET LOCAL row_security = on")
			return err
		})
	})
}
