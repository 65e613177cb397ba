package scoped

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
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
	c := &connector{base: base, policy: p, cacheSize: defaultCacheSize, reading: make(chan struct{}, 1)}
	for _, opt := range opts {
		opt(c)
	}
	if p != nil && !c.askServer {
		c.cache = c.newCache()
	}
	if closer, ok := base.(io.Closer); ok {
		return closingConnector{c, closer}
	}
	return c
}

type connector struct {
	base      driver.Connector
	policy    *policy.Policy
	cache     *rewriteCache // nil until the catalogue is read, if askServer is set
	cacheSize int
	logger    *slog.Logger // nil for slog.Default at the time of logging

	catalog   *catalog.Catalog // nil for none
	askServer bool             // for the catalogue, with the first connection
	reading   chan struct{}    // holds one while the catalogue is read
}

func (c *connector) newCache() *rewriteCache {
	w := rewrite.Rewriter{Policy: c.policy}
	if c.catalog != nil {
		w.Catalog = c.catalog
	}
	return newRewriteCache(w, c.cacheSize)
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
	if err := c.readCatalog(ctx, base); err != nil {
		_ = base.Close()
		return nil, err
	}
	return guarded, nil
}

// readCatalog asks the server for the catalogue where nobody has yet. A fault is
// not remembered: the next connection asks again.
func (c *connector) readCatalog(ctx context.Context, base driver.Conn) error {
	if !c.askServer {
		return nil
	}
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.cache != nil {
		return nil
	}
	read, err := catalog.Read(ctx, baseQuerier{base})
	if err != nil {
		return configError("the catalogue could not be read from the server",
			"connect to PostgreSQL 14 or later, or give the catalogue as a file with "+catalogKey+" or WithCatalog", err)
	}
	c.catalog = read
	c.cache = c.newCache()
	return nil
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
