package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// What a program may expect of a driver over pgx, in every exec mode, with
// arguments and without.

// Two queries for the post of each site, without and with an argument.
const (
	plainQuery = "SELECT id FROM post WHERE id < 10"
	boundQuery = "SELECT id FROM post WHERE id < $1"
)

func TestEachModePrepares(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		if len(args()) > 0 {
			t.Skip("a prepared statement takes no modes")
		}
		none := t.Context()
		conn := connOf(t, b.DB)
		for query, args := range map[string][]any{plainQuery: nil, boundQuery: {10}} {
			for _, preparing := range []context.Context{none, scoped.With(none, "site", 2)} {
				s := prepared{prepare(preparing, t, conn, query)}
				for range 2 {
					for site := int64(1); site <= 2; site++ {
						wantIDs(scoped.With(none, "site", site), t, s, []int64{site}, "", args...)
					}
					wantScopeRequired(none, t, s, "site", "public.post", "", args...)
				}
				if _, err := s.QueryContext(scoped.With(none, "site", 1), "", append(args, 1)...); err == nil {
					t.Error("an argument too many was accepted")
				}
			}
			err := conn.Raw(func(raw any) error {
				s, err := raw.(driver.Conn).Prepare(query)
				if err != nil {
					return err
				}
				if n := s.NumInput(); n != len(args) {
					t.Errorf("%s: %d parameters", query, n)
				}
				return s.Close()
			})
			if err != nil {
				t.Error(err)
			}
		}
		insert := prepared{prepare(none, t, conn, "INSERT INTO post (title, site_id) VALUES ($1, $2)")}
		wantExec(scoped.With(none, "site", 1), t, insert, 1, "", "x", 1)
		wantViolation(scoped.With(none, "site", 1), t, insert, "public.post", "", "x", 2)
	})
}

func TestEachModeHandsDownTheScope(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		none := t.Context()
		tx, err := b.BeginTx(scoped.With(none, "site", 2), nil)
		if err != nil {
			t.Fatal(err)
		}
		wantIDs(none, t, tx, []int64{2}, plainQuery, args()...)
		wantIDs(none, t, tx, []int64{2}, boundQuery, args(10)...)
		wantIDs(scoped.With(none, "site", 1), t, tx, []int64{1}, boundQuery, args(10)...)
		wantExec(none, t, tx, 1, "UPDATE post SET title = 'x'", args()...)
		wantExec(none, t, tx, 1, "UPDATE post SET title = $1", args("y")...)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		wantScopeRequired(none, t, b, "site", "public.post", plainQuery, args()...)
		b.truth([]int64{2}, "SELECT id FROM post WHERE title = 'y'")
	})
}

func TestEachModeMapsPositions(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		simple := strings.Contains(t.Name(), "simple_protocol")
		site1 := scoped.With(t.Context(), "site", 1)
		for _, c := range []struct {
			text string
			args []any
		}{
			{"UPDATE post SET title = 'ä' WHERE nosuch", nil},
			{"UPDATE post SET title = $1 WHERE title = 'ä' AND nosuch", []any{"x"}},
			{"SELECT nosuch FROM tag", nil}, // nothing is added
		} {
			want := charOf(c.text, "nosuch")
			_, execErr := b.ExecContext(site1, c.text, args(c.args...)...)
			_, queryErr := b.QueryContext(site1, c.text, args(c.args...)...)
			_, prepareErr := b.PrepareContext(site1, c.text)
			wantPosition(t, prepareErr, want)
			if simple && !strings.Contains(c.text, "tag") {
				want = 0 // the server counts in the text that pgx has written
			}
			wantPosition(t, execErr, want)
			wantPosition(t, queryErr, want)
		}
	})
}

func TestEachModeTakesFormats(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		site1 := scoped.With(t.Context(), "site", 1)
		for _, formats := range []any{pgx.QueryResultFormats{1}, pgx.QueryResultFormats{0}, pgx.QueryResultFormatsByOID{20: 0}} {
			wantIDs(site1, t, b, []int64{1}, plainQuery, args(formats)...)
			wantIDs(site1, t, b, []int64{1}, boundQuery, args(formats, 10)...)
			wantIDs(site1, t, b, []int64{1}, "SELECT id FROM post WHERE id < @id", args(formats, pgx.NamedArgs{"id": 10})...)
			wantIDs(site1, t, b, []int64{1}, "UPDATE post SET site_id = $1 RETURNING id", args(formats, 1)...)
		}
	})
}

