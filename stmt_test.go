package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
)

func prepare(ctx context.Context, t *testing.T, db interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}, query string,
) *sql.Stmt {
	t.Helper()
	stmt, err := db.PrepareContext(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stmt.Close() })
	return stmt
}

// A prepared lets wantIDs and wantExec run a prepared statement.
type prepared struct{ *sql.Stmt }

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.Stmt.QueryContext(ctx, args...)
}

func (p prepared) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return p.Stmt.ExecContext(ctx, args...)
}

func TestStmtRunsUnderTheExecutingScope(t *testing.T) {
	b := newConnectedBlog(t, discard())
	b.SetMaxOpenConns(1)
	site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
	for name, ctx := range map[string]context.Context{
		"none": t.Context(), "one": site1, "disabled": scoped.Disable(t.Context(), "test"),
	} {
		t.Run(name, func(t *testing.T) {
			s := prepared{prepare(ctx, t, b, "SELECT id FROM post WHERE id < $1 ORDER BY id")}
			for range 2 {
				wantIDs(site1, t, s, []int64{1}, "prepared", 10)
				wantIDs(site2, t, s, []int64{2}, "prepared", 10)
				wantIDs(scoped.With(site1, "site", scoped.AnyOf(1, 2)), t, s, []int64{1, 2}, "prepared", 10)
				wantIDs(scoped.Disable(site1, "test"), t, s, []int64{1, 2}, "prepared", 10)
				wantIDs(site1, t, s, nil, "prepared", 1)
			}
			wantScopeRequired(t.Context(), t, s, "site", "public.post", "prepared", 10)
			if _, err := s.QueryContext(site1, ""); err == nil {
				t.Error("no argument was accepted for one parameter")
			}
		})
	}
}

func TestStmtInATransaction(t *testing.T) {
	b := newBlog(t)
	s := prepare(t.Context(), t, b, allPosts)
	tx, err := b.BeginTx(scoped.With(t.Context(), "site", 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t.Context(), t, prepared{tx.StmtContext(t.Context(), s)}, []int64{2}, "prepared")
	wantIDs(t.Context(), t, prepared{prepare(t.Context(), t, tx, allComments)}, []int64{2}, "prepared")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantScopeRequired(t.Context(), t, prepared{s}, "site", "public.post", "prepared")
}

func TestStmtWrites(t *testing.T) {
	b := newBlog(t)
	site1 := scoped.With(t.Context(), "site", 1)
	insert := prepared{prepare(t.Context(), t, b, "INSERT INTO post (title, site_id) VALUES ($1, $2) RETURNING id, title")}
	rows, err := insert.QueryContext(site1, "", "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := rows.Columns()
	rows.Close()
	if err != nil || len(columns) != 2 {
		t.Errorf("got columns %q, %v, want id and title", columns, err)
	}
	before := b.contents("post")
	wantViolation(site1, t, insert, "public.post", "prepared", "x", 2)

	several := scoped.With(site1, "site", scoped.AnyOf(1, 2))
	fill := prepared{prepare(several, t, b, "INSERT INTO post (id, title) VALUES ($1, 'x')")}
	_, err = fill.ExecContext(several, "", 1000)
	wantError(t, err, scoped.CodeFill)
	_, err = fill.ExecContext(scoped.With(site1, "site", scoped.All), "", 1000)
	wantError(t, err, scoped.CodeFill)
	if after := b.contents("post"); after != before {
		t.Errorf("post was changed from %s to %s", before, after)
	}
	wantExec(site1, t, fill, 1, "prepared", 1000)
	b.truth([]int64{1}, "SELECT site_id FROM post WHERE id = 1000")
}

// What no scope could make acceptable is refused when it is prepared, and what
// the server finds wrong is said then if the scope suffices to ask it.
func TestPrepareRefuses(t *testing.T) {
	b := newBlog(t)
	for query, code := range map[string]scoped.Code{
		"SELEC 1":                                 scoped.CodeSyntax,
		"SELECT id FROM secre":                    scoped.CodeTable,
		"SELECT pg_read_file('x')":                scoped.CodeFunction,
		"TRUNCATE post":                           scoped.CodeStatement,
		"DELETE FROM post WHERE id = $4294967297": scoped.CodeSyntax,
	} {
		_, err := b.PrepareContext(t.Context(), query)
		wantError(t, err, code)
	}
	if _, err := b.PrepareContext(scoped.With(t.Context(), "site", 1), "SELECT nosuch FROM post"); err == nil {
		t.Error("an unknown column was prepared")
	}
	_, err := b.PrepareContext(scoped.With(t.Context(), "site", "x"), allPosts)
	wantError(t, err, scoped.CodeScope)
}

func TestStmtTakesNoOptions(t *testing.T) {
	b := newBlog(t)
	site1 := scoped.With(t.Context(), "site", 1)
	s := prepare(t.Context(), t, b, "SELECT id FROM post WHERE id = $1")
	for _, option := range []any{pgx.QueryExecModeExec, rewriter{sql: "SELECT 1"}, pgx.NamedArgs{}} {
		_, err := s.QueryContext(site1, option)
		wantError(t, err, scoped.CodeArguments)
	}
}

// Each scope's shape has a statement on the server; all of them are closed with
// the statement.
func TestStmtClosesWhatItPrepared(t *testing.T) {
	b := newConnectedBlog(t, discard())
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	disabled := scoped.Disable(t.Context(), "test")
	const count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM%bookmark%' AND statement NOT LIKE '%pg_prepared%'"
	s := prepared{prepare(t.Context(), t, conn, "SELECT id FROM bookmark ORDER BY id")}
	wantIDs(disabled, t, conn, []int64{0}, count)
	values := []any{1, scoped.AnyOf(1, 2), scoped.All}
	for _, site := range values {
		for _, user := range values {
			ctx := scoped.With(scoped.With(t.Context(), "site", site), "user", user)
			for range 2 {
				if _, err := ids(ctx, s, "prepared"); err != nil {
					t.Error(err)
				}
			}
		}
	}
	// Nine shapes, of which the last eight stay.
	wantIDs(disabled, t, conn, []int64{8}, count)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantIDs(disabled, t, conn, []int64{0}, count)
}

func TestPreparedUnderACancelledContext(t *testing.T) {
	b := newBlog(t)
	ctx, cancel := context.WithCancel(scoped.With(t.Context(), "site", 1))
	s := prepared{prepare(ctx, t, b, allPosts)}
	cancel()
	if _, err := ids(ctx, s, "prepared"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantIDs(scoped.With(t.Context(), "site", 2), t, s, []int64{2}, "prepared")
}
