package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped"
)

func begin(t *testing.T, db interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}, ctx context.Context,
) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

func wantRefused(ctx context.Context, t *testing.T, db interface {
	queryer
	execer
}, code scoped.Code, query string, args ...any,
) {
	t.Helper()
	_, err := db.ExecContext(ctx, query, args...)
	wantError(t, err, code)
	_, err = ids(ctx, db, query, args...)
	if e := wantError(t, err, code); !errors.Is(e, scoped.ErrRefused) || e.Hint == "" || e.Position.Char == 0 {
		t.Errorf("%s: %v", query, e)
	}
}

func wantSQLState(t *testing.T, err error, code string) {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != code {
		t.Errorf("got %v, want PostgreSQL's own error %s", err, code)
	}
}

func TestScenario53FetchUnderAnotherScope(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
		both := scoped.With(t.Context(), "site", scoped.AnyOf(1, 2))
		tx := begin(t, b, site1)
		wantExec(t.Context(), t, tx, 0, "DECLARE c CURSOR FOR "+allPosts, args()...)
		wantExec(both, t, tx, 0, "DECLARE d CURSOR FOR SELECT id FROM comment WHERE id > $1 ORDER BY id", args(0)...)
		for _, ctx := range []context.Context{
			site2, both, scoped.With(t.Context(), "site", scoped.All), scoped.With(site1, "user", 1), scoped.With(t.Context(), "user", 1),
		} {
			for _, query := range []string{"FETCH ALL FROM c", "MOVE c", "CLOSE c", "SELECT 1; FETCH c"} {
				_, err := tx.ExecContext(ctx, query, args()...)
				wantError(t, err, scoped.CodeScope)
			}
			wantRefused(ctx, t, tx, scoped.CodeScope, "FETCH ALL FROM c", args()...)
		}
		wantRefused(site1, t, tx, scoped.CodeScope, "FETCH ALL FROM d", args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH ALL FROM nosuch", args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, `FETCH ALL FROM "C"`, args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, "DECLARE h CURSOR WITH HOLD FOR "+allPosts, args()...)

		// Nothing was fetched by those. The scope counts, not the context.
		wantIDs(t.Context(), t, tx, []int64{1}, "FETCH ALL FROM C", args()...)
		wantIDs(scoped.With(t.Context(), "site", 1), t, tx, []int64{1}, "FETCH ABSOLUTE 1 FROM c", args()...)
		wantIDs(scoped.With(t.Context(), "site", scoped.AnyOf(2, 1)), t, tx, []int64{1, 2}, "FETCH 5 IN d", args()...)
		wantExec(site1, t, tx, 0, "CLOSE c", args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH c", args()...)
		// The name is free again.
		wantExec(site2, t, tx, 0, "DECLARE c CURSOR FOR "+allPosts, args()...)
		wantRefused(site1, t, tx, scoped.CodeScope, "FETCH c", args()...)
		wantIDs(site2, t, tx, []int64{2}, "FETCH c", args()...)
		wantExec(site1, t, tx, 0, "CLOSE ALL", args()...)
		wantRefused(site2, t, tx, scoped.CodeStatement, "FETCH c", args()...)
	})
}

// The end of a transaction ends its cursors, whoever ends it.
func TestCursorsEndWithTheirTransaction(t *testing.T) {
	b := newConnectedBlog(t, discard())
	b.SetMaxOpenConns(1)
	site1 := scoped.With(t.Context(), "site", 1)
	disabled := scoped.Disable(t.Context(), "test")
	declare := func(db execer) { wantExec(site1, t, db, 0, "DECLARE c SCROLL CURSOR FOR "+allPosts) }
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(tx *sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx := begin(t, conn, t.Context())
		declare(tx)
		wantIDs(site1, t, tx, []int64{1}, "FETCH c")
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		wantRefused(site1, t, conn, scoped.CodeStatement, "FETCH c")
	}
	for _, end := range []string{"COMMIT", "END", "ROLLBACK", "ABORT", "COMMIT AND CHAIN; COMMIT", "CLOSE ALL; COMMIT"} {
		for _, ctx := range []context.Context{site1, disabled, t.Context()} {
			wantExec(t.Context(), t, conn, 0, "BEGIN")
			declare(conn)
			wantIDs(site1, t, conn, []int64{1}, "FETCH c")
			wantExec(ctx, t, conn, 0, end)
			wantRefused(site1, t, conn, scoped.CodeStatement, "FETCH c")
		}
	}
	// Outside a transaction there is no cursor at all, but for the length of a string.
	_, err = conn.ExecContext(site1, "DECLARE c CURSOR FOR "+allPosts)
	wantSQLState(t, err, "25P01")
	wantRefused(site1, t, conn, scoped.CodeStatement, "FETCH c")
	wantExec(site1, t, conn, 1, "DECLARE c CURSOR FOR SELECT id FROM post; FETCH ALL FROM c")
	wantRefused(site1, t, conn, scoped.CodeStatement, "FETCH c")
	wantExec(t.Context(), t, conn, 0, "DISCARD ALL")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	wantRefused(site1, t, b, scoped.CodeStatement, "FETCH c")
}

