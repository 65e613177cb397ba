package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/schemas"
)

// A worker migrates one schema at a time.
type worker struct {
	*run
	conn *pgx.Conn
}

func (w *worker) connect(ctx context.Context) (err error) {
	w.conn, err = pgx.ConnectConfig(ctx, w.Config)
	return err
}

func (w *worker) close() { w.conn.Close(context.Background()) }

// tenants puts the schemas of the values into the queue.
func (w *worker) tenants(ctx context.Context) error {
	m, err := schemas.New(w.conn, w.Dimension)
	if err != nil {
		return err
	}
	list, err := m.List(ctx)
	if err != nil {
		return err
	}
	only := map[string]bool{}
	for _, value := range w.Only {
		only[value] = true
	}
	w.queue, w.report.Missing, w.report.Unregistered = nil, nil, nil
	for _, s := range list {
		switch {
		case len(w.Only) > 0 && !only[s.Value]:
			continue
		case !s.Exists:
			w.report.Missing = append(w.report.Missing, s.Value)
		case !s.Registered && w.Dimension.Schemas.Registry != nil:
			w.report.Unregistered = append(w.report.Unregistered, s.Value)
		default:
			w.queue = append(w.queue, w.schema(s.Name, s.Value))
		}
		delete(only, s.Value)
	}
	for value := range only {
		return fmt.Errorf("there is no value %q; \"scoped schema list\" shows them", value)
	}
	return nil
}

// migrate runs what did not run in a schema yet, all in one transaction, and
// returns it.
func (w *worker) migrate(ctx context.Context, s Schema) (pending []schemas.Migration, err error) {
	if w.conn.IsClosed() {
		if err := w.connect(ctx); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.halt = true // it would be the same with the others
			return nil, err
		}
	}
	// Who interrupts the command waits for what was begun.
	work := context.WithoutCancel(ctx)
	err = pgx.BeginFunc(work, w.conn, func(pgx.Tx) error {
		// What began to migrate the schema and was killed may still be at it.
		if err := schemas.Lock(ctx, w.conn, s.Name); err != nil {
			return err
		}
		if pending, err = w.pending(work, s); err != nil || len(pending) == 0 {
			return err
		}
		if _, err := w.conn.Exec(work, `SELECT pg_catalog.set_config('search_path', $1, true)`, s.SearchPath); err != nil {
			return err
		}
		if err := w.Source.Run(work, w.conn, s, pending); err != nil {
			return err
		}
		if err := w.stayed(work, s); err != nil {
			return err
		}
		return w.record.Done(work, w.conn, s.Name, pending...)
	})
	if w.conn.IsClosed() {
		return pending, err
	}
	// What a migration set, made temporary, or locked must not reach the next schema.
	if _, reset := w.conn.Exec(work, "DISCARD ALL"); reset != nil {
		w.close()
	} else if err != nil && !errors.Is(err, ctx.Err()) {
		err = errors.Join(err, w.record.Failed(work, w.conn, s.Name, err.Error()))
	}
	return pending, err
}

// pending returns the migrations that did not run in a schema.
func (w *worker) pending(ctx context.Context, s Schema) ([]schemas.Migration, error) {
	var exists bool
	err := w.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, s.Name).Scan(&exists)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, errors.New("the schema does not exist")
	}
	applied, err := w.record.Applied(ctx, w.conn, s.Name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(w.migrations), func(m schemas.Migration) bool {
		return slices.ContainsFunc(applied, func(a schemas.Migration) bool { return a.Name == m.Name })
	}), nil
}

// stayed reports migrations that left the transaction or the schema, by ways that
// cannot be read off their text.
func (w *worker) stayed(ctx context.Context, s Schema) error {
	if w.conn.PgConn().TxStatus() != 'T' {
		return errors.New("the migration ended its transaction; what it did may be half of it")
	}
	var path string
	if err := w.conn.QueryRow(ctx, `SELECT pg_catalog.current_setting('search_path')`).Scan(&path); err != nil {
		return err
	}
	if path != s.SearchPath {
		return fmt.Errorf("the migration set search_path to %s; remove that, as unqualified names mean the schema that is migrated", path)
	}
	return nil
}

// tell reports what would run where.
func (w *worker) tell(ctx context.Context) error {
	exists, err := w.record.Exists(ctx, w.conn)
	if err != nil {
		return err
	}
	progress := map[string]int{}
	if exists {
		if err := w.unchanged(ctx, w.conn); err != nil {
			return err
		}
		if progress, err = w.record.Progress(ctx, w.conn, w.migrations); err != nil {
			return err
		}
	}
	for _, s := range slices.Concat([]Schema{w.template()}, w.queue) {
		pending := w.migrations
		if progress[s.Name] > 0 {
			if pending, err = w.pending(ctx, s); err != nil {
				return err
			}
		}
		if len(pending) == 0 {
			w.report.UpToDate++
			continue
		}
		w.report.Migrated++
		w.report.Pending = append(w.report.Pending, Pending{s.Name, pending})
	}
	return nil
}
