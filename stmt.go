package scoped

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"

	"github.com/scoped-pgx/scoped/rewrite"
)

var (
	_ driver.Stmt             = (*stmt)(nil)
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// maxPrepared is how many of a statement's texts are kept prepared on a
// connection. There is one for each shape of scope that it runs under.
const maxPrepared = 8

// A stmt is a prepared statement of the user's. What is prepared on the server
// is the text sent for a shape, once the statement runs under it, because the
// scope is bound when a statement runs and not before.
type stmt struct {
	conn     *conn
	text     string
	params   int
	prepared []preparedText // the one used last comes last
}

type preparedText struct {
	sql  string
	stmt driver.Stmt
}

// PrepareContext prepares a statement, and needs no scope. What is refused
// under every scope is refused here. Where the scope of ctx suffices to rewrite
// the text, the server prepares it now, and its errors show now too.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	b, err := c.enter(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &stmt{conn: c, text: query}
	if b == nil {
		base, err := s.prepare(ctx, &call{sql: query})
		if err != nil {
			return nil, err
		}
		s.params = base.NumInput()
		return s, nil
	}
	e, comment := c.entry(b, query)
	if e.rewrite == nil {
		if !e.dependsOnScope() {
			return nil, e.error()
		}
		if s.params, err = rewrite.Params(query); err != nil {
			return nil, err
		}
		return s, nil
	}
	if e.rewrite.Literal {
		return nil, severalPrepared()
	}
	s.params = e.rewrite.Params
	if _, err := s.prepare(ctx, &call{sql: e.rewrite.SQL + comment, entry: e, rewrite: e.rewrite, binding: b}); err != nil {
		return nil, err
	}
	return s, nil
}

// dependsOnScope reports whether a refused text may be accepted under another
// scope.
func (e *entry) dependsOnScope() bool {
	return e.refusal != nil && (e.refusal.Code == CodeScopeRequired || e.refusal.Code == CodeFill)
}

// prepare returns the base's statement for a text, preparing it if need be.
func (s *stmt) prepare(ctx context.Context, c *call) (driver.Stmt, error) {
	if i := slices.IndexFunc(s.prepared, func(p preparedText) bool { return p.sql == c.sql }); i >= 0 {
		p := s.prepared[i]
		if last := len(s.prepared) - 1; i < last {
			copy(s.prepared[i:], s.prepared[i+1:])
			s.prepared[last] = p
		}
		return p.stmt, nil
	}
	base, err := s.conn.prepare(ctx, c.sql)
	if err != nil {
		return nil, c.mapError(err)
	}
	if len(s.prepared) >= maxPrepared {
		oldest := s.prepared[0]
		s.prepared = slices.Delete(s.prepared, 0, 1)
		if err := oldest.stmt.Close(); err != nil {
			_ = base.Close() // the connection is as good as lost
			return nil, err
		}
	}
	s.prepared = append(s.prepared, preparedText{c.sql, base})
	return base, nil
}

// prepare prepares a text on the base as database/sql does.
func (c *conn) prepare(ctx context.Context, sql string) (driver.Stmt, error) {
	if sql == "" {
		// pgx names a prepared statement by its text, and what has no name may be
		// another client's behind a pooler.
		sql = ";"
	}
	if b, ok := c.base.(driver.ConnPrepareContext); ok {
		return b.PrepareContext(ctx, sql)
	}
	base, err := c.base.Prepare(sql)
	if err == nil && ctx.Err() != nil {
		_ = base.Close() // the caller hears of the context
		return nil, ctx.Err()
	}
	return base, err
}

// NumInput returns the number of the user's own parameters.
func (s *stmt) NumInput() int { return s.params }

// QueryContext runs the statement under the scope of ctx or of the transaction.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	call, args, base, err := s.ready(ctx, args)
	if err != nil {
		return nil, err
	}
	result, err := queryStmt(ctx, base, args)
	return s.conn.queried(&call, result, err)
}

// ExecContext runs the statement under the scope of ctx or of the transaction.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	call, args, base, err := s.ready(ctx, args)
	if err != nil {
		return nil, err
	}
	result, err := execStmt(ctx, base, args)
	return s.conn.executed(&call, result, err)
}

func (s *stmt) ready(ctx context.Context, args []driver.NamedValue) (call, []driver.NamedValue, driver.Stmt, error) {
	c, args, err := s.conn.call(ctx, s.text, args, forStmt)
	if err != nil {
		return call{}, nil, nil, err
	}
	base, err := s.prepare(ctx, &c)
	return c, args, base, err
}

func queryStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	if s, ok := s.(driver.StmtQueryContext); ok {
		return s.QueryContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 a base without contexts has nothing else
	return s.Query(values)
}

func execStmt(ctx context.Context, s driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	if s, ok := s.(driver.StmtExecContext); ok {
		return s.ExecContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 a base without contexts has nothing else
	return s.Exec(values)
}

// positional returns the arguments as a base without contexts takes them.
func positional(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("scoped: the base driver does not support named parameters")
		}
		values[i] = a.Value
	}
	return values, ctx.Err()
}

var errNoContext = errors.New("scoped: Exec and Query of a driver.Stmt are not supported, use ExecContext and QueryContext")

// Exec is not supported, as in pgx: it has no context and so no scope.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query is not supported, as in pgx: it has no context and so no scope.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

// Close closes whatever was prepared on the server.
func (s *stmt) Close() error {
	var errs []error
	for _, p := range s.prepared {
		errs = append(errs, p.stmt.Close())
	}
	s.prepared = nil
	return errors.Join(errs...)
}