// A savepoint may end a cursor, which is for PostgreSQL to say; the name then
// belongs to whoever declares it next.
func TestCursorsAndSavepoints(t *testing.T) {
	b := newBlog(t)
	site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
	tx := begin(t, b, t.Context())
	wantExec(site1, t, tx, 0, "SAVEPOINT s")
	wantExec(site1, t, tx, 0, "DECLARE c CURSOR FOR "+allPosts)
	wantExec(site1, t, tx, 0, "ROLLBACK TO s")
	_, err := ids(site1, tx, "FETCH c")
	wantSQLState(t, err, "34000")
	wantExec(site1, t, tx, 0, "ROLLBACK TO s")
	wantExec(site2, t, tx, 0, "DECLARE c CURSOR FOR "+allPosts)
	wantRefused(site1, t, tx, scoped.CodeScope, "FETCH c")
	wantIDs(site2, t, tx, []int64{2}, "FETCH c")

	// A DECLARE that fails takes no name over.
	wantExec(site2, t, tx, 0, "SAVEPOINT u")
	for _, query := range []string{
		"DECLARE c CURSOR FOR " + allPosts,
		"SAVEPOINT v; DECLARE c CURSOR FOR " + allPosts,
		"DECLARE e CURSOR FOR " + allPosts + "; DECLARE c CURSOR FOR " + allPosts,
	} {
		_, err = tx.ExecContext(site1, query)
		wantSQLState(t, err, "42P03")
		wantExec(site1, t, tx, 0, "ROLLBACK TO u")
		if _, err := ids(site1, tx, "FETCH c"); !errors.Is(err, scoped.ErrRefused) {
			t.Errorf("%s: got %v, want a refusal", query, err)
		}
		wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH e")
	}
	_, err = ids(site1, tx, "DECLARE c CURSOR FOR "+allPosts)
	wantSQLState(t, err, "42P03")
}

// A string that fails in its middle may have exchanged a cursor before.
func TestCursorsOfAStringThatFailed(t *testing.T) {
	b := newBlog(t)
	site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
	tx := begin(t, b, t.Context())
	wantExec(site1, t, tx, 0, "SAVEPOINT s; DECLARE c CURSOR FOR SELECT id FROM post")
	_, err := tx.ExecContext(site2, "ROLLBACK TO s; DECLARE c CURSOR FOR SELECT id FROM post; SAVEPOINT u; SELECT 1 / (SELECT 0)")
	wantSQLState(t, err, "22012")
	wantExec(site1, t, tx, 0, "ROLLBACK TO u")
	// Now the cursor is that of site 2.
	for _, ctx := range []context.Context{site1, site2} {
		if got, err := ids(ctx, tx, "FETCH ALL FROM c"); !errors.Is(err, scoped.ErrRefused) {
			t.Errorf("got %v, %v, want a refusal", got, err)
		}
	}
}