// Comments stay where they are: sqlcommenter's, and the hints of pg_hint_plan,
// which it reads at the head of the text.
func TestEachModeKeepsComments(t *testing.T) {
	const (
		head = "/*+ SeqScan(post) Leading((p c)) */ "
		tail = " /*route='%2Fposts',traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/"
	)
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		traced := new(tracer)
		config := connConfig(t, b.dsn)
		config.Tracer = traced
		db := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(config), parsePolicy(t)))
		t.Cleanup(func() { db.Close() })
		site1 := scoped.With(t.Context(), "site", 1)
		for range 2 { // the second comes from the cache
			for _, query := range []string{plainQuery, "SELECT /*+ inside */ id FROM post -- a line\nWHERE id < 10"} {
				wantIDs(site1, t, db, []int64{1}, head+query+tail, args()...)
			}
			wantIDs(site1, t, db, []int64{1}, head+boundQuery+tail, args(10)...)
			wantExec(site1, t, db, 1, head+"UPDATE post SET title = $1"+tail, args("x")...)
		}
		for _, text := range traced.texts {
			if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) || strings.Contains(text, "inside") != strings.Contains(text, "-- a line\n") {
				t.Errorf("sent %q", text)
			}
		}
		if len(traced.texts) != 8 {
			t.Errorf("%d texts", len(traced.texts))
		}
	})
}

// A name of stdlib.RegisterConnConfig stands for its configuration, the exec mode
// and what the program has put into it.
func TestRegisteredConfig(t *testing.T) {
	dsn, file := pgtest.DSN(t, blogSchema), policyFile(t, blogPolicy)
	for _, mode := range execModes {
		traced := new(tracer)
		config := connConfig(t, dsn)
		config.DefaultQueryExecMode, config.Tracer = mode, traced
		name := stdlib.RegisterConnConfig(&config)
		defer stdlib.UnregisterConnConfig(name)
		db := openDB(t, scoped.DriverName, name+"?scope_policy="+file)
		site1 := scoped.With(t.Context(), "site", 1)
		wantIDs(site1, t, db, []int64{1}, plainQuery)
		wantIDs(site1, t, db, []int64{1}, boundQuery, 10)
		wantScopeRequired(t.Context(), t, db, "site", "public.post", plainQuery)
		_, err := ids(site1, db, "SELECT id AS a$1 FROM post WHERE id < $1", 10)
		if simple := mode == pgx.QueryExecModeSimpleProtocol; simple != errors.Is(err, scoped.ErrRefused) {
			t.Errorf("%v: got %v", mode, err)
		}
		if len(traced.texts) < 2 {
			t.Errorf("%v: the tracer saw %q", mode, traced.texts)
		}
	}
}

// The connector of stdlib.OpenDBFromPool, whose connections are those of a pool.
func TestPoolAsBase(t *testing.T) {
	for _, mode := range execModes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			p := newPool(t, withMode(mode))
			db := sql.OpenDB(scoped.NewConnector(stdlib.GetPoolConnector(p.base), parsePolicy(t), discard()))
			db.SetMaxIdleConns(0)
			t.Cleanup(func() { db.Close() })
			none, site1 := t.Context(), scoped.With(t.Context(), "site", 1)
			for range 3 { // the pool has one connection
				wantIDs(site1, t, db, []int64{1}, plainQuery)
				wantIDs(site1, t, db, []int64{1}, boundQuery, 10)
				wantScopeRequired(none, t, db, "site", "public.post", plainQuery)
			}
			tx, err := db.BeginTx(site1, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantIDs(none, t, tx, []int64{1}, boundQuery, 10)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			// A connection that cannot be trusted any more does not stay in the pool.
			wantExec(scoped.Disable(none, "test"), t, db, 0, "SET standard_conforming_strings = off")
			wantIDs(site1, t, db, []int64{1}, plainQuery)
		})
	}
}

