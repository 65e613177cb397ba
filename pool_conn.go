package scoped

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A PgxConn is a guarded connection of a PgxPool. Its methods are those of
// pgxpool.Conn without Conn and Hijack, and what pgx has in pgx.Conn or
// pgconn.PgConn: CopyTo and WaitForNotification. It must not be used after
// Release, and by one goroutine at a time only.
type PgxConn struct {
	session *session
	conn    *pgxpool.Conn
}

// Release returns the connection to the pool. Calls after the first do nothing.
func (c *PgxConn) Release() {
	if c.session != nil {
		c.session.release(c.conn)
		c.session, c.conn = nil, nil
	}
}

// Query is that of pgxpool.Conn, under the scope of ctx.
func (c *PgxConn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows := c.session.query(ctx, sql, args, nil)
	return rows, rows.err
}

// QueryRow is that of pgxpool.Conn, under the scope of ctx.
func (c *PgxConn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*pgxRow)(c.session.query(ctx, sql, args, nil))
}

// Exec is that of pgxpool.Conn, under the scope of ctx.
func (c *PgxConn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.session.exec(ctx, sql, args)
}

// SendBatch is that of pgxpool.Conn, under the scope of ctx.
func (c *PgxConn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.session.sendBatch(ctx, b, nil)
}

// CopyFrom copies rows as the function CopyFrom does, under the scope of ctx.
func (c *PgxConn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return c.session.copyFrom(ctx, table, columns, rows)
}

// CopyTo copies rows as the function CopyTo does, under the scope of ctx.
func (c *PgxConn) CopyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error) {
	return c.session.copyTo(ctx, w, sql)
}

// Begin starts a transaction, whose statements inherit the scope of ctx.
func (c *PgxConn) Begin(ctx context.Context) (pgx.Tx, error) { return c.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is that of PgxPool.
func (c *PgxConn) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	tx, err := c.session.beginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// WaitForNotification waits as the function WaitForNotification does.
func (c *PgxConn) WaitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	return c.session.waitForNotification(ctx)
}

// RawConn calls f with the connection, unguarded. Scopes must be disabled in ctx
// or in the transaction, with a reason, which is logged.
func (c *PgxConn) RawConn(ctx context.Context, f func(*pgx.Conn) error) error {
	return c.session.rawConn(ctx, f)
}

// Ping is that of pgxpool.Conn.
func (c *PgxConn) Ping(ctx context.Context) error { return c.session.pgx.Ping(ctx) }
