package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
)

// Rows of the table of failures of other systems, by their number there,
// against a server. The scope is site 1 unless said otherwise.

func TestScenario45BypassEndsWithItsContext(t *testing.T) {
	b := newConnectedBlog(t, discard())
	b.SetMaxOpenConns(1)
	ctx := scoped.With(t.Context(), "site", 1)
	wantIDs(scoped.Disable(ctx, "test"), t, b, []int64{1, 2}, allPosts)
	wantIDs(ctx, t, b, []int64{1}, allPosts)
	wantScopeRequired(t.Context(), t, b, "site", "public.post", allPosts)

	// The same for a transaction: not those before, not those after.
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.BeginTx(scoped.Disable(ctx, "test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t.Context(), t, tx, []int64{1, 2}, allPosts)
	wantIDs(ctx, t, tx, []int64{1}, allPosts)
	wantIDs(t.Context(), t, tx, []int64{1, 2}, allPosts)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantScopeRequired(t.Context(), t, conn, "site", "public.post", allPosts)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	wantScopeRequired(t.Context(), t, b, "site", "public.post", allPosts)
}

func TestScenario46NoScope(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "comment")
	for _, query := range []string{
		"SELECT count(*) FROM post", "SELECT EXISTS (SELECT 1 FROM post WHERE id = 1)", "TABLE post",
		"WITH p AS (DELETE FROM post RETURNING id) SELECT id FROM p",
		"SELECT s.id FROM site s LEFT JOIN post p ON p.site_id = s.id",
		"INSERT INTO tag (id) SELECT id FROM post", "DELETE FROM tag USING post",
		"UPDATE post SET title = DEFAULT", "INSERT INTO post DEFAULT VALUES",
	} {
		wantScopeRequired(t.Context(), t, b, "site", "public.post", query)
	}
	// A scope on another dimension is none.
	wantScopeRequired(scoped.With(t.Context(), "user", 1), t, b, "site", "public.post", allPosts)
}

func TestScenario52TransactionHandsDownItsScope(t *testing.T) {
	b := newBlog(t)
	b.SetMaxOpenConns(1)
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.BeginTx(scoped.With(t.Context(), "site", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t.Context(), t, tx, []int64{1}, allPosts)
	wantExec(t.Context(), t, tx, 1, "INSERT INTO post (id) VALUES (50)")
	// The statement's own scope comes first, and is not mixed with the other.
	wantIDs(scoped.With(t.Context(), "site", 2), t, tx, []int64{2}, allPosts)
	_, err = ids(scoped.With(t.Context(), "user", 1), tx, "SELECT count(*) FROM post WHERE 1 = 0 OR id > 0")
	if !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("got %v, want ErrScopeRequired", err)
	}
	// A refusal sends nothing, so the transaction lives.
	wantIDs(t.Context(), t, tx, []int64{1, 50}, allPosts)
	b.truth(nil, "SELECT id FROM post WHERE id = 50")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.truth(nil, "SELECT id FROM post WHERE id = 50")
	// Its scope ends with it, though the connection is the same.
	wantScopeRequired(t.Context(), t, conn, "site", "public.post", allPosts)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	wantScopeRequired(t.Context(), t, b, "site", "public.post", allPosts)
}

// A transaction that nobody ended, and a statement that was cancelled, leave
// nothing of their scope on the connection.
func TestScenario44NothingIsLeftOnTheConnection(t *testing.T) {
	b := newBlog(t)
	b.SetMaxOpenConns(1)
	ctx, cancel := context.WithCancel(scoped.With(t.Context(), "site", 1))
	tx, err := b.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(ctx, t, tx, []int64{1}, allPosts)
	cancel()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if err := tx.Rollback(); errors.Is(err, sql.ErrTxDone) || time.Now().After(deadline) {
			break
		}
	}
	wantScopeRequired(t.Context(), t, b, "site", "public.post", allPosts)
	wantIDs(scoped.With(t.Context(), "site", 2), t, b, []int64{2}, allPosts)
}

// Nor does a panic in the caller, wherever it comes from, or a backend that is
// killed: the next statement runs under its own scope or none.
func TestScenario44PanicsAndKilledBackends(t *testing.T) {
	b := newBlog(t)
	b.SetMaxOpenConns(1)
	site1 := scoped.With(t.Context(), "site", 1)
	begin := func() *sql.Tx {
		tx, err := b.BeginTx(site1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	panics := map[string]func(){
		"between rows": func() {
			rows, err := b.QueryContext(site1, "SELECT generate_series(1, 1000) FROM post")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			rows.Next()
			panic("caller")
		},
		"in a Valuer":   func() { b.ExecContext(site1, "DELETE FROM post WHERE title = $1", panicking{}) },
		"in a rewriter": func() { b.ExecContext(site1, "DELETE FROM post", panickingRewriter{}) },
		"in a transaction": func() {
			tx := begin()
			defer tx.Rollback()
			wantExec(t.Context(), t, tx, 1, "INSERT INTO post (id) VALUES (50)")
			panic("caller")
		},
		"in a transaction, in a Valuer": func() {
			tx := begin()
			defer tx.Rollback()
			tx.ExecContext(t.Context(), "DELETE FROM post WHERE title = $1", panicking{})
		},
		"in Raw": func() {
			conn, err := b.Conn(site1)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Raw(func(raw any) error {
				if _, err := raw.(driver.ConnBeginTx).BeginTx(site1, driver.TxOptions{}); err != nil {
					return err
				}
				panic("caller")
			})
		},
	}
	for where, f := range panics {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", where)
				}
			}()
			f()
		}()
		nothingIsLeft(t, b, where)
	}

	var backend int64
	tx := begin()
	if err := tx.QueryRowContext(scoped.Disable(t.Context(), "test"), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	b.truth([]int64{1}, "SELECT count(*) FROM pg_terminate_backend($1, 10000) AS done WHERE done", backend)
	_, err := ids(t.Context(), tx, allPosts)
	var e *scoped.Error
	if err == nil || errors.As(err, &e) {
		t.Errorf("got %v, want pgx's own error", err)
	}
	if err := tx.Rollback(); err == nil {
		t.Error("the transaction was rolled back on a connection that is gone")
	}
	nothingIsLeft(t, b, "killed in a transaction")
}

// nothingIsLeft fails the test unless the connection serves site 2 as ever.
func nothingIsLeft(t *testing.T, b *blog, after string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := ids(ctx, b, allPosts); !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("after a panic %s: without a scope got %v", after, err)
	}
	got, err := ids(scoped.With(ctx, "site", 2), b, allPosts)
	if err != nil || !slices.Equal(got, []int64{2}) {
		t.Errorf("after a panic %s: site 2 has %v, %v", after, got, err)
	}
	if open := b.Stats().OpenConnections; open > 1 {
		t.Errorf("after a panic %s: %d connections are open", after, open)
	}
	b.truth([]int64{1, 2}, "SELECT id FROM post ORDER BY id")
}

// panicking panics where pgx calls it. (One in a Scanner leaves Rows locked for
// ever, whatever the driver is.)
type panicking struct{}

func (panicking) Value() (driver.Value, error) { panic("caller") }

type panickingRewriter struct{}

func (panickingRewriter) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	panic("caller")
}
