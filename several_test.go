package scoped_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped"
)

// Several statements in one string, which pgx sends by the simple protocol where
// there are no arguments.

func TestScenario49SeveralStatements(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1 := scoped.With(t.Context(), "site", 1)
		b.unchanged("comment", "site")
		wantExec(site1, t, b, 1, "INSERT INTO post (id, title) VALUES (10, 'a'); UPDATE post SET title = 'b' WHERE id IN (2, 10);", args()...)
		b.truth([]int64{10}, "SELECT id FROM post WHERE title = 'b' AND site_id = 1")
		wantExec(site1, t, b, 0, "DELETE FROM post WHERE id = 10; DELETE FROM post WHERE id = 2", args()...)
		b.truth([]int64{1, 2}, allPosts)
		wantExec(scoped.With(t.Context(), "site", scoped.AnyOf(2, 1)), t, b, 2, "SELECT 1; UPDATE post SET title = title", args()...)
		wantExec(scoped.With(t.Context(), "site", scoped.All), t, b, 2, "SELECT 1; UPDATE post SET title = title", args()...)

		b.unchanged("post")
		// One that is refused refuses all.
		for query, code := range map[string]scoped.Code{
			"DELETE FROM post; DROP TABLE tag":                    scoped.CodeStatement,
			"DELETE FROM post; SELECT * FROM secret":              scoped.CodeTable,
			"DELETE FROM post; DELETE FROM bookmark":              scoped.CodeScopeRequired,
			"DELETE FROM post; SELECT pg_read_file('x')":          scoped.CodeFunction,
			"DELETE FROM post; SET search_path = x":               scoped.CodeStatement,
			"DELETE FROM post; SET standard_conforming_strings=0": scoped.CodeStatement,
			"DELETE FROM post; DELETE":                            scoped.CodeSyntax,
		} {
			_, err := b.ExecContext(site1, query, args()...)
			if e := wantError(t, err, code); e.Position.Char <= len("DELETE FROM post;") {
				t.Errorf("%s: position %+v", query, e.Position)
			}
		}
		// With arguments there are parameters, and no protocol for them.
		_, err := b.ExecContext(site1, "DELETE FROM post WHERE id = $1; SELECT 1", args(1)...)
		wantError(t, err, scoped.CodeStatement)
		_, err = b.ExecContext(site1, "DELETE FROM post; SELECT 1", args(1)...)
		wantError(t, err, scoped.CodeArguments)
		_, err = b.ExecContext(site1, "DELETE FROM post WHERE id = @id; SELECT 1", args(pgx.NamedArgs{"id": 1})...)
		wantError(t, err, scoped.CodeStatement)
		// A row that leaves the scope fails all of them.
		_, err = b.ExecContext(site1, "UPDATE post SET title = 'x'; INSERT INTO comment (post_id) VALUES (2)", args()...)
		if e := wantError(t, err, scoped.CodeViolation); e.Table != "public.comment" {
			t.Errorf("the error names %q", e.Table)
		}
	})
}

// Rows are those of the first statement, and only in the simple protocol; pgx
// has the server refuse the others.
func TestScenario49RowsOfSeveralStatements(t *testing.T) {
	const query = "SELECT id FROM post ORDER BY id; DELETE FROM comment"
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1 := scoped.With(t.Context(), "site", 1)
		if !strings.Contains(t.Name(), "simple_protocol") {
			b.unchanged("comment")
			_, err := ids(site1, b, query, args()...)
			wantError(t, err, scoped.CodeStatement)
			return
		}
		wantIDs(site1, t, b, []int64{1}, query, args()...)
		b.truth([]int64{2}, "SELECT id FROM comment")
		// The check of the first is removed; the rows of the others are not seen.
		wantIDs(site1, t, b, []int64{20, 21}, "INSERT INTO post (id, site_id) VALUES (20, 1), (21, 1) RETURNING id; TABLE tag", args()...)
		wantIDs(site1, t, b, nil, "UPDATE post SET site_id = 1 WHERE id = 20; SELECT id FROM post", args()...)
		b.unchanged("post")
		// What fails behind the rows is told with their end.
		_, err := ids(site1, b, "SELECT id FROM post; UPDATE post SET site_id = 2", args()...)
		wantError(t, err, scoped.CodeViolation)
		const failing = "SELECT id FROM post WHERE title = 'ä'; SELECT nosuch FROM post"
		_, err = ids(site1, b, failing, args()...)
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || int(pgErr.Position) != charOf(failing, "nosuch") {
			t.Errorf("got %v, want a place at %d", err, charOf(failing, "nosuch"))
		}
	})
}

// TestSeveralStatementsOfPgx shows what the driver has to be like.
func TestSeveralStatementsOfPgx(t *testing.T) {
	plain := newBlog(t).plain
	for _, mode := range execModes {
		wantExec(t.Context(), t, plain, 2, "SELECT 1; DELETE FROM comment; UPDATE post SET title = 'x'", mode)
		got, err := ids(t.Context(), plain, "SELECT 7; SELECT 8", mode)
		if mode == pgx.QueryExecModeSimpleProtocol {
			if len(got) != 1 || got[0] != 7 || err != nil {
				t.Errorf("%v: got %v, %v", mode, got, err)
			}
			continue
		}
		wantSQLState(t, err, "42601")
	}
}

func charOf(text, word string) int { return len([]rune(text[:strings.Index(text, word)])) + 1 }

