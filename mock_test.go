package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

var mocks atomic.Int64

// mocked returns a database whose base is a sqlmock, and the mock, which fails
// the test for every statement that it did not expect.
func mocked(t testing.TB, opts ...scoped.Option) (*sql.DB, sqlmock.Sqlmock) {
	t.Helper()
	return mockedUnder(t, parsePolicy(t), opts...)
}

func mockedUnder(t testing.TB, p *policy.Policy, opts ...scoped.Option) (*sql.DB, sqlmock.Sqlmock) {
	t.Helper()
	dsn := fmt.Sprint("mock_", mocks.Add(1))
	base, mock, err := sqlmock.NewWithDSN(dsn, sqlmock.QueryMatcherOption(sqlmock.QueryMatcherFunc(match)))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(scoped.NewConnector(dsnConnector{base.Driver(), dsn}, p, opts...))
	t.Cleanup(func() {
		if err := mock.ExpectationsWereMet(); err != nil {
			t.Error(err)
		}
		mock.ExpectClose()
		mock.ExpectClose()
		db.Close()
		base.Close()
	})
	return db, mock
}

// A dsnConnector connects with a driver that has no connector of its own.
type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// match compares statements; an empty one matches any.
func match(expected, actual string) error {
	if expected != "" && expected != actual {
		return fmt.Errorf("sent %q, want %q", actual, expected)
	}
	return nil
}

const posts = "SELECT id FROM post WHERE id > $1"

// guarded returns what is sent for a query under a scope on site.
func guarded(t *testing.T, query string, presence rewrite.Presence) string {
	t.Helper()
	p := parsePolicy(t)
	rw, err := rewrite.New(query, p, rewrite.Shape(0).With(p.Dimension("site"), presence))
	if err != nil {
		t.Fatal(err)
	}
	return rw.SQL
}

func TestScopeIsAppended(t *testing.T) {
	db, mock := mocked(t)
	site1 := scoped.With(t.Context(), "site", 1)

	mock.ExpectQuery(guarded(t, posts, rewrite.One)).WithArgs(5, 1).WillReturnRows(sqlmock.NewRows([]string{"id"}).AddRow(7))
	wantIDs(site1, t, db, []int64{7}, posts, 5)

	var args recorder
	mock.ExpectQuery(guarded(t, posts, rewrite.One)).WithArgs(&args, &args).WillReturnRows(sqlmock.NewRows([]string{"id"}))
	wantIDs(scoped.With(site1, "site", 2), t, db, nil, posts, 6)
	if args.String() != "[6 2]" {
		t.Errorf("sent %v", args)
	}
}

// A recorder is an argument of sqlmock that matches anything.
type recorder []driver.Value

func (r *recorder) Match(v driver.Value) bool { *r = append(*r, v); return true }
func (r recorder) String() string             { return fmt.Sprint([]driver.Value(r)) }

func TestNothingIsSentOnRefusal(t *testing.T) {
	db, _ := mocked(t)
	site1 := scoped.With(t.Context(), "site", 1)
	for _, c := range []struct {
		ctx   context.Context
		query string
		args  []any
		code  scoped.Code
	}{
		{t.Context(), posts, []any{1}, scoped.CodeScopeRequired},
		{site1, "SELECT * FROM secret", nil, scoped.CodeTable},
		{site1, "SELECT * FROM unlisted", nil, scoped.CodeTable},
		{site1, "DROP TABLE post", nil, scoped.CodeStatement},
		{site1, "SELECT pg_read_file('x')", nil, scoped.CodeFunction},
		{site1, "SELECT 'x", nil, scoped.CodeSyntax},
		{site1, "SELECT 1\x00", nil, scoped.CodeSyntax},
		{site1, "SELECT '\xff' FROM post", nil, scoped.CodeSyntax},
		{site1, "SET search_path = x", nil, scoped.CodeStatement},
		{site1, posts, nil, scoped.CodeArguments},
		{site1, posts, []any{1, 2}, scoped.CodeArguments},
		{site1, "SELECT 1", []any{2}, scoped.CodeArguments},
		{site1, posts, []any{pgx.QueryExecModeExec}, scoped.CodeArguments},
		{site1, posts, []any{pgx.NamedArgs{}}, scoped.CodeArguments},
		{scoped.With(site1, "site", scoped.AnyOf(1, 2)), "INSERT INTO post (title) VALUES ('x')", nil, scoped.CodeFill},
		{scoped.With(site1, "nosuch", 1), "SELECT 1", nil, scoped.CodeScope},
	} {
		for range 2 { // the second refusal comes from the cache
			_, queryErr := db.QueryContext(c.ctx, c.query, c.args...)
			_, execErr := db.ExecContext(c.ctx, c.query, c.args...)
			for _, err := range []error{queryErr, execErr} {
				e := wantError(t, err, c.code)
				if want := c.code != scoped.CodeScopeRequired; errors.Is(e, scoped.ErrRefused) != want {
					t.Errorf("%q: errors.Is(%v, ErrRefused) is not %v", c.query, err, want)
				}
				// The next caller must not get what this one made of it.
				e.Message = "overwritten"
			}
		}
		if _, err := db.ExecContext(c.ctx, c.query, c.args...); strings.Contains(err.Error(), "overwritten") {
			t.Errorf("%q: the refusal is shared between callers", c.query)
		}
	}
}

