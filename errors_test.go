package scoped_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A violation and a place are found wherever the error comes from.
func TestErrorsAreMapped(t *testing.T) {
	db, mock := mocked(t)
	site1 := scoped.With(t.Context(), "site", 1)
	violation := &pgconn.PgError{
		Code:    "22P02",
		Message: `ungültige Eingabesyntax für Typ integer: »scoped-pgx:public.post:(0,1)«`,
	}
	const insert = "INSERT INTO post (site_id) VALUES (1)"
	rows := func(columns ...string) *sqlmock.Rows {
		r := sqlmock.NewRows(columns)
		for range 2 {
			r.AddRow(make([]driver.Value, len(columns))...)
		}
		return r.RowError(1, violation)
	}
	check := func(err error) {
		t.Helper()
		e := wantError(t, err, scoped.CodeViolation)
		var pgErr *pgconn.PgError
		if !errors.Is(err, scoped.ErrViolation) || e.Table != "public.post" || !errors.As(err, &pgErr) || pgErr.Code != "22P02" {
			t.Errorf("got %#v", e)
		}
		if e.Message != "a row of public.post would leave the scope, or lies outside it" {
			t.Errorf("the message is %q", e.Message)
		}
	}
	mock.ExpectExec("").WillReturnError(fmt.Errorf("wrapped: %w", violation))
	_, err := db.ExecContext(site1, insert)
	check(err)
	mock.ExpectQuery("").WillReturnError(violation)
	_, err = ids(site1, db, insert+" RETURNING id")
	check(err)
	mock.ExpectQuery("").WillReturnRows(rows("?column?"))
	_, err = ids(site1, db, insert)
	check(err)
	mock.ExpectQuery("").WillReturnRows(rows("id", "?column?"))
	result, err := db.QueryContext(site1, insert+" RETURNING id")
	if err != nil {
		t.Fatal(err)
	}
	for result.Next() {
	}
	check(result.Err())
	mock.ExpectQuery("").WillReturnRows(sqlmock.NewRows([]string{"id", "?column?"}).AddRow(1, nil).CloseError(violation))
	result, err = db.QueryContext(site1, insert+" RETURNING id")
	if err != nil {
		t.Fatal(err)
	}
	check(result.Close())
	mock.ExpectPrepare("").ExpectExec().WillReturnError(violation)
	_, err = prepare(site1, t, db, insert).ExecContext(site1)
	check(err)

	// The same text from a statement that has no check is not a violation, nor is
	// that of a table which the statement does not name.
	mock.ExpectQuery("").WillReturnError(violation)
	if _, err := ids(site1, db, allPosts); err == nil || errors.Is(err, scoped.ErrViolation) {
		t.Errorf("got %v, want the server's own error", err)
	}
	mock.ExpectExec("").WillReturnError(violation)
	_, err = db.ExecContext(site1, "UPDATE tag SET name = 'scoped-pgx:'")
	if err == nil || errors.Is(err, scoped.ErrViolation) {
		t.Errorf("got %v, want the server's own error", err)
	}
}

func TestPositionIsMapped(t *testing.T) {
	db, mock := mocked(t)
	const query = "SELECT id, 'é' FROM post WHERE nosuch"
	place := func(text string) int32 {
		before, _, _ := strings.Cut(text, "nosuch")
		return int32(utf8.RuneCountInString(before) + 1)
	}
	there := place(guarded(t, query, rewrite.One))
	original := &pgconn.PgError{Code: "42703", Message: `column "nosuch" does not exist`, Position: there}
	wrapped := fmt.Errorf("wrapped: %w", original)
	for _, base := range []error{original, wrapped} {
		mock.ExpectQuery("").WillReturnError(base)
		_, err := ids(scoped.With(t.Context(), "site", 1), db, query)
		var mapped *pgconn.PgError
		if !errors.As(err, &mapped) || mapped.Position != place(query) || mapped.Message != original.Message {
			t.Errorf("got %#v, want position %d", mapped, place(query))
		}
		if err.Error() != base.Error() {
			t.Errorf("got %q, want %q", err, base)
		}
	}
	if original.Position != there {
		t.Error("the server's error was written to")
	}
}

func TestBaseErrorsPassThrough(t *testing.T) {
	db, mock := mocked(t)
	want := errors.New("broken")
	mock.ExpectExec("").WillReturnError(want)
	if _, err := db.ExecContext(scoped.With(t.Context(), "site", 1), "DELETE FROM post"); err != want {
		t.Errorf("got %v, want the very error of the base", err)
	}
}

// What does not parse is refused with the error that the server would have sent.
func TestSyntaxErrorsArePostgreSQLs(t *testing.T) {
	b := newBlog(t)
	for _, query := range []string{
		"SELEC 1", "select 'foo", "SELECT FROM WHERE", "SELECT id FROM post WHERE", "SELECT 'é' FROM FROM post",
		"SELECT 1 \"", "/* SELECT 1", "SELECT $$ FROM post", "INSERT INTO post (id", "SELECT 1;\nSELECT\n\t,",
	} {
		var ours, theirs *pgconn.PgError
		_, err := ids(scoped.With(t.Context(), "site", 1), b, query)
		wantError(t, err, scoped.CodeSyntax)
		if _, plain := ids(t.Context(), b.plain, query); !errors.As(plain, &theirs) {
			t.Fatal(plain)
		}
		if !errors.As(err, &ours) || ours.Code != theirs.Code || ours.Message != theirs.Message || ours.Position != theirs.Position {
			t.Errorf("%q: got %+v, the server says %+v", query, ours, theirs)
		}
	}
}
