package scoped

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What follows is what pgx has and database/sql lacks, on a *sql.Conn of a
// database of ours whose base is pgx. Each runs under the scope of ctx, or of the
// transaction that is open on the connection.

// CopyFrom copies rows into a table and returns how many there were. The columns
// of the policy are dealt with as in an INSERT: one that is not named is filled,
// and the rows are checked where it is named. If one row lies outside the scope
// then the error is ErrViolation, and none is written.
//
// Where the scope's columns hold its values, and nothing else decides, the rows
// are sent by the COPY protocol, and checked here: the values of such a column are
// integers, strings or uuids, or of types made from these, or pointers to them, or
// a driver.Valuer. What a trigger makes of a row is not checked. Otherwise only the
// server can check the rows, and so they are sent by INSERTs of many rows each, in
// one transaction, or below a savepoint where one is open.
func CopyFrom(ctx context.Context, conn *sql.Conn, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	err = withSession(conn, func(s *session) error {
		n, err = s.copyFrom(ctx, table, columns, rows)
		return err
	})
	return n, err
}

// CopyTo runs a COPY … TO STDOUT, writes what it returns to w, and returns the
// number of rows. The statement is COPY (query) TO STDOUT, or COPY table
// (columns) TO STDOUT, in which the list of columns may be left out where there is
// a catalogue. It has no parameters.
func CopyTo(ctx context.Context, conn *sql.Conn, w io.Writer, sql string) (n int64, err error) {
	err = withSession(conn, func(s *session) error {
		tag, err := s.copyTo(ctx, w, sql)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// SendBatch sends a batch, calls what was registered with its queries as their
// results arrive, and returns the first error. Every statement of it is rewritten,
// or none is sent. A batch cannot begin a transaction by BeginTx here; use that of
// the connection.
func SendBatch(ctx context.Context, conn *sql.Conn, b *pgx.Batch) error {
	return withSession(conn, func(s *session) error {
		if begins(b) {
			return errors.New("scoped: database/sql must begin a transaction itself; use BeginTx of the sql.Conn")
		}
		return s.sendBatch(ctx, b, nil).Close()
	})
}

// WaitForNotification waits for a notification of a channel that the connection
// listens to. It is refused, as LISTEN is, unless the policy allows listen or
// scopes are disabled.
func WaitForNotification(ctx context.Context, conn *sql.Conn) (n *pgconn.Notification, err error) {
	err = withSession(conn, func(s *session) error {
		n, err = s.waitForNotification(ctx)
		return err
	})
	return n, err
}

// RawConn calls f with the connection of pgx, which is not guarded. Scopes must be
// disabled, with a reason, which is logged. Sql.Conn.Raw is no other way to it.
func RawConn(ctx context.Context, conn *sql.Conn, f func(*pgx.Conn) error) error {
	return withSession(conn, func(s *session) error { return s.rawConn(ctx, f) })
}

// withSession calls f with the session of a connection, for which nobody else can
// use it meanwhile.
func withSession(conn *sql.Conn, f func(*session) error) error {
	return conn.Raw(func(raw any) error {
		ours, ok := unwrapped(raw)
		switch {
		case !ok:
			return fmt.Errorf("scoped: the connection is a %T, not one of this package", raw)
		case ours.pgx == nil:
			return fmt.Errorf("scoped: the connection's base is a %T, which is not pgx", ours.base)
		case ours.pgx.IsClosed():
			return driver.ErrBadConn
		}
		return f(&ours.session)
	})
}

// unwrapped returns our connection below those of drivers that trace it.
func unwrapped(raw any) (ours *conn, ok bool) {
	for range 8 {
		if ours, ok = raw.(*conn); ok {
			return ours, true
		}
		wrapper, ok := raw.(interface{ Raw() driver.Conn })
		if !ok {
			break
		}
		raw = wrapper.Raw()
	}
	return nil, false
}

func (s *session) rawConn(ctx context.Context, f func(*pgx.Conn) error) error {
	b, err := s.enter(ctx, "RawConn")
	if err != nil {
		return err
	}
	if b != nil {
		return &Error{
			Code:    CodeStatement,
			Message: "the connection of pgx is not handed out while scopes are enabled",
			Hint:    "disable them: scoped.Disable(ctx, reason)",
		}
	}
	s.cursors = nil
	return f(s.pgx)
}

func (s *session) waitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	b, err := s.enter(ctx, "WaitForNotification")
	switch {
	case err != nil:
		return nil, err
	case b != nil && !b.rules.policy.ListenAllowed():
		return nil, &Error{
			Code:    CodeStatement,
			Message: "waiting for notifications is not accepted while scopes are enabled",
			Hint:    "add allow: [listen] to the policy, or disable scopes: scoped.Disable(ctx, reason)",
		}
	}
	return s.pgx.WaitForNotification(ctx)
}