// A place in the text that was sent, with its literals, is one in the user's.
func TestPositionInSeveralStatements(t *testing.T) {
	b := newBlog(t)
	b.unchanged("page", "post")
	for _, realm := range []any{"x", `o'hara \ ä🙂 "&"`, scoped.AnyOf("ä", `\'`, strings.Repeat("x", 500))} {
		ctx := scoped.With(scoped.With(t.Context(), "realm", realm), "site", 1)
		for _, text := range []string{
			"DELETE FROM page WHERE path = 'ä'; SELECT nosuch FROM page; TABLE page",
			"DELETE FROM page; SELECT 1 FROM page, post p WHERE p.id = 1 AND\n nosuch = 'ä'",
			"TABLE page; DELETE FROM page WHERE nosuch",
		} {
			_, err := b.ExecContext(ctx, text)
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) || int(pgErr.Position) != charOf(text, "nosuch") {
				t.Errorf("%s: got %v, want a place at %d", text, err, charOf(text, "nosuch"))
			}
		}
	}
}

// No value is ever read as SQL.
func TestHostileValuesInSeveralStatements(t *testing.T) {
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		b := newBlog(t, "default_query_exec_mode="+mode)
		b.unchanged("post", "site", "tag")
		for _, realm := range []string{
			"", "'", `\`, `\'`, `'; DROP TABLE page; --`, `\'; DROP TABLE page; --`, `\\'; DROP TABLE page; --`,
			"$1", "$$; DROP TABLE page; $$", "'::text OR true; --", "{a,b}", "NULL", "E'x'", "/*", "--", "\n", "ä＇ʼ\u2028🙂", `"`, `","`, "a\u0301'\\",
		} {
			ctx := scoped.With(t.Context(), "realm", realm)
			wantExec(ctx, t, b, 1, "INSERT INTO page (path) VALUES ('/x'); UPDATE page SET rank = 7")
			b.truth([]int64{1}, "SELECT count(*) FROM page WHERE realm = $1 AND path = '/x' AND rank = 7", realm)
			b.truth([]int64{1}, "SELECT count(*) FROM page WHERE rank = 7")
			several := scoped.With(t.Context(), "realm", scoped.AnyOf(realm, "nobody's"))
			wantExec(several, t, b, 1, "SELECT 1; DELETE FROM page")
			b.truth([]int64{3}, "SELECT count(*) FROM page")
		}
	}
}

func TestSeveralStatementsOfEveryType(t *testing.T) {
	b := newBlog(t)
	const first, second = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000B"
	wantExec(scoped.With(t.Context(), "owner", first), t, b, 1, "SELECT 1; UPDATE device SET label = 'x'")
	wantExec(scoped.With(t.Context(), "owner", scoped.AnyOf(first, second)), t, b, 2, "SELECT 1; UPDATE device SET label = 'x'")
	wantExec(scoped.With(t.Context(), "site", -1), t, b, 0, "SELECT 1; UPDATE post SET title = 'x'")
	wantExec(scoped.With(t.Context(), "site", scoped.AnyOf(-1, 1)), t, b, 1, "SELECT 1; UPDATE post SET title = 'x'")
}

func TestSeveralStatementsAreNotPrepared(t *testing.T) {
	b := newBlog(t)
	site1 := scoped.With(t.Context(), "site", 1)
	for _, ctx := range []context.Context{site1, t.Context()} {
		for _, query := range []string{"SELECT 1; SELECT 2", "TABLE post; TABLE post", "SELECT $1; SELECT 2"} {
			_, err := b.PrepareContext(ctx, query)
			wantError(t, err, scoped.CodeStatement)
		}
	}
}

// Transaction control inside the string is passed, and so is the scope of the
// transaction around it.
func TestSeveralStatementsAndTransactions(t *testing.T) {
	b := newBlog(t)
	b.SetMaxOpenConns(1)
	site1 := scoped.With(t.Context(), "site", 1)
	wantExec(site1, t, b, 0, "BEGIN; INSERT INTO post (id) VALUES (30); SAVEPOINT s; DELETE FROM post; ROLLBACK TO s; COMMIT")
	b.truth([]int64{1, 2, 30}, allPosts)
	tx, err := b.BeginTx(site1, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantExec(t.Context(), t, tx, 2, "DELETE FROM post WHERE id = 30; INSERT INTO post (id) VALUES (31), (32)")
	wantExec(scoped.With(t.Context(), "site", 2), t, tx, 1, "SELECT 1; DELETE FROM post")
	b.truth([]int64{1, 2, 30}, allPosts)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// Of another base it is not known which rows it returns.
func TestSeveralStatementsOnAnotherBase(t *testing.T) {
	db, mock := mocked(t)
	ctx := scoped.With(t.Context(), "realm", `o'hara \`)
	mock.ExpectExec(`DELETE FROM public.page WHERE page.realm = E'o''hara \\'::text; SELECT 1`).
		WithoutArgs().WillReturnResult(sqlmock.NewResult(0, 1))
	wantExec(ctx, t, db, 1, "DELETE FROM page; SELECT 1")
	_, err := ids(ctx, db, "TABLE page; SELECT 1")
	wantError(t, err, scoped.CodeStatement)
	_, err = ids(ctx, db, "TABLE page; SELECT 1", pgx.QueryExecModeSimpleProtocol)
	wantError(t, err, scoped.CodeStatement)
}
