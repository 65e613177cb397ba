// Package migrate runs migrations in the schemas of a dimension: in the template
// first, and then in those of the values, several at a time.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/schemas"
)

// Options say what is migrated, and how.
type Options struct {
	Config    *pgx.ConnConfig
	Policy    *policy.Policy
	Dimension *policy.Dimension
	Source    Source
	Only      []string // the values that are migrated, all where it is empty
	Jobs      int      // how many schemas at a time
	Stop      bool     // at the first failure
	DryRun    bool
	Progress  io.Writer // for those who wait
}

// A Source has migrations and runs them.
type Source interface {
	// Migrations returns all of them, in their order.
	Migrations() []schemas.Migration
	// Run runs some of them in a schema and in the transaction that the connection
	// is in, whose search path begins with the schema.
	Run(ctx context.Context, conn *pgx.Conn, s Schema, pending []schemas.Migration) error
}

// A Schema is the template or that of a value.
type Schema struct {
	Name       string
	Value      string // empty for the template
	SearchPath string // as SQL
}

// Run migrates. Its error says why nothing was begun; what failed later is in the
// report. When the context ends, no other schema is begun, and those that were are
// finished.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o, record: schemas.RecordOf(o.Dimension), migrations: o.Source.Migrations()}
	r.report.DryRun = o.DryRun
	defer func(start time.Time) { r.report.Took = time.Since(start) }(time.Now())
	r.Config = r.Config.Copy()
	r.Config.DefaultQueryExecMode = pgx.QueryExecModeExec // DISCARD ALL would forget what was prepared

	w := &worker{run: r}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.tenants(ctx); err != nil { // before anything is changed, --only is looked at
		return nil, err
	}
	if o.DryRun {
		return &r.report, w.tell(ctx)
	}
	release, err := r.exclude(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := r.record.Create(ctx, w.conn); err != nil {
		return nil, fmt.Errorf("the tables that record what ran in which schema: %w", err)
	}
	if err := r.unchanged(ctx, w.conn); err != nil {
		return nil, err
	}

	ran, err := w.migrate(ctx, r.template())
	if err != nil {
		r.failed(r.template(), err)
		return r.end(), nil
	}
	r.done(ran)
	// Those that were made from the template before it was migrated are there now, as
	// both lock it; those made from it later have what ran.
	if err := w.tenants(ctx); err != nil {
		return nil, err
	}
	progress, err := r.record.Progress(ctx, w.conn, r.migrations)
	if err != nil {
		return nil, err
	}
	r.queue = slices.DeleteFunc(r.queue, func(s Schema) bool {
		upToDate := progress[s.Name] == len(r.migrations)
		if upToDate {
			r.done(nil)
		}
		return upToDate
	})
	if err := r.all(ctx, w); err != nil {
		return nil, err
	}
	return r.end(), nil
}

// end returns the report, when what is left in the queue was not begun.
func (r *run) end() *Report {
	for _, s := range r.queue {
		r.report.NotReached = append(r.report.NotReached, s.Name)
	}
	return &r.report
}

type run struct {
	Options
	record     schemas.Record
	migrations []schemas.Migration
	bar        *terminal.Bar

	mu     sync.Mutex
	queue  []Schema // that are to be migrated
	report Report
	halt   bool
}

func (r *run) template() Schema { return r.schema(r.Dimension.Schemas.Template, "") }

func (r *run) schema(name, value string) Schema {
	path := []string{pgx.Identifier{name}.Sanitize()}
	for _, schema := range r.Policy.SearchPath() {
		path = append(path, pgx.Identifier{schema}.Sanitize())
	}
	return Schema{name, value, strings.Join(path, ", ")}
}

// exclude waits until nobody else migrates these schemas. It is by the lock of a
// transaction, which unlike that of a session holds through a pooler too, on a
// connection of its own, which locks nothing else that a migration may want.
func (r *run) exclude(ctx context.Context) (release func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, r.Config)
	if err != nil {
		return nil, err
	}
	release = func() { conn.Close(context.WithoutCancel(ctx)) }
	_, err = conn.Exec(ctx, "BEGIN")
	if err == nil {
		err = beIdle(ctx, conn)
	}
	if err == nil {
		notice := time.AfterFunc(time.Second, func() {
			fmt.Fprintln(r.Progress, "waiting for others who migrate these schemas")
		})
		err = schemas.Lock(ctx, conn, "migrate "+r.Dimension.Schemas.Template)
		notice.Stop()
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// beIdle lets a transaction wait for as long as it has to.
func beIdle(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')`)
	return err
}

// unchanged refuses migrations that ran with another text.
func (r *run) unchanged(ctx context.Context, conn *pgx.Conn) error {
	changed, err := r.record.Changed(ctx, conn, r.migrations)
	for _, m := range r.migrations {
		if schema, ok := changed[m.Name]; ok {
			err = errors.Join(err, fmt.Errorf("%s is not what ran in %s; put back what did, and write a new migration", m.Name, schema))
		}
	}
	return err
}

// all migrates the schemas of the queue.
func (r *run) all(ctx context.Context, first *worker) error {
	workers := []*worker{first}
	for range min(r.Jobs, len(r.queue)) - 1 {
		w := &worker{run: r}
		if err := w.connect(ctx); err != nil {
			return err
		}
		defer w.close()
		workers = append(workers, w)
	}
	r.bar = terminal.NewBar(r.Progress, "migrating", len(r.queue))
	defer r.bar.Close()
	var wait sync.WaitGroup
	for _, w := range workers {
		wait.Go(func() {
			for {
				s, ok := r.next(ctx)
				if !ok {
					return
				}
				ran, err := w.migrate(ctx, s)
				switch {
				case err == nil:
					r.done(ran)
				case errors.Is(err, ctx.Err()):
					r.giveBack(s)
				default:
					r.failed(s, err)
				}
			}
		})
	}
	wait.Wait()
	return nil
}

func (r *run) next(ctx context.Context) (s Schema, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 || r.halt || ctx.Err() != nil {
		return s, false
	}
	s, r.queue = r.queue[0], r.queue[1:]
	return s, true
}

func (r *run) giveBack(s Schema) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, s)
}

func (r *run) done(ran []schemas.Migration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(ran) > 0 {
		r.report.Migrated++
	} else {
		r.report.UpToDate++
	}
	r.bar.Step(false)
}

func (r *run) failed(s Schema, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Failed = append(r.report.Failed, Failure{s.Name, err})
	r.halt = r.halt || r.Stop
	r.bar.Step(true)
}
