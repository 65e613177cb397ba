package scoped

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// An engine is what all connections of a connector or pool have in common.
type engine struct {
	rules     atomic.Pointer[rules] // nil where there is a fault
	allow     allowScope            // nil for none
	fault     error                 // of the policy that newEngine was given
	cacheSize int
	logger    *slog.Logger // nil for slog.Default at the time of logging
	warmFile  string       // empty for none
	warm      []warmStatement

	catalog   *catalog.Catalog // nil for none
	askServer bool             // for the catalogue, with the first connection
	changing  chan struct{}    // holds one while the rules or the catalogue change
}

// rules are a policy and what is remembered under it. A statement takes those of
// the engine once, and so runs under one policy, whenever that is replaced.
type rules struct {
	policy     *policy.Policy
	dimensions int           // how many the policy has
	cache      *rewriteCache // nil until the catalogue is read, if the server is asked for it
	unscoped   *binding      // of no scope at all
}

func newEngine(p *policy.Policy, opts []Option) *engine {
	e := &engine{cacheSize: defaultCacheSize, changing: make(chan struct{}, 1)}
	for _, opt := range opts {
		opt(e)
	}
	if p != nil && e.warmFile != "" {
		if e.warm, e.fault = readWarmFile(e.warmFile, p); e.fault != nil {
			return e
		}
	}
	e.fault = e.use(p)
	return e
}

// check returns why no connection may be made, if there is a reason.
func (e *engine) check() error {
	if e.rules.Load() == nil {
		return e.fault
	}
	return nil
}

// use makes p the policy of the statements to come, if it fits the catalogue.
func (e *engine) use(p *policy.Policy) error {
	if p == nil {
		return configError("no policy was given", "load one with policy.Load", nil)
	}
	r := &rules{policy: p, dimensions: len(p.Dimensions())}
	r.unscoped = &binding{rules: r}
	if e.catalog != nil || !e.askServer {
		w := rewrite.Rewriter{Policy: p}
		if e.catalog != nil {
			if err := misfits(p, e.catalog); err != nil {
				return err
			}
			w.Catalog = e.catalog
		}
		r.cache = newRewriteCache(w, e.cacheSize)
		r.warm(e.warm)
	}
	e.rules.Store(r)
	return nil
}

// misfits returns the mistakes of a policy whose tables the database does not
// have, or has in another form.
func misfits(p *policy.Policy, c *catalog.Catalog) error {
	var mistakes policy.Errors
	for _, f := range c.Check(p) {
		if f.Fatal {
			mistakes = append(mistakes, &policy.Error{File: p.File(), Line: f.Line, Column: f.Column, Message: f.Message, Hint: f.Hint})
		}
	}
	if len(mistakes) == 0 {
		return nil
	}
	return configError("the policy does not fit the database:\n"+mistakes.Error(), "", mistakes)
}

// SetPolicy is that of a Connector.
func (e *engine) SetPolicy(p *policy.Policy) error {
	e.changing <- struct{}{}
	defer func() { <-e.changing }()
	return e.use(p)
}

// readCatalog asks the server for the catalogue where nobody has yet. A fault is
// not remembered: the next connection asks again.
func (e *engine) readCatalog(ctx context.Context, q catalog.Querier) error {
	if !e.askServer {
		return nil
	}
	select {
	case e.changing <- struct{}{}:
		defer func() { <-e.changing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.catalog != nil {
		return nil
	}
	p := e.rules.Load().policy
	read, err := catalog.ReadFor(ctx, q, p)
	if err != nil {
		return configError("the catalogue could not be read from the server",
			"connect to PostgreSQL 14 or later, or give the catalogue as a file with "+catalogKey+" or WithCatalog", err)
	}
	e.catalog = read
	if err := e.use(p); err != nil {
		e.catalog = nil
		return err
	}
	return nil
}