func TestCursorsByQuery(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
		tx := begin(t, b, t.Context())
		wantIDs(site1, t, tx, nil, "DECLARE c CURSOR FOR "+allPosts, args()...)
		wantRefused(site2, t, tx, scoped.CodeScope, "FETCH c", args()...)
		wantIDs(site1, t, tx, []int64{1}, "FETCH c", args()...)
		wantIDs(site1, t, tx, nil, "MOVE ALL IN c", args()...)
		wantIDs(site1, t, tx, nil, "CLOSE c", args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH c", args()...)
	})
	// Whether several statements succeed is known at the end of the rows only.
	b := newBlog(t)
	site1 := scoped.With(t.Context(), "site", 1)
	tx := begin(t, b, site1)
	wantIDs(site1, t, tx, nil, "DECLARE c CURSOR FOR SELECT id FROM post; FETCH c", pgx.QueryExecModeSimpleProtocol)
	wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH c")
}

func TestCursorsAndDisabledScopes(t *testing.T) {
	b := newConnectedBlog(t, discard())
	site1, disabled := scoped.With(t.Context(), "site", 1), scoped.Disable(t.Context(), "test")
	const everything = "DECLARE c CURSOR FOR SELECT id FROM post ORDER BY id"
	tx := begin(t, b, t.Context())
	wantExec(disabled, t, tx, 0, everything)
	wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH ALL FROM c")
	wantRefused(t.Context(), t, tx, scoped.CodeStatement, "FETCH ALL FROM c")
	wantIDs(disabled, t, tx, []int64{1, 2}, "FETCH ALL FROM c")
	wantExec(disabled, t, tx, 0, "CLOSE c")

	wantExec(site1, t, tx, 0, everything)
	wantIDs(disabled, t, tx, []int64{1}, "FETCH c")
	wantIDs(disabled, t, tx, nil, "SELECT id FROM post WHERE id = 0")
	wantExec(disabled, t, tx, 1, "INSERT INTO tag (id) VALUES (70)")
	wantIDs(site1, t, tx, []int64{1}, "FETCH ABSOLUTE 1 FROM c")
	// Exchanged with scopes disabled, it is not the scope's any more.
	wantExec(disabled, t, tx, 0, "CLOSE c; "+everything)
	wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH ALL FROM c")
	for _, exchange := range []string{
		"DO $$ DECLARE c refcursor := 'c'; BEGIN CLOSE c; OPEN c FOR SELECT id FROM post; END $$",
		"CLOSE c; DECLARE c /* not parsed: */ CURSOR FOR SELECT id FROM post",
	} {
		wantExec(disabled, t, tx, 0, "CLOSE c")
		wantExec(site1, t, tx, 0, everything)
		wantExec(disabled, t, tx, 0, exchange)
		wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH ALL FROM c")
		wantIDs(disabled, t, tx, []int64{1, 2}, "FETCH ALL FROM c")
	}
}

// A query rewriter may make of a text what it likes.
func TestCursorsAndRewritersWithDisabledScopes(t *testing.T) {
	b := newConnectedBlog(t, discard())
	site1, disabled := scoped.With(t.Context(), "site", 1), scoped.Disable(t.Context(), "test")
	tx := begin(t, b, site1)
	wantExec(site1, t, tx, 0, "DECLARE c CURSOR FOR SELECT id FROM post")
	wantExec(disabled, t, tx, 0, "SELECT 1", rewriter{sql: "CLOSE c; DECLARE c CURSOR FOR SELECT id FROM post"})
	wantRefused(site1, t, tx, scoped.CodeStatement, "FETCH ALL FROM c")
}

