package scoped_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

var (
	cancellations = flag.Int64("cancellations", 10000, "how many contexts TestFaults cancels")
	faultSeed     = flag.Uint64("faultseed", 1, "the seed of TestFaults")
)

// How often the other faults come, in cancellations.
const (
	perKill    = 100
	perReload  = 50
	perRestart = 4000
)

// slow is a query that is long enough to be interrupted, on the tenant's own rows.
const slow = "SELECT DISTINCT title FROM post, generate_series(1, 20000)"

// TestFaults runs the statements of two tenants while contexts are cancelled at
// random points, backends are killed, the server is restarted, statements run out
// of time, rows are left unread, callers panic and the policy is replaced. No
// statement reads or writes a row of the other tenant, every error is one that
// pgx or the server gave, and neither goroutines nor connections are left.
//
// The choices of each client are those of the seed; how they fall together in
// time is not.
func TestFaults(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx := t.Context()
	server, err := pgtest.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	dsn, err := server.CreateDatabase(ctx, tenantSchema)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	// The second has its dimensions in another order and its tables in another form.
	var policies [2]*policy.Policy
	for i, text := range []string{tenantPolicy, strings.NewReplacer(
		"{site: {type: bigint}}", "{other: {type: text}, site: {type: integer}}", "post_id -> post", "{column: post_id -> post, null: read}",
	).Replace(tenantPolicy)} {
		if policies[i], err = policy.Parse("policy.yaml", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	connector := scoped.NewConnector(stdlib.GetConnector(*config), policies[0], discard())
	db := sql.OpenDB(connector)
	const clients = 8
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)

	f := &faults{T: t, db: db}
	var running sync.WaitGroup
	done := make(chan struct{})
	tenants := make([]*tenant, clients)
	for i := range tenants {
		one := &tenant{T: t, db: db, site: 1 + i%2, outside: true, reloads: true, count: &f.statements,
			random: rand.New(rand.NewPCG(*faultSeed, uint64(i))), errs: map[string]int{}}
		tenants[i] = one
		running.Go(func() {
			for f.cancelled.Load() < *cancellations {
				f.step(one)
			}
		})
	}
	var disturbing sync.WaitGroup
	disturb := func(per int64, do func(n int)) {
		disturbing.Go(func() {
			for n := 1; ; n++ {
				for f.cancelled.Load() < int64(n)*per {
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond):
					}
				}
				do(n)
			}
		})
	}
	var killed, restarts, reloads atomic.Int64
	disturb(perKill, func(n int) {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return // the server is being restarted
		}
		defer conn.Close(ctx)
		tag, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY state = 'idle', md5($1 || pid) LIMIT 2", fmt.Sprint(n))
		if err == nil {
			killed.Add(tag.RowsAffected())
		}
	})
	disturb(perReload, func(n int) {
		if err := connector.SetPolicy(policies[n%2]); err != nil {
			t.Error(err)
		}
		reloads.Add(1)
	})
	if server.Owned() {
		disturb(perRestart, func(int) {
			if err := server.Restart(ctx); err != nil {
				t.Error(err)
			}
			restarts.Add(1)
		})
	}
	running.Wait()
	close(done)
	disturbing.Wait()

	errs := map[string]int{}
	for _, one := range tenants {
		for e, n := range one.errs {
			errs[e] += n
		}
	}
	t.Logf("%d statements, %d contexts cancelled, %d backends killed, %d restarts, %d policies, %d panics, %d unread, %d out of time; errors %v",
		f.statements.Load(), f.cancelled.Load(), killed.Load(), restarts.Load(), reloads.Load(), f.panics.Load(), f.unread.Load(), f.timeouts.Load(), errs)
	if killed.Load() == 0 || reloads.Load() == 0 || f.panics.Load() == 0 || f.unread.Load() == 0 || f.timeouts.Load() == 0 || errs["57014"] == 0 {
		t.Error("a fault is missing")
	}

	// The pool may hold connections whose backends were killed last.
	for _, conn := range f.all(clients) {
		conn.PingContext(ctx)
		conn.Close()
	}
	// What is left works as ever.
	for _, one := range tenants[:2] {
		one.errs = map[string]int{}
		for range 100 {
			one.step(scoped.With(ctx, "site", one.site))
		}
		if len(one.errs) > 0 {
			t.Errorf("errors after the faults: %v", one.errs)
		}
	}
	// database/sql gives back what a context has ended in a goroutine of its own.
	for deadline := time.Now().Add(20 * time.Second); db.Stats().InUse > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d connections are in use", db.Stats().InUse)
			break
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	for query, what := range map[string]string{
		strangers: "rows of one site were written by the other",
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()": "connections are left",
	} {
		var n int
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if err := conn.QueryRow(ctx, query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			if query == strangers || time.Now().After(deadline) {
				t.Errorf("%d %s", n, what)
				break
			}
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
	server.Stop()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// faults runs statements and has them fail.
type faults struct {
	*testing.T
	db                                              *sql.DB
	statements, cancelled, panics, unread, timeouts atomic.Int64
}

// all holds n connections at once.
func (f *faults) all(n int) []*sql.Conn {
	conns := make([]*sql.Conn, n)
	for i := range conns {
		var err error
		if conns[i], err = f.db.Conn(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
	return conns
}

func (f *faults) step(t *tenant) {
	ctx := scoped.With(f.Context(), "site", t.site)
	switch n := t.random.IntN(100); {
	case n < 3:
		f.unread.Add(1)
		t.count.Add(1)
		rows, err := f.db.QueryContext(ctx, "SELECT p.title FROM post p, generate_series(1, 100)")
		if err == nil {
			rows.Next()
			err = rows.Close()
		}
		t.fault(err)
	case n < 6:
		f.panics.Add(1)
		f.panic(ctx, t)
	case n < 8:
		f.timeouts.Add(1)
		f.timeout(ctx, t)
	case n < 20:
		t.step(ctx)
	default:
		ctx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(time.Duration(t.random.IntN(3000))*time.Microsecond, cancel)
		if t.random.IntN(4) > 0 {
			t.step(ctx)
		} else {
			t.titles(f.db.QueryContext(ctx, slow))
		}
		if !timer.Stop() {
			f.cancelled.Add(1)
		}
		cancel()
	}
}

// panic panics in a transaction, between its statements or in one. (A panic in
// QueryContext leaves the transaction locked for ever, whatever the driver is.)
func (f *faults) panic(ctx context.Context, t *tenant) {
	defer func() {
		if p := recover(); p != nil && p != "caller" {
			panic(p)
		}
	}()
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		t.fault(err)
		return
	}
	defer tx.Rollback()
	query, args := t.pick()
	t.titles(tx.QueryContext(f.Context(), query, args...))
	if t.random.IntN(2) == 0 {
		tx.ExecContext(f.Context(), query, slices.Repeat([]any{panicking{}}, len(args))...)
	}
	panic("caller")
}

// timeout has the server end a statement.
func (f *faults) timeout(ctx context.Context, t *tenant) {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		t.fault(err)
		return
	}
	defer tx.Rollback()
	t.count.Add(1)
	if _, err := tx.ExecContext(f.Context(), "SET LOCAL statement_timeout = 1"); err != nil {
		t.fault(err)
		return
	}
	t.titles(tx.QueryContext(f.Context(), slow))
	t.titles(tx.QueryContext(f.Context(), "SELECT title FROM post"))
}
