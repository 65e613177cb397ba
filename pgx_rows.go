package scoped

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	_ pgx.Rows = (*pgxRows)(nil)
	_ pgx.Row  = (*pgxRow)(nil)
)

// query sends a query by pgx. The connection, if there is one, is released with
// the rows.
func (s *session) query(ctx context.Context, sql string, args []any, conn *pgxpool.Conn) *pgxRows {
	call, args, err := s.call(ctx, s.text(sql), args, forQuery)
	if err != nil {
		s.release(conn)
		return failed(err)
	}
	base, err := s.pgx.Query(ctx, call.sql, args...)
	if err != nil {
		s.usedCursors(&call, false)
		s.release(conn)
		return failed(call.mapError(err))
	}
	rows := &pgxRows{base: base, call: call, session: s, conn: conn}
	if !call.declares() || call.entry.rewrite.Literal {
		s.usedCursors(&call, false) // there may be an error behind the rows
		return rows
	}
	base.Close()
	s.usedCursors(&call, base.Err() == nil)
	rows.Close()
	rows.err = rows.Err()
	return rows
}

// exec sends a statement by pgx.
func (s *session) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	call, args, err := s.call(ctx, s.text(sql), args, forExec)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	var tag pgconn.CommandTag
	if call.returnsChecks() {
		tag, err = execChecked(ctx, s.pgx, call.sql, args)
	} else {
		tag, err = s.pgx.Exec(ctx, call.sql, args...)
	}
	s.usedCursors(&call, err == nil)
	return tag, call.mapError(err)
}

// execChecked is pgx's Exec without its copy of every row.
func execChecked(ctx context.Context, conn *pgx.Conn, sql string, args []any) (pgconn.CommandTag, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// pgxRows are pgx's rows as the user shall see them: without the check column,
// with errors mapped, and without the connection.
type pgxRows struct {
	base    pgx.Rows
	call    call
	session *session
	conn    *pgxpool.Conn // released with the rows; nil for none
	dest    []any         // for Scan, with a place for the check
	err     error
}

func failed(err error) *pgxRows { return &pgxRows{base: failedRows{err}, err: err} }

func (r *pgxRows) checked() bool { return r.call.entry != nil && r.call.entry.rewrite.Check }

// isEmpty reports whether the statement returns no rows, and those that there are
// are of its check.
func (r *pgxRows) isEmpty() bool { return r.checked() && !r.call.entry.rewrite.Returning }

// visible returns how many of so many columns are the user's.
func (r *pgxRows) visible(columns int) int {
	switch {
	case r.isEmpty(), columns == 0:
		return 0
	case r.checked():
		return columns - 1
	}
	return columns
}

func (r *pgxRows) release() {
	if r.conn != nil {
		r.session.release(r.conn)
		r.conn = nil
	}
}

func (r *pgxRows) Close() {
	r.base.Close()
	r.release()
}

func (r *pgxRows) fail(err error) error {
	r.Close()
	if r.Err() == nil {
		r.err = err
	}
	return err
}

func (r *pgxRows) Err() error {
	if r.err == nil {
		r.err = r.call.mapError(r.base.Err())
	}
	return r.err
}

func (r *pgxRows) CommandTag() pgconn.CommandTag { return r.base.CommandTag() }

func (r *pgxRows) FieldDescriptions() []pgconn.FieldDescription {
	fields := r.base.FieldDescriptions()
	return fields[:r.visible(len(fields))]
}

func (r *pgxRows) Next() bool {
	for r.base.Next() {
		if !r.isEmpty() {
			return true
		}
	}
	r.release()
	return false
}

func (r *pgxRows) Scan(dest ...any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok { // it must not see the base
			err := scanner.ScanRow(r)
			if err != nil {
				r.fail(err)
			}
			return err
		}
	}
	if r.checked() {
		if fields := len(r.FieldDescriptions()); len(dest) != fields {
			return r.fail(fmt.Errorf("scoped: a row of %d columns cannot be scanned into %d destinations", fields, len(dest)))
		}
		r.dest = append(append(r.dest[:0], dest...), nil)
		defer clear(r.dest)
		dest = r.dest
	}
	err := r.base.Scan(dest...)
	if err != nil {
		r.Close()
		return r.Err()
	}
	return nil
}

func (r *pgxRows) Values() ([]any, error) {
	values, err := r.base.Values()
	if err != nil {
		r.Close()
		return nil, r.call.mapError(err)
	}
	return values[:r.visible(len(values))], nil
}

func (r *pgxRows) RawValues() [][]byte {
	values := r.base.RawValues()
	return values[:r.visible(len(values))]
}

// Conn returns the connection where scopes are disabled.
func (r *pgxRows) Conn() *pgx.Conn {
	if r.call.entry != nil {
		return nil
	}
	return r.base.Conn()
}

func (r *pgxRows) TypeMap() *pgtype.Map { return r.base.TypeMap() }

// A pgxRow is the first of some rows.
type pgxRow pgxRows

func (r *pgxRow) Scan(dest ...any) error {
	rows := (*pgxRows)(r)
	defer rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("scoped: QueryRow cannot scan into *pgtype.DriverBytes, which is valid only until the row is closed")
		}
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	rows.Close() // what is behind the row may fail
	return rows.Err()
}

// failedRows are the rows of a query that failed before there were any.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
