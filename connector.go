package scoped

import (
	"context"
	"database/sql/driver"
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/policy"
)

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = closingConnector{}
)

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
// A nil base or policy is an error of every Connect.
func NewConnector(base driver.Connector, p *policy.Policy, opts ...Option) driver.Connector {
	c := &connector{base: base, policy: p, cacheSize: defaultCacheSize}
	for _, opt := range opts {
		opt(c)
	}
	if p != nil {
		c.cache = newRewriteCache(p, c.cacheSize)
	}
	if closer, ok := base.(io.Closer); ok {
		return closingConnector{c, closer}
	}
	return c
}

type connector struct {
	base      driver.Connector
	policy    *policy.Policy
	cache     *rewriteCache
	cacheSize int
	logger    *slog.Logger // nil for slog.Default at the time of logging
}

// Connect connects, and refuses a session whose settings would let the server
// read a text differently from us.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	switch {
	case c.base == nil:
		return nil, configError("NewConnector was given no base", "", nil)
	case c.policy == nil:
		return nil, configError("NewConnector was given no policy", "load one with policy.Load", nil)
	}
	base, err := c.base.Connect(ctx)
	if err != nil {
		return nil, err
	}
	guarded := newConn(base, c)
	if fault := guarded.checkSession(); fault != nil {
		_ = base.Close() // the fault is what the caller must hear of
		return nil, fault
	}
	return guarded, nil
}

// Driver returns our own driver: the base's would open unguarded connections.
func (c *connector) Driver() driver.Driver { return sqlDriver{} }

// logDisabled logs the reason for which a scope is disabled, with the statement
// that runs first.
func (c *connector) logDisabled(ctx context.Context, s *scope, statement string) {
	if _, ok := s.logged.Load(c); ok {
		return
	}
	if _, ok := s.logged.LoadOrStore(c, struct{}{}); ok {
		return
	}
	logger := c.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "scopes are disabled",
		slog.String("reason", s.reason), slog.String("statement", abridge(statement)))
}

// abridge cuts a statement to what a line of a log can bear.
func abridge(statement string) string {
	const longest = 2000
	if len(statement) <= longest {
		return statement
	}
	end := longest
	for end > 0 && !utf8.RuneStart(statement[end]) {
		end--
	}
	return statement[:end] + "…"
}

// A closingConnector is a connector whose base must be closed with the sql.DB.
// pgx's need not be, and a connector of ours has only the methods of its base.
type closingConnector struct {
	*connector
	closer io.Closer
}

func (c closingConnector) Close() error { return c.closer.Close() }