func TestPreparedCursors(t *testing.T) {
	b := newBlog(t)
	site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, ctx := range []context.Context{site1, t.Context()} {
		s, err := conn.PrepareContext(ctx, "DECLARE c CURSOR FOR SELECT id FROM post WHERE id > $1 ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		fetch, err := conn.PrepareContext(ctx, "FETCH ALL FROM c")
		if err != nil {
			t.Fatal(err)
		}
		for site, ctx := range map[int64]context.Context{1: site1, 2: site2} {
			wantExec(ctx, t, conn, 0, "BEGIN")
			if _, err := s.ExecContext(ctx, 0); err != nil {
				t.Fatal(err)
			}
			other := site2
			if site == 2 {
				other = site1
			}
			_, err := fetch.QueryContext(other)
			wantError(t, err, scoped.CodeScope)
			wantIDs(ctx, t, prepared{fetch}, []int64{site}, "prepared")
			wantExec(ctx, t, conn, 0, "ROLLBACK")
		}
	}
}

// WHERE CURRENT OF is FETCH and a write at once: it needs the scope of the DECLARE,
// and the row may not have left it since.
func TestWhereCurrentOf(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
		tx := begin(t, b, t.Context())
		wantExec(site1, t, tx, 0, "DECLARE c CURSOR FOR SELECT id FROM post WHERE id > $1 FOR UPDATE", args(0)...)
		wantExec(site1, t, tx, 0, "DECLARE d CURSOR FOR SELECT id FROM comment ORDER BY id DESC FOR UPDATE", args()...)
		wantIDs(site1, t, tx, []int64{1}, "FETCH c", args()...)
		wantIDs(site1, t, tx, []int64{1}, "FETCH d", args()...)
		for _, query := range []string{
			"UPDATE post SET title = 'x' WHERE CURRENT OF c", "DELETE FROM post WHERE CURRENT OF c",
			"WITH gone AS (DELETE FROM post WHERE CURRENT OF c RETURNING id) SELECT id FROM gone",
			"EXPLAIN ANALYZE DELETE FROM post WHERE CURRENT OF c", "DELETE FROM tag WHERE CURRENT OF c",
		} {
			wantRefused(site2, t, tx, scoped.CodeScope, query, args()...)
			wantRefused(scoped.With(t.Context(), "site", scoped.AnyOf(1, 2)), t, tx, scoped.CodeScope, query, args()...)
		}
		wantRefused(site1, t, tx, scoped.CodeStatement, "DELETE FROM post WHERE CURRENT OF nosuch", args()...)
		wantRefused(site1, t, tx, scoped.CodeConstruct, "UPDATE post SET site_id = 2 WHERE CURRENT OF c", args()...)

		wantExec(site1, t, tx, 1, "UPDATE post SET title = $1 WHERE CURRENT OF c", args("Current")...)
		wantIDs(site1, t, tx, []int64{1}, "UPDATE post SET title = title || '!' WHERE CURRENT OF C RETURNING id", args()...)
		wantIDs(site1, t, tx, []int64{1}, "SELECT id FROM post WHERE title = 'Current!'", args()...)
		wantIDs(site1, t, tx, []int64{1}, "DELETE FROM comment WHERE CURRENT OF d RETURNING id", args()...)
		wantExec(site1, t, tx, 0, "CLOSE c", args()...)
		wantRefused(site1, t, tx, scoped.CodeStatement, "DELETE FROM post WHERE CURRENT OF c", args()...)
	})
}

// The row of a cursor is looked up as it is when it is changed.
func TestWhereCurrentOfARowThatHasLeft(t *testing.T) {
	b := newBlog(t)
	site1, disabled := scoped.With(t.Context(), "site", 1), scoped.Disable(t.Context(), "test")
	for _, query := range []string{
		"UPDATE post SET title = 'mine' WHERE CURRENT OF c", "DELETE FROM post WHERE CURRENT OF c",
		"WITH gone AS (DELETE FROM post WHERE CURRENT OF c RETURNING title) SELECT 1",
	} {
		tx := begin(t, b, t.Context())
		wantExec(site1, t, tx, 0, "DECLARE c CURSOR FOR SELECT id FROM post")
		wantIDs(site1, t, tx, []int64{1}, "FETCH c")
		wantExec(disabled, t, tx, 1, "UPDATE post SET site_id = 2 WHERE id = 1")
		if _, err := tx.ExecContext(site1, query); !errors.Is(err, scoped.ErrViolation) {
			t.Errorf("%s: got %v, want ErrViolation", query, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// Over a path PostgreSQL joins, and knows the row of a cursor only if it is locked.
func TestWhereCurrentOfOverAPath(t *testing.T) {
	b := newBlog(t)
	site1 := scoped.With(t.Context(), "site", 1)
	tx := begin(t, b, site1)
	wantExec(site1, t, tx, 0, "DECLARE c CURSOR FOR SELECT id FROM comment")
	wantIDs(site1, t, tx, []int64{1}, "FETCH c")
	_, err := tx.ExecContext(site1, "DELETE FROM comment WHERE CURRENT OF c")
	wantSQLState(t, err, "24000")
}
