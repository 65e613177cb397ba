package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

//go:embed policy.yaml
var rules []byte

const (
	// The tenants whose rows the workloads touch. One connection for each must
	// fit into the server, and each of 16 workers has its own.
	tenants        = 48
	maxConnections = 16
)

// A runner runs an operation for a site and returns its rows, or how many were
// written.
type runner func(ctx context.Context, o *operation, site int, args []any) (rows, error)

// An arm is one way to keep the rows of a site apart.
type arm struct {
	name      string
	reference string // the arm by whose times its own are divided
	run       runner
	// can reports whether the arm has the operation, nil for all.
	can func(*operation) bool
	// perTenant is set where each tenant has a connection.
	perTenant bool
	db        *sql.DB // in schemas
}

const (
	byHand        = "pgx, filter by hand"
	byHandNewText = "pgx, filter by hand, new text"
	scopedHot     = "scoped"
	scopedAnew    = "scoped, a scope for each statement"
	scopedCold    = "scoped, new text"
	securedTx     = "row-level security, set_config in a transaction"
	securedConn   = "row-level security, a connection per tenant"
	gormScope     = "GORM scope"
)

// arms are all arms, over one database.
type arms struct {
	list           []*arm
	plain, guarded *sql.DB
	closers        []func() error
}

func (a *arms) close() error {
	var errs []error
	for _, c := range a.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// of returns the arms that have all operations of a workload.
func (a *arms) of(w *workload) []*arm {
	return slices.DeleteFunc(slices.Clone(a.list), func(arm *arm) bool {
		return arm.can != nil && slices.ContainsFunc(w.operations, func(o *operation) bool { return !arm.can(o) })
	})
}

// newArms opens the arms. The context is that which their operations are run with.
func newArms(ctx context.Context, dsn string) (*arms, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse("policy.yaml", rules)
	if err != nil {
		return nil, err
	}
	a := new(arms)
	plain := func() *sql.DB { return a.open(sql.OpenDB(stdlib.GetConnector(*config))) }
	guarded := func(options ...scoped.Option) *sql.DB {
		return a.open(sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(*config), p, options...)))
	}
	secured := func(settings map[string]string) *sql.DB {
		as := config.Copy()
		as.RuntimeParams["role"] = "bench_tenant"
		for name, value := range settings {
			as.RuntimeParams[name] = value
		}
		return a.open(sql.OpenDB(stdlib.GetConnector(*as)))
	}
	perTenant := make([]*sql.DB, tenants+2)
	for site := range perTenant {
		perTenant[site] = secured(map[string]string{"bench.site": strconv.Itoa(site)})
	}
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: plain()}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	// A program makes the scope where it knows the tenant, and runs any number of
	// statements under it.
	scopes := make([]context.Context, tenants+2)
	for site := range scopes {
		scopes[site] = scoped.With(ctx, "site", site)
	}
	known := func(_ context.Context, site int) context.Context { return scopes[site] }
	anew := func(ctx context.Context, site int) context.Context { return scoped.With(ctx, "site", site) }
	a.plain, a.guarded = plain(), guarded()
	texts := func(o *operation) bool { return !o.copies }
	a.list = []*arm{
		{name: byHand, run: runByHand(a.plain, same)},
		{name: scopedHot, reference: byHand, run: runScoped(a.guarded, known, same)},
		{name: scopedAnew, reference: byHand, run: runScoped(a.guarded, anew, same)},
		{name: byHandNewText, reference: byHand, run: runByHand(plain(), fresh), can: texts},
		// A text that never comes again gains nothing from a cache, but is put
		// into it; this one is always full.
		{name: scopedCold, reference: byHandNewText, run: runScoped(guarded(scoped.WithCacheSize(4<<20)), known, fresh), can: texts},
		{name: securedTx, reference: byHand, run: runInTransaction(secured(nil)), can: texts},
		{name: securedConn, reference: byHand, can: texts, perTenant: true, run: func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
			return o.run(ctx, perTenant[site], o.program, args)
		}},
		{name: gormScope, reference: byHand, run: runGORM(g), can: func(o *operation) bool { return o.withGORM != nil }},
	}
	return a, nil
}

// open returns the database with as many idle connections as there may be workers.
func (a *arms) open(db *sql.DB) *sql.DB {
	db.SetMaxIdleConns(maxConnections)
	a.closers = append(a.closers, db.Close)
	return db
}

// same returns a text as it is, and fresh one that was never seen.
func same(text string) string { return text }

func fresh(text string) string {
	return strings.Replace(text, "v0", "v"+strconv.FormatInt(freshNames.Add(1), 10), 1)
}

var freshNames atomic.Int64

func runByHand(db *sql.DB, text func(string) string) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		if o.copies {
			return copied(ctx, db, func(conn *sql.Conn) (n int64, err error) {
				err = conn.Raw(func(c any) error {
					n, err = c.(*stdlib.Conn).Conn().CopyFrom(ctx, copyTable, copyColumns, copyRows(args))
					return err
				})
				return n, err
			})
		}
		if o.byHand != o.program {
			args = append(args, int64(site))
		}
		return o.run(ctx, db, text(o.byHand), args)
	}
}

func runScoped(db *sql.DB, in func(context.Context, int) context.Context, text func(string) string) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		ctx = in(ctx, site)
		if o.copies {
			return copied(ctx, db, func(conn *sql.Conn) (int64, error) {
				return scoped.CopyFrom(ctx, conn, copyTable, copyColumns, copyRows(args))
			})
		}
		return o.run(ctx, db, text(o.program), args)
	}
}

func runInTransaction(db *sql.DB) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "SELECT set_config('bench.site', $1, true)", strconv.Itoa(site)); err != nil {
			return nil, err
		}
		r, err := o.run(ctx, tx, o.program, args)
		if err != nil {
			return nil, err
		}
		return r, tx.Commit()
	}
}

func runGORM(db *gorm.DB) runner {
	return func(ctx context.Context, o *operation, site int, args []any) (rows, error) {
		ofSite := func(column string) func(*gorm.DB) *gorm.DB {
			return func(db *gorm.DB) *gorm.DB { return db.Where(column+" = ?", site) }
		}
		return o.withGORM(db.WithContext(ctx), site, ofSite, args)
	}
}

// A handle is a *sql.DB or a *sql.Tx.
type handle interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (o *operation) run(ctx context.Context, h handle, text string, args []any) (rows, error) {
	if o.writes {
		result, err := h.ExecContext(ctx, text, args...)
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		return rows{{n}}, err
	}
	return read(h.QueryContext(ctx, text, args...))
}

// read returns all rows, all of whose columns are texts or integers.
func read(from *sql.Rows, err error) (rows, error) {
	if err != nil {
		return nil, err
	}
	defer from.Close()
	columns, err := from.Columns()
	if err != nil {
		return nil, err
	}
	var all rows
	pointers := make([]any, len(columns))
	for from.Next() {
		row := make([]any, len(columns))
		for i := range row {
			pointers[i] = &row[i]
		}
		if err := from.Scan(pointers...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, from.Err()
}

var (
	copyTable   = pgx.Identifier{"note"}
	copyColumns = []string{"site_id", "post_id", "body"}
)

func copyRows(args []any) pgx.CopyFromSource {
	return pgx.CopyFromSlice(len(args)/3, func(i int) ([]any, error) { return args[3*i : 3*i+3], nil })
}

func copied(ctx context.Context, db *sql.DB, with func(*sql.Conn) (int64, error)) (rows, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	n, err := with(conn)
	return rows{{n}}, err
}
