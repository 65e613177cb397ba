package schemas

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Rename gives the schema of one value to another, which has none, together with its
// row in the registry and what is recorded of its migrations, in one transaction.
// Functions for which the schema is in the search path follow. It refuses where an
// object of the schema spells its name otherwise.
func (m *Manager) Rename(ctx context.Context, from, to string) error {
	oldName, err := m.SchemaName(from)
	if err != nil {
		return err
	}
	newName, err := m.SchemaName(to)
	if err != nil {
		return err
	}
	return m.transact(ctx, func(tx pgx.Tx) error {
		if err := Lock(ctx, tx, oldName); err != nil {
			return err
		}
		if _, err := m.find(ctx, tx, from, oldName); err != nil {
			return err
		}
		if err := m.mustNotExist(ctx, tx, to, newName); err != nil {
			return err
		}
		before, err := read(ctx, tx, oldName)
		if err != nil {
			return err
		}
		if err := before.faults("renamed", func(o *Object) string { return o.spelling(oldName) }); err != nil {
			return err
		}
		if err := RecordOf(m.dimension).renamed(ctx, tx, oldName, newName); err != nil {
			return err
		}
		if err := m.changeRegistry(ctx, tx, to, "UPDATE %[1]s SET %[2]s = $2::pg_catalog.text::pg_catalog.%[3]s WHERE %[2]s = $1::pg_catalog.text::pg_catalog.%[3]s", from, to); err != nil {
			return err
		}
		script := "ALTER SCHEMA " + quote(oldName) + " RENAME TO " + quote(newName) + ";\n" + searchPath(newName)
		for _, o := range before.objects {
			if o.path != "" {
				script += "ALTER " + o.what + " SET search_path TO " + strings.ReplaceAll(o.path, self, quote(newName)) + ";\n"
			}
		}
		if _, err := exec(ctx, tx, script); err != nil {
			return fmt.Errorf("renaming the schema %s of %q: %w", quote(oldName), from, readable(err))
		}
		after, err := read(ctx, tx, newName)
		if err != nil {
			return err
		}
		if d := before.Diff(after); len(d) > 0 {
			return fmt.Errorf("the schema %s of %q cannot be renamed: its %s would be another", quote(oldName), from, d[0].Object())
		}
		return nil
	})
}
