package scoped

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/policy"
)

var (
	_ Connector = (*connector)(nil)
	_ Connector = closingConnector{}
	_ io.Closer = closingConnector{}
)

// A Connector is a driver.Connector whose policy can be replaced.
type Connector interface {
	driver.Connector

	// SetPolicy replaces the policy, for open connections too. Every statement
	// runs under exactly one of the two: one that began before, under the old
	// one, and one that begins when SetPolicy has returned, under the new one,
	// also in transactions that have begun and from statements that were
	// prepared. A cursor cannot be used under another policy than that of its
	// DECLARE. Where the policy is nil or does not fit the catalogue, SetPolicy
	// returns an Error of CodeConfig, and the old one stays. It is safe for
	// concurrent use.
	SetPolicy(*policy.Policy) error
}

// NewConnector returns a connector for sql.OpenDB whose connections are those
// of base, guarded by the policy. The base is usually pgx's:
//
//	p, err := policy.Load("policy.yaml")
//	…
//	db := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(*config), p))
//
// Any other driver for PostgreSQL will do, and go-sqlmock. A base whose
// CheckNamedValue does not take slices gets several values of a dimension as
// the text of an array, such as {1,2}. Settings of the session are checked
// only where the base is pgx.
//
// A nil base or policy is an error of every Connect, and so are a policy that does
// not fit the catalogue and a file of statements that cannot be used.
func NewConnector(base driver.Connector, p *policy.Policy, opts ...Option) Connector {
	c := &connector{base: base, engine: newEngine(p, opts)}
	if closer, ok := base.(io.Closer); ok {
		return closingConnector{c, closer}
	}
	return c
}

type connector struct {
	base driver.Connector
	*engine
}

// Connect connects, and refuses a session whose settings would let the server
// read a text differently from us.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.base == nil {
		return nil, configError("NewConnector was given no base", "", nil)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	base, err := c.base.Connect(ctx)
	if err != nil {
		return nil, err
	}
	guarded := newConn(base, c.engine)
	if fault := guarded.checkSession(); fault != nil {
		_ = guarded.Close() // the fault is what the caller must hear of
		return nil, fault
	}
	if err := c.readCatalog(ctx, baseQuerier{base}); err != nil {
		_ = base.Close()
		return nil, err
	}
	return guarded, nil
}

// A baseQuerier reads one text from a connection of the base.
type baseQuerier struct{ base driver.Conn }

func (q baseQuerier) QueryRow(ctx context.Context, query string, _ ...any) pgx.Row {
	text, err := q.text(ctx, query)
	return textRow{text, err}
}

func (q baseQuerier) text(ctx context.Context, query string) (string, error) {
	queryer, ok := q.base.(driver.QueryerContext)
	if !ok {
		return "", fmt.Errorf("%T takes no queries without preparing them", q.base)
	}
	rows, err := queryer.QueryContext(ctx, query, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil {
		return "", err
	}
	if len(row) == 1 {
		switch v := row[0].(type) {
		case string:
			return v, nil
		case []byte:
			return string(v), nil
		}
	}
	return "", errors.New("the answer is not one text")
}

type textRow struct {
	text string
	err  error
}

func (r textRow) Scan(dest ...any) error {
	if r.err == nil {
		*dest[0].(*string) = r.text
	}
	return r.err
}

// Driver returns our own driver: the base's would open unguarded connections.
func (c *connector) Driver() driver.Driver { return sqlDriver{} }

// A closingConnector is a connector whose base must be closed with the sql.DB.
// pgx's need not be, and a connector of ours has only the methods of its base.
type closingConnector struct {
	*connector
	closer io.Closer
}

func (c closingConnector) Close() error { return c.closer.Close() }
