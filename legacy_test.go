package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A legacy is a connection that knows nothing of contexts and has no optional
// interface at all, and its connector, statement, transaction and rows. It
// writes down what it is asked.
type legacy struct {
	asked   *[]string
	query   string
	invalid *bool
}

func (l legacy) ask(format string, args ...any) {
	*l.asked = append(*l.asked, fmt.Sprintf(format, args...))
}

func (l legacy) Connect(context.Context) (driver.Conn, error) { return l, nil }
func (l legacy) Driver() driver.Driver                        { return nil }
func (l legacy) Begin() (driver.Tx, error)                    { l.ask("begin"); return l, nil }
func (l legacy) Commit() error                                { l.ask("commit"); return nil }
func (l legacy) Rollback() error                              { l.ask("rollback"); return nil }
func (l legacy) Close() error                                 { return nil }
func (l legacy) IsValid() bool                                { return !*l.invalid }

func (l legacy) Prepare(query string) (driver.Stmt, error) {
	l.ask("prepare %s", query)
	l.query = query
	return legacyStmt{l}, nil
}

type legacyStmt struct{ legacy }

func (s legacyStmt) NumInput() int { return -1 }

func (s legacyStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.ask("exec %v", args)
	return driver.RowsAffected(1), nil
}

func (s legacyStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.ask("query %v", args)
	return legacyRows{}, nil
}

type legacyRows struct{}

func (legacyRows) Columns() []string         { return []string{"id"} }
func (legacyRows) Close() error              { return nil }
func (legacyRows) Next([]driver.Value) error { return io.EOF }

func TestBaseWithoutContexts(t *testing.T) {
	l := legacy{asked: new([]string), invalid: new(bool)}
	db := sql.OpenDB(scoped.NewConnector(l, parsePolicy(t)))
	defer db.Close()
	db.SetMaxOpenConns(1)
	wantAsked := func(want ...string) {
		t.Helper()
		if !slices.Equal(*l.asked, want) {
			t.Errorf("asked %q, want %q", *l.asked, want)
		}
		*l.asked = nil
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Error(err)
	}

	site1 := scoped.With(t.Context(), "site", 1)
	wantIDs(site1, t, db, nil, posts, 5)
	wantAsked("prepare "+guarded(t, posts, rewrite.One), "query [5 1]")
	const remove = "DELETE FROM post WHERE id = $1"
	wantExec(scoped.With(site1, "site", scoped.AnyOf(1, 2)), t, db, 1, remove, 5)
	wantAsked("prepare "+guarded(t, remove, rewrite.Many), "exec [5 {1,2}]")
	_, err := db.ExecContext(t.Context(), remove, 5)
	wantError(t, err, scoped.CodeScopeRequired)
	_, err = db.ExecContext(site1, remove, sql.Named("id", 5))
	if err == nil {
		t.Error("a base without names accepted one")
	}
	wantAsked("prepare " + guarded(t, remove, rewrite.One))

	tx, err := db.BeginTx(site1, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantExec(t.Context(), t, tx, 1, remove, 6)
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	wantAsked("begin", "prepare "+guarded(t, remove, rewrite.One), "exec [6 1]", "commit")
	for _, opts := range []*sql.TxOptions{{ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		if _, err := db.BeginTx(site1, opts); err == nil {
			t.Errorf("%+v was accepted", *opts)
		}
	}
	wantAsked()

	ctx, cancel := context.WithCancel(site1)
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = conn.Raw(func(raw any) error {
		_, err := raw.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		_, err = raw.(driver.ConnPrepareContext).PrepareContext(ctx, "SELECT 1")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		*l.invalid = true
		if err := raw.(driver.SessionResetter).ResetSession(t.Context()); err != driver.ErrBadConn {
			t.Errorf("got %v for an invalid connection, want ErrBadConn", err)
		}
		*l.invalid = false
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	conn.Close()
	wantAsked("begin", "rollback", "prepare SELECT 1")
}
