package scoped

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The interfaces of *stdlib.Conn, no more and no less.
var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// A conn guards a connection. It has no exported field and no method that hands
// the base out, because sql.Conn.Raw gives it to anyone. Like every driver.Conn
// it is used by one goroutine at a time.
type conn struct {
	session
	base    driver.Conn
	queryer driver.QueryerContext // base, or nil where it is not one
	execer  driver.ExecerContext  // base, or nil where it is not one
	// copies is set where the base is known to copy its arguments, so that place can
	// hold those of one call after the other; placed is how many of this one's it holds.
	copies bool
	placed int
	place  [8]driver.NamedValue
}

func newConn(base driver.Conn, e *engine) *conn {
	c := &conn{base: base, session: session{engine: e, pgx: pgxConn(base), execModes: new(execModes), recent: new(recentEntries)}}
	c.queryer, _ = base.(driver.QueryerContext)
	c.execer, _ = base.(driver.ExecerContext)
	_, c.copies = base.(*stdlib.Conn)
	if c.pgx != nil {
		c.execModes = newExecModes(c.pgx)
	} else {
		c.literals = c.checkValue(&driver.NamedValue{Ordinal: 1, Value: []int64{1, 2}}) != nil
	}
	return c
}

// pgxConn returns the connection of pgx under base, or nil. Drivers that trace
// another one hand it out as Raw.
func pgxConn(base driver.Conn) *pgx.Conn {
	for range 8 {
		switch b := base.(type) {
		case interface{ Conn() *pgx.Conn }:
			return b.Conn()
		case interface{ Raw() driver.Conn }:
			base = b.Raw()
		default:
			return nil
		}
	}
	return nil
}

// QueryContext sends a query under the scope of ctx or of the transaction.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.queryer == nil {
		return nil, driver.ErrSkip // database/sql prepares instead
	}
	call, args, err := c.call(ctx, query, args, forQuery)
	if err != nil {
		return nil, err
	}
	rows, err := c.queryer.QueryContext(ctx, call.sql, args)
	return c.queried(&call, rows, err)
}

// queried returns what became of a query as the user shall see it.
func (c *conn) queried(call *call, rows driver.Rows, err error) (driver.Rows, error) {
	c.forgetArguments()
	if err != nil {
		c.usedCursors(call, false)
		return nil, call.mapError(err)
	}
	if !call.declares() || call.entry.rewrite.Literal {
		c.usedCursors(call, false) // there may be an error behind the rows
		return call.rows(rows)
	}
	err = call.drain(rows, len(rows.Columns()))
	c.usedCursors(call, err == nil)
	return noRows{}, err
}

// ExecContext sends a statement under the scope of ctx or of the transaction.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.execer == nil {
		return nil, driver.ErrSkip // database/sql prepares instead
	}
	call, args, err := c.call(ctx, query, args, forExec)
	if err != nil {
		return nil, err
	}
	result, err := c.exec(ctx, &call, args)
	return c.executed(&call, result, err)
}

// executed returns what became of a statement as the user shall see it.
func (c *conn) executed(call *call, result driver.Result, err error) (driver.Result, error) {
	c.forgetArguments()
	c.usedCursors(call, err == nil)
	return result, call.mapError(err)
}

// exec sends a statement by the base, or as the base of pgx would where the rows
// that come back are checks.
func (c *conn) exec(ctx context.Context, call *call, args []driver.NamedValue) (driver.Result, error) {
	if !c.copies || !call.returnsChecks() || c.pgx.IsClosed() {
		return c.execer.ExecContext(ctx, call.sql, args)
	}
	tag, err := execChecked(ctx, c.pgx, call.sql, valuesOf(args))
	if err != nil && pgconn.SafeToRetry(err) {
		return nil, driver.ErrBadConn
	}
	return driver.RowsAffected(tag.RowsAffected()), err
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx starts a transaction, whose statements inherit the scope of ctx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	s := fromContext(ctx)
	if s != nil {
		// Better here than at each of its statements.
		if _, err := c.bind(ctx, s); err != nil {
			return nil, err
		}
	}
	base, err := c.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.tx, c.cursors = s, nil
	return &tx{base: base, conn: c}, nil
}

// begin starts the base's transaction as database/sql does where the base knows
// nothing of contexts.
func (c *conn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.base.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != driver.IsolationLevel(sql.LevelDefault) {
		return nil, errors.New("scoped: the base driver does not support non-default isolation levels")
	}
	if opts.ReadOnly {
		return nil, errors.New("scoped: the base driver does not support read-only transactions")
	}
	//lint:ignore SA1019 a base without contexts has nothing else
	base, err := c.base.Begin()
	if err == nil && ctx.Err() != nil {
		_ = base.Rollback() // the caller hears of the context
		return nil, ctx.Err()
	}
	return base, err
}

// A tx ends the inheritance of its scope with itself. It wraps every base's,
// because with some bases the transaction is the connection.
type tx struct {
	base driver.Tx
	conn *conn
}

func (t *tx) Commit() error {
	s := t.conn.tx
	t.conn.tx, t.conn.cursors = nil, nil
	return t.conn.committed(s, t.base.Commit())
}

func (t *tx) Rollback() error {
	t.conn.tx, t.conn.cursors = nil, nil
	return t.base.Rollback()
}

// Ping asks the base.
func (c *conn) Ping(ctx context.Context) error {
	if p, ok := c.base.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// ResetSession readies the connection for its next user: no scope of a former
// transaction is left, and a session whose settings cannot be trusted any more
// is given up.
func (c *conn) ResetSession(ctx context.Context) error {
	c.tx, c.cursors = nil, nil
	if r, ok := c.base.(driver.SessionResetter); ok {
		if err := r.ResetSession(ctx); err != nil {
			return err
		}
	}
	if v, ok := c.base.(driver.Validator); ok && !v.IsValid() {
		return driver.ErrBadConn
	}
	if c.suspect && c.checkSession() != nil {
		return driver.ErrBadConn
	}
	c.suspect = false
	return nil
}

// CheckNamedValue accepts pgx's options, and of values what the base accepts.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if isOption(v.Value) {
		return nil
	}
	if checker, ok := c.base.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// Close closes the base. That of a pool would only give the connection back, which
// must not be used again where its settings cannot be trusted any more.
func (c *conn) Close() error {
	if c.checkSession() != nil {
		c.session.close()
	}
	return c.base.Close()
}