func TestDisabledSendsTheTextAsItIs(t *testing.T) {
	db, mock := mocked(t, discard())
	disabled := scoped.Disable(scoped.With(t.Context(), "site", 1), "test")
	mock.ExpectExec("NOT even SQL").WithArgs(1, "x").WillReturnResult(sqlmock.NewResult(0, 3))
	wantExec(disabled, t, db, 3, "NOT even SQL", 1, "x")
	mock.ExpectPrepare("STILL not SQL").ExpectQuery().WillReturnRows(sqlmock.NewRows([]string{"id"}).AddRow(1))
	wantIDs(disabled, t, prepared{prepare(disabled, t, db, "STILL not SQL")}, []int64{1}, "prepared")
}

// pgx gives no name to a prepared text that is empty.
func TestEmptyTextIsPreparedWithAName(t *testing.T) {
	db, mock := mocked(t)
	mock.ExpectPrepare(";").ExpectExec().WillReturnResult(sqlmock.NewResult(0, 0))
	wantExec(t.Context(), t, prepared{prepare(t.Context(), t, db, "")}, 0, "prepared")
}

// A base that takes no slices gets the text of an array.
func TestSeveralValuesForAnotherBase(t *testing.T) {
	db, mock := mocked(t)
	var args recorder
	mock.ExpectQuery(guarded(t, posts, rewrite.Many)).WithArgs(&args, &args).WillReturnRows(sqlmock.NewRows([]string{"id"}))
	wantIDs(scoped.With(t.Context(), "site", scoped.AnyOf(3, -4)), t, db, nil, posts, 0)
	if args.String() != "[0 {3,-4}]" {
		t.Errorf("sent %v", args)
	}
}

// Named arguments need no connection of pgx, and arrive as the base wants them.
func TestNamedArgumentsOnAnotherBase(t *testing.T) {
	db, mock := mocked(t)
	site1 := scoped.With(t.Context(), "site", uint16(1))
	mock.ExpectQuery(guarded(t, posts, rewrite.One)).WithArgs(int64(5), int64(1)).WillReturnRows(sqlmock.NewRows([]string{"id"}).AddRow(7))
	wantIDs(site1, t, db, []int64{7}, "SELECT id FROM post WHERE id > @id", pgx.NamedArgs{"id": int16(5)})
}

func TestCheckColumnIsRemoved(t *testing.T) {
	db, mock := mocked(t)
	site1 := scoped.With(t.Context(), "site", 1)
	anything := func() *sqlmock.ExpectedQuery { return mock.ExpectQuery("") }
	three := func() *sqlmock.Rows { return sqlmock.NewRows([]string{"id", "title", "?column?"}) }

	anything().WillReturnRows(three().AddRow(1, "a", nil).AddRow(2, "b", nil))
	rows, err := db.QueryContext(site1, "INSERT INTO post (site_id) VALUES (1) RETURNING id, title")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	types, err := rows.ColumnTypes()
	if fmt.Sprint(columns) != "[id title]" || len(types) != 2 || err != nil {
		t.Errorf("got columns %q, %d types, %v", columns, len(types), err)
	}
	var got []string
	for rows.Next() {
		var id, title string
		if err := rows.Scan(&id, &title); err != nil {
			t.Fatal(err)
		}
		got = append(got, id+title)
	}
	if fmt.Sprint(got) != "[1a 2b]" || rows.Err() != nil {
		t.Errorf("got rows %q, %v", got, rows.Err())
	}

	// Where the user returns nothing, neither does the check.
	anything().WillReturnRows(sqlmock.NewRows([]string{"?column?"}).AddRow(nil).AddRow(nil)).RowsWillBeClosed()
	rows, err = db.QueryContext(site1, "INSERT INTO post (site_id) VALUES (1), (1)")
	if err != nil {
		t.Fatal(err)
	}
	columns, _ = rows.Columns()
	if len(columns) != 0 || rows.Next() || rows.Err() != nil {
		t.Errorf("got columns %q or rows, %v", columns, rows.Err())
	}
}

func TestTransactionOnAnotherBase(t *testing.T) {
	db, mock := mocked(t)
	mock.ExpectBegin()
	mock.ExpectQuery(guarded(t, posts, rewrite.One)).WithArgs(1, 9).WillReturnRows(sqlmock.NewRows([]string{"id"}))
	mock.ExpectCommit()
	tx, err := db.BeginTx(scoped.With(t.Context(), "site", 9), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t.Context(), t, tx, nil, posts, 1)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	// A fault is told at once, and not even BEGIN is sent.
	_, err = db.BeginTx(scoped.With(t.Context(), "site", nil), nil)
	wantError(t, err, scoped.CodeScope)
}

// database/sql ends every transaction before it resets the session, but the
// connection does not rely on it.
func TestResetSessionEndsTheScope(t *testing.T) {
	db, mock := mocked(t)
	mock.ExpectBegin()
	mock.ExpectQuery("").WillReturnRows(sqlmock.NewRows([]string{"id"}))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		_, err := raw.(driver.ConnBeginTx).BeginTx(scoped.With(t.Context(), "site", 1), driver.TxOptions{})
		if err != nil {
			return err
		}
		query := func() error {
			_, err := raw.(driver.QueryerContext).QueryContext(t.Context(), allPosts, nil)
			return err
		}
		if err := query(); err != nil {
			return err
		}
		if err := raw.(driver.SessionResetter).ResetSession(t.Context()); err != nil {
			return err
		}
		wantError(t, query(), scoped.CodeScopeRequired)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
