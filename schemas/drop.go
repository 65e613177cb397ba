package schemas

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed outside.sql
var outsideQuery string

// Drop drops the schema of a value with everything in it and with what is recorded
// of its migrations, and deletes the value from the registry, in one transaction. It
// refuses where objects that are not in the schema depend on it, and names them.
//
// With keepRow the registry stays as it is.
func (m *Manager) Drop(ctx context.Context, value string, keepRow bool) error {
	name, err := m.SchemaName(value)
	if err != nil {
		return err
	}
	return m.transact(ctx, func(tx pgx.Tx) error {
		if err := Lock(ctx, tx, name); err != nil {
			return err
		}
		oid, err := m.find(ctx, tx, value, name)
		if err != nil {
			return err
		}
		// Nobody is to make a view of a table, or a key to it, after that was looked for.
		tables, err := catalogTexts(ctx, tx, of(`SELECT format('ONLY %I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.oid = :schema AND c.relkind IN ('r', 'p')`, oid))
		if err == nil && len(tables) > 0 {
			_, err = tx.Exec(ctx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN ACCESS EXCLUSIVE MODE")
		}
		if err != nil {
			return err
		}
		outside, err := catalogTexts(ctx, tx, of(outsideQuery, oid))
		if err != nil {
			return err
		}
		if len(outside) > 0 {
			return fmt.Errorf("what is not in the schema %s of %q depends on it; drop that first:\n  %s", quote(name), value, strings.Join(outside, "\n  "))
		}
		if err := RecordOf(m.dimension).dropped(ctx, tx, name); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, "SET LOCAL client_min_messages = warning; DROP SCHEMA "+quote(name)+" CASCADE"); err != nil {
			return fmt.Errorf("dropping the schema %s of %q: %w", quote(name), value, readable(err))
		}
		if keepRow {
			return nil
		}
		return m.changeRegistry(ctx, tx, value, "DELETE FROM %[1]s WHERE %[2]s = $1::pg_catalog.text::pg_catalog.%[3]s", value)
	})
}

// changeRegistry runs a statement about the row of a value in the registry, if there
// is a registry. In the statement stand its table, its column and the type of that.
func (m *Manager) changeRegistry(ctx context.Context, tx pgx.Tx, value, statement string, args ...any) error {
	exists, err := m.registryExists(ctx, tx)
	if err != nil || !exists {
		return err
	}
	r := m.dimension.Schemas.Registry
	_, err = tx.Exec(ctx, fmt.Sprintf(statement, quote(r.Schema, r.Table), quote(r.Column), m.sqlType()), args...)
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code[:2] == "23" {
		err = fmt.Errorf("the row of %q in the registry %s: %w", value, quote(r.Schema, r.Table), readable(err))
	}
	return err
}
