package scoped

import (
	"errors"
	"math"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/maypok86/otter/v2"

	"github.com/scoped-pgx/scoped/rewrite"
)

// A cacheKey is all that a rewrite depends on, under one policy and catalogue.
// The values of a scope are not part of it, so one entry serves every tenant.
type cacheKey struct {
	text  string
	shape rewrite.Shape
}

// An entry is what became of one text under one shape: a rewrite or a refusal.
// It is immutable.
type entry struct {
	rewrite *rewrite.Rewrite
	refusal *Error
	err     error // a refusal that is not an *Error, which rewrite does not return
	// checks is set where the text that is sent may fail as a violation.
	checks bool
	// misread reports whether pgx may take for a parameter what PostgreSQL does
	// not. Only the simple protocol asks.
	misread func() bool
}

// A rewriteCache remembers entries within a bound of bytes. Reads take no lock.
type rewriteCache struct {
	rewriter rewrite.Rewriter
	entries  *otter.Cache[cacheKey, *entry] // nil when it is turned off
	longest  int                            // the longest text that is cached
}

func newRewriteCache(w rewrite.Rewriter, size int) *rewriteCache {
	c := &rewriteCache{rewriter: w, longest: size / 8}
	if size > 0 {
		c.entries = otter.Must(&otter.Options[cacheKey, *entry]{
			MaximumWeight: uint64(size),
			Weigher:       weigh,
		})
	}
	return c
}

// get returns the entry of text under shape, making it if need be.
func (c *rewriteCache) get(text string, shape rewrite.Shape) *entry {
	if c.entries == nil || len(text) > c.longest {
		return newEntry(text, c.rewriter, shape)
	}
	if e, ok := c.entries.GetIfPresent(cacheKey{text, shape}); ok {
		return e
	}
	// The caller's text may be a piece of something larger, which the cache
	// would keep in memory.
	text = strings.Clone(text)
	e := newEntry(text, c.rewriter, shape)
	c.entries.Set(cacheKey{text, shape}, e)
	return e
}

// entry returns what becomes of a text in the binding's scope, and the comment to
// send behind it.
func (b *binding) entry(text string) (e *entry, comment string) {
	statement, comment := splitComment(text)
	return b.rules.cache.get(statement, b.shape), comment
}

func newEntry(text string, w rewrite.Rewriter, shape rewrite.Shape) *entry {
	rw, err := w.Rewrite(text, shape)
	if err != nil {
		e := &entry{err: err}
		errors.As(err, &e.refusal)
		return e
	}
	return &entry{
		rewrite: rw,
		checks:  strings.Contains(rw.SQL, violationMark),
		misread: sync.OnceValue(func() bool { return misreadable(rw.SQL) }),
	}
}

// error returns the refusal, or nil. Every caller gets a copy of its own,
// because the fields of an Error can be written.
func (e *entry) error() error {
	if e.refusal == nil {
		return e.err
	}
	refusal := *e.refusal
	if refusal.Code == CodeSyntax {
		refusal.Err = &pgconn.PgError{
			Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: syntaxError,
			Message: refusal.Message, Hint: refusal.Hint, Position: int32(refusal.Position.Char),
		}
	}
	return &refusal
}

// weigh estimates the bytes that an entry holds: the texts, and what otter, the
// entry and the structs behind it take.
func weigh(k cacheKey, e *entry) uint32 {
	const overhead, perTable, perCursor = 600, 96, 48
	n := overhead + len(k.text)
	if rw := e.rewrite; rw != nil {
		// The rewrite remembers its edits, which add up to what SQL has more.
		n += 2 * len(rw.SQL)
		for _, use := range rw.Cursors {
			n += perCursor + len(use.Name)
		}
		for _, t := range rw.Tables {
			n += perTable + len(t.Table) + len(t.Guard)
		}
	}
	if r := e.refusal; r != nil {
		n += len(r.Message) + len(r.Hint)
	}
	return uint32(min(n, math.MaxUint32))
}
