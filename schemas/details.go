package schemas

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Details say what is in a schema.
type Details struct {
	Tables  int    // partitions included
	Bytes   int64  // of tables and materialized views, with their indexes, where asked for
	Pending int    // migrations that are recorded for the template, and not for this schema
	Failure string // of the last migration; empty where it succeeded
}

// Details returns what is in each schema that exists, by its name. With sizes it asks
// for that of every table, which takes a while where there are many.
func (m *Manager) Details(ctx context.Context, sizes bool) (map[string]*Details, error) {
	details := map[string]*Details{}
	return details, m.transact(ctx, func(tx pgx.Tx) error {
		list, err := m.list(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.Exists {
				details[s.Name] = &Details{}
			}
		}
		rows, err := tx.Query(ctx, `SELECT n.nspname, count(*) FILTER (WHERE c.relkind <> 'm'), coalesce(sum(CASE WHEN $2 THEN pg_total_relation_size(c.oid) END), 0)::bigint
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname = ANY ($1) GROUP BY 1`, slices.Collect(maps.Keys(details)), sizes)
		if err != nil {
			return err
		}
		var schema string
		var size Details
		if _, err := pgx.ForEachRow(rows, []any{&schema, &size.Tables, &size.Bytes}, func() error {
			*details[schema] = size
			return nil
		}); err != nil {
			return err
		}
		record := RecordOf(m.dimension)
		exists, err := record.Exists(ctx, tx)
		if err != nil || !exists {
			return err
		}
		migrations, err := record.Applied(ctx, tx, m.dimension.Schemas.Template)
		if err != nil {
			return err
		}
		done, err := record.Progress(ctx, tx, migrations)
		if err != nil {
			return err
		}
		states, err := record.States(ctx, tx)
		if err != nil {
			return err
		}
		for name, d := range details {
			d.Pending, d.Failure = len(migrations)-done[name], states[name].Error
		}
		return nil
	})
}

// A Table is one of a value's schema.
type Table struct {
	Name  string
	Rows  int64 // as the server estimates; -1 where it does not know
	Bytes int64 // with indexes
}

// Tables returns the tables of a value's schema that hold rows, by their names.
func (m *Manager) Tables(ctx context.Context, value string) (tables []Table, err error) {
	name, err := m.SchemaName(value)
	if err != nil {
		return nil, err
	}
	err = m.transact(ctx, func(tx pgx.Tx) error {
		oid, err := m.find(ctx, tx, value, name)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT c.relname, CASE WHEN pg_relation_size(c.oid) = 0 THEN 0 ELSE coalesce(nullif(s.n_live_tup, 0), c.reltuples::bigint) END, pg_total_relation_size(c.oid)
			FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
			WHERE c.relnamespace = $1 AND c.relkind = 'r' ORDER BY c.relname COLLATE "C"`, oid)
		if err == nil {
			tables, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Table])
		}
		return err
	})
	return tables, err
}
