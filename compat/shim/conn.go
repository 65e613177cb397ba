package shim

import (
	"context"
	"database/sql/driver"
)

// A remembering connector tells the connector around the guard which connection
// is under it.
type remembering struct{ driver.Connector }

type rememberKey struct{}

func (r remembering) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	if place, ok := ctx.Value(rememberKey{}).(*driver.Conn); ok {
		*place = c
	}
	return c, err
}

// A connector gives every statement of its connections a scope.
type connector struct {
	base        driver.Connector
	environment *environment
}

func (c *connector) Driver() driver.Driver { return c.base.Driver() }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var unguarded driver.Conn
	base, err := c.base.Connect(context.WithValue(ctx, rememberKey{}, &unguarded))
	if err != nil {
		return nil, err
	}
	return &conn{guarded: base.(guarded), unguarded: unguarded, environment: c.environment}, nil
}

// guarded is what a connection of scoped, and of pgx, can do.
type guarded interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.NamedValueChecker
}

type conn struct {
	guarded
	unguarded   driver.Conn
	environment *environment
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	query, err := c.permanent(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := c.guarded.ExecContext(c.environment.scope(ctx, query), query, args)
	return result, c.environment.refused(query, err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.guarded.QueryContext(c.environment.scope(ctx, query), query, args)
	return rows, c.environment.refused(query, err)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	query, err := c.permanent(ctx, query)
	if err != nil {
		return nil, err
	}
	s, err := c.guarded.PrepareContext(c.environment.scope(ctx, query), query)
	if err != nil {
		return nil, c.environment.refused(query, err)
	}
	return &stmt{preparedStmt: s.(preparedStmt), query: query, environment: c.environment}, nil
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// permanent makes an ordinary table of a temporary one: the driver qualifies
// every table of the policy with its schema, so that a temporary table of the same
// name is not found. What is left of it is dropped when a table of its name is
// made again.
func (c *conn) permanent(ctx context.Context, query string) (string, error) {
	table, temporary := CreatedTable(query)
	if table == "" {
		return query, nil
	}
	e := c.environment
	e.mu.Lock()
	left := e.temporary[table]
	e.temporary[table] = temporary
	e.mu.Unlock()
	if left {
		_, err := c.unguarded.(driver.ExecerContext).ExecContext(ctx, "DROP TABLE IF EXISTS "+table+" CASCADE", nil)
		if err != nil {
			return "", err
		}
	}
	return Permanent(query), nil
}

// preparedStmt is what a statement of scoped, and of pgx, can do.
type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	preparedStmt
	query       string
	environment *environment
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.preparedStmt.ExecContext(s.environment.scope(ctx, s.query), args)
	return result, s.environment.refused(s.query, err)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.preparedStmt.QueryContext(s.environment.scope(ctx, s.query), args)
	return rows, s.environment.refused(s.query, err)
}