// The driver of a connector is the one that is registered, and guards what it opens.
func TestOpenOfTheDriver(t *testing.T) {
	b := newBlog(t)
	connector := scoped.NewConnector(stdlib.GetConnector(pgx.ConnConfig{}), parsePolicy(t))
	for _, d := range []driver.Driver{connector.Driver(), b.Driver()} {
		conn, err := d.Open(withParameters(t, b.dsn, "scope_policy="+policyFile(t, blogPolicy)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.(driver.QueryerContext).QueryContext(t.Context(), plainQuery, nil)
		wantError(t, err, scoped.CodeScopeRequired)
		rows, err := conn.(driver.QueryerContext).QueryContext(scoped.With(t.Context(), "site", 1), plainQuery, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(rows.Close(), conn.Close()); err != nil {
			t.Error(err)
		}
		_, err = d.Open(b.dsn)
		wantError(t, err, scoped.CodeConfig)
	}
}

// driver.ErrBadConn reaches database/sql as it is, which then takes another
// connection where nothing was sent.
func TestErrBadConnPassesThrough(t *testing.T) {
	db, mock := mocked(t)
	db.SetMaxIdleConns(0) // every connection is a new one
	site1 := scoped.With(t.Context(), "site", 1)
	rows := func() *sqlmock.Rows { return sqlmock.NewRows([]string{"id"}).AddRow(1) }

	mock.ExpectQuery("").WillReturnError(driver.ErrBadConn)
	mock.ExpectQuery("").WillReturnRows(rows())
	wantIDs(site1, t, db, []int64{1}, plainQuery)
	mock.ExpectExec("").WillReturnError(driver.ErrBadConn)
	mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 2))
	wantExec(site1, t, db, 2, "DELETE FROM post")
	mock.ExpectBegin().WillReturnError(driver.ErrBadConn)
	mock.ExpectBegin()
	mock.ExpectRollback()
	tx, err := db.BeginTx(site1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	mock.ExpectPrepare("").WillReturnError(driver.ErrBadConn)
	mock.ExpectPrepare("")
	if s, err := db.PrepareContext(site1, plainQuery); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
}

// A connection that was closed under the program is bad in every call, and the
// next one is not.
func TestEachModeReplacesBadConnections(t *testing.T) {
	eachMode(t, func(t *testing.T, b *blog, args func(...any) []any) {
		none, site1 := t.Context(), scoped.With(t.Context(), "site", 1)
		s := prepare(none, t, b, boundQuery)
		for name, use := range map[string]func(*sql.Conn) error{
			"query":   func(c *sql.Conn) error { _, err := ids(site1, c, plainQuery, args()...); return err },
			"exec":    func(c *sql.Conn) error { _, err := c.ExecContext(site1, "DELETE FROM tag", args()...); return err },
			"prepare": func(c *sql.Conn) error { _, err := c.PrepareContext(site1, plainQuery); return err },
			"begin":   func(c *sql.Conn) error { _, err := c.BeginTx(site1, nil); return err },
			"ping":    func(c *sql.Conn) error { return c.PingContext(none) },
			"copy": func(c *sql.Conn) error {
				_, err := scoped.CopyFrom(site1, c, pgx.Identifier{"tag"}, []string{"id"}, pgx.CopyFromRows(nil))
				return err
			},
		} {
			conn, err := b.Conn(none)
			if err != nil {
				t.Fatal(err)
			}
			err = scoped.RawConn(scoped.Disable(none, "test"), conn, func(raw *pgx.Conn) error { return raw.Close(none) })
			if err != nil {
				t.Fatal(err)
			}
			if err := use(conn); !errors.Is(err, driver.ErrBadConn) {
				t.Errorf("%s: got %v", name, err)
			}
			conn.Close()
			wantIDs(site1, t, b, []int64{1}, boundQuery, args(10)...)
			wantIDs(site1, t, prepared{s}, []int64{1}, "", 10)
		}
	})
}
