package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

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
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if err := tx.Rollback(); errors.Is(err, sql.ErrTxDone) || time.Now().After(deadline) {
			break
		}
	}
	wantScopeRequired(t.Context(), t, b, "site", "public.post", allPosts)
	wantIDs(scoped.With(t.Context(), "site", 2), t, b, []int64{2}, allPosts)
}
