package scoped_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

const reloadSchema = `
CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site_id bigint, owner_id bigint, batch bigint);
INSERT INTO item (site_id, owner_id) VALUES (1, 1), (1, 2), (2, 1), (2, 2), (1, NULL), (NULL, 2);
`

// Two policies for one table, with the dimensions in another order, so that what
// belongs to one could not pass for the other's. Under site 1 and user 2 the
// first shows the items 1, 2 and 5, the second 2, 4 and 6.
var reloaded = [2]struct {
	text  string
	items []int64
}{
	{"version: 1\ndimensions: {site: {type: bigint}, user: {type: bigint}}\ntables: {item: {site: site_id}}\n", []int64{1, 2, 5}},
	{"version: 1\ndimensions: {user: {type: bigint}, site: {type: bigint}}\ntables: {item: {user: owner_id}}\n", []int64{2, 4, 6}},
}

const (
	reloadItems = "SELECT id FROM item WHERE id <= 6 ORDER BY id"
	// filledBy returns the policies under which the rows of a batch were filled.
	filledBy = `SELECT DISTINCT CASE WHEN site_id = 1 AND owner_id IS NULL THEN 0
		WHEN site_id IS NULL AND owner_id = 2 THEN 1 ELSE -1 END FROM item WHERE batch = $1`
)

// A reloading is a database whose policy is replaced.
type reloading struct {
	*sql.DB
	t         *testing.T
	connector scoped.Connector
	plain     *sql.DB
	policies  [2]*policy.Policy
	// changes counts what SetPolicy began and ended: it is even while the policy
	// changes/2 % 2 is in force, and odd while either may be.
	changes atomic.Int64
}

func newReloading(t *testing.T) *reloading {
	t.Helper()
	dsn := pgtest.DSN(t, reloadSchema)
	r := &reloading{t: t, plain: openDB(t, "pgx", dsn)}
	for i, p := range reloaded {
		var err error
		if r.policies[i], err = policy.Parse(fmt.Sprint(i), []byte(p.text)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	r.connector = scoped.NewConnector(stdlib.GetConnector(*config), r.policies[0])
	r.DB = sql.OpenDB(r.connector)
	t.Cleanup(func() { r.DB.Close() })
	return r
}

// change puts the other policy in force.
func (r *reloading) change() {
	r.t.Helper()
	next := (r.changes.Add(1) + 1) / 2 % 2
	if err := r.connector.SetPolicy(r.policies[next]); err != nil {
		r.t.Error(err)
	}
	r.changes.Add(1)
}

// under runs one statement and returns the policies that it may have run under.
func (r *reloading) under(run func()) (possible []int) {
	before := r.changes.Load()
	run()
	after := r.changes.Load()
	if before == after && before%2 == 0 {
		return []int{int(before / 2 % 2)}
	}
	return []int{0, 1}
}

func reloadScope(t *testing.T) context.Context {
	return scoped.With(scoped.With(t.Context(), "site", 1), "user", 2)
}

// What was opened, begun, prepared and bound under one policy runs under the next.
func TestScenario54PolicyIsReplaced(t *testing.T) {
	r := newReloading(t)
	r.SetMaxOpenConns(1)
	ctx := reloadScope(t)
	s := prepared{prepare(ctx, t, r.DB, reloadItems)}
	for range 3 {
		for i := range reloaded {
			wantIDs(ctx, t, r, reloaded[i].items, reloadItems)
			wantIDs(ctx, t, s, reloaded[i].items, "prepared")
			wantScopeRequired(scoped.With(t.Context(), []string{"user", "site"}[i], 1), t, r,
				[]string{"site", "user"}[i], "public.item", reloadItems)
			tx, err := r.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantIDs(t.Context(), t, tx, reloaded[i].items, reloadItems)
			r.change()
			wantIDs(t.Context(), t, tx, reloaded[1-i].items, reloadItems)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A cursor's rows are those of the policy of its DECLARE.
func TestCursorOfAnotherPolicy(t *testing.T) {
	r := newReloading(t)
	for _, ctx := range []context.Context{reloadScope(t), t.Context()} {
		tx, err := r.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		query := reloadItems
		if ctx == t.Context() {
			query = "VALUES (7)" // what needs no scope may need one under the next policy
		}
		wantExec(ctx, t, tx, 0, "DECLARE c CURSOR FOR "+query)
		r.change()
		_, err = ids(ctx, tx, "FETCH c")
		wantError(t, err, scoped.CodeScope)
		r.change()
		_, err = ids(ctx, tx, "FETCH c") // the same policy, but nobody kept count
		wantError(t, err, scoped.CodeScope)
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// Each statement runs under one policy as a whole, the one that is in force, while
// the policy changes all the time.
func TestScenario54ReloadUnderLoad(t *testing.T) {
	r := newReloading(t)
	ctx := reloadScope(t)
	const clients, rounds = 8, 120
	var changing, running sync.WaitGroup
	done := make(chan struct{})
	changing.Go(func() {
		random := rand.New(rand.NewPCG(54, 0))
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(random.IntN(2000)) * time.Microsecond):
				r.change()
			}
		}
	})
	var settled atomic.Int64 // statements that only one policy can have ruled
	for client := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(54, uint64(client+1)))
			s := prepared{prepare(ctx, t, r.DB, reloadItems)}
			for round := range rounds {
				batch := int64(client*rounds + round)
				var got []int64
				var err error
				read := func(db queryer) []int {
					return r.under(func() { got, err = ids(ctx, db, reloadItems) })
				}
				var possible []int
				switch random.IntN(4) {
				case 0:
					possible = read(r)
				case 1:
					possible = read(s)
				case 2:
					tx, beginErr := r.BeginTx(ctx, nil)
					if beginErr != nil {
						t.Error(beginErr)
						return
					}
					possible = read(tx)
					if err := tx.Commit(); err != nil {
						t.Error(err)
					}
				default:
					// Filled with the site or with the owner, both rows alike.
					possible = r.under(func() {
						_, err = r.ExecContext(ctx, fmt.Sprintf("INSERT INTO item (batch) VALUES (%d); INSERT INTO item (batch) VALUES (%d)", batch, batch))
					})
					if err == nil {
						got, err = ids(t.Context(), r.plain, filledBy, batch)
					}
					if err != nil || len(got) != 1 || !slices.Contains(possible, int(got[0])) {
						t.Errorf("rows of the policies %v, %v; possible are %v", got, err, possible)
					}
					continue
				}
				if len(possible) == 1 {
					settled.Add(1)
				}
				if err != nil || !slices.ContainsFunc(possible, func(i int) bool { return slices.Equal(got, reloaded[i].items) }) {
					t.Errorf("got %v, %v; possible are the policies %v", got, err, possible)
				}
			}
		})
	}
	running.Wait()
	close(done)
	changing.Wait()
	if settled.Load() == 0 || r.changes.Load() < 20 {
		t.Errorf("%d statements had one possible policy, of %d changes", settled.Load(), r.changes.Load()/2)
	}
}
