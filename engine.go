package scoped

import (
	"context"
	"log/slog"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// An engine is what all connections of a connector or pool have in common.
type engine struct {
	policy    *policy.Policy
	cache     *rewriteCache // nil until the catalogue is read, if askServer is set
	cacheSize int
	logger    *slog.Logger // nil for slog.Default at the time of logging

	catalog   *catalog.Catalog // nil for none
	askServer bool             // for the catalogue, with the first connection
	reading   chan struct{}    // holds one while the catalogue is read
}

func newEngine(p *policy.Policy, opts []Option) *engine {
	e := &engine{policy: p, cacheSize: defaultCacheSize, reading: make(chan struct{}, 1)}
	for _, opt := range opts {
		opt(e)
	}
	if p != nil && !e.askServer {
		e.cache = e.newCache()
	}
	return e
}

func (e *engine) newCache() *rewriteCache {
	w := rewrite.Rewriter{Policy: e.policy}
	if e.catalog != nil {
		w.Catalog = e.catalog
	}
	return newRewriteCache(w, e.cacheSize)
}

// readCatalog asks the server for the catalogue where nobody has yet. A fault is
// not remembered: the next connection asks again.
func (e *engine) readCatalog(ctx context.Context, q catalog.Querier) error {
	if !e.askServer {
		return nil
	}
	select {
	case e.reading <- struct{}{}:
		defer func() { <-e.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.cache != nil {
		return nil
	}
	read, err := catalog.Read(ctx, q)
	if err != nil {
		return configError("the catalogue could not be read from the server",
			"connect to PostgreSQL 14 or later, or give the catalogue as a file with "+catalogKey+" or WithCatalog", err)
	}
	e.catalog = read
	e.cache = e.newCache()
	return nil
}

// logDisabled logs the reason for which a scope is disabled, with the statement
// that runs first.
func (e *engine) logDisabled(ctx context.Context, s *scope, statement string) {
	if _, ok := s.logged.Load(e); ok {
		return
	}
	if _, ok := s.logged.LoadOrStore(e, struct{}{}); ok {
		return
	}
	logger := e.logger
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
