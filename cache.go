package scoped

import (
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"

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
	cacheKey
	cache   uint64 // the id of the cache that made it
	rewrite *rewrite.Rewrite
	refusal *Error
	err     error // a refusal that is not an *Error, which rewrite does not return
	// checks is set where the text that is sent may fail as a violation.
	checks bool

	misreadOnce sync.Once
	misreadable bool
}

// misread reports whether pgx may take for a parameter what PostgreSQL does not.
// Only the simple protocol asks.
func (e *entry) misread() bool {
	e.misreadOnce.Do(func() { e.misreadable = misreadable(e.rewrite.SQL) })
	return e.misreadable
}

// A rewriteCache remembers entries within a bound of bytes. Reads take no lock.
type rewriteCache struct {
	id       uint64 // no other cache's
	rewriter rewrite.Rewriter
	entries  *otter.Cache[cacheKey, *entry] // nil when it is turned off
	longest  int                            // the longest text that is cached
}

func newRewriteCache(w rewrite.Rewriter, size int) *rewriteCache {
	c := &rewriteCache{id: cacheIDs.Add(1), rewriter: w, longest: size / 8}
	if size > 0 {
		c.entries = otter.Must(&otter.Options[cacheKey, *entry]{
			MaximumWeight: uint64(size),
			Weigher:       weigh,
		})
	}
	return c
}

var cacheIDs atomic.Uint64

// get returns the entry of text under shape, making it if need be.
func (c *rewriteCache) get(text string, shape rewrite.Shape) *entry {
	if c.entries == nil || len(text) > c.longest {
		return c.newEntry(text, shape)
	}
	if e, ok := c.entries.GetIfPresent(cacheKey{text, shape}); ok {
		return e
	}
	// The caller's text may be a piece of something larger, which the cache
	// would keep in memory.
	text = strings.Clone(text)
	e := c.newEntry(text, shape)
	c.entries.Set(cacheKey{text, shape}, e)
	return e
}

func (c *rewriteCache) newEntry(text string, shape rewrite.Shape) *entry {
	e := &entry{cacheKey: cacheKey{text, shape}, cache: c.id}
	if e.rewrite, e.err = c.rewriter.Rewrite(text, shape); e.err != nil {
		errors.As(e.err, &e.refusal)
		return e
	}
	e.checks = strings.Contains(e.rewrite.SQL, violationMark)
	return e
}

// recentEntries are some that a connection used lately, each at a place that its
// text leads to. To find one there takes a third of the time of the cache, which
// hashes the text and counts the look-up.
type recentEntries [16]*entry

// get is that of the cache. The receiver may be nil.
func (r *recentEntries) get(c *rewriteCache, text string, shape rewrite.Shape) *entry {
	const longest = 4096 // for each connection keeps them
	if r == nil || text == "" || len(text) > min(longest, c.longest) {
		return c.get(text, shape)
	}
	place := &r[(len(text)+int(text[len(text)/2]))%len(r)]
	if e := *place; e != nil && e.cache == c.id && e.shape == shape && e.text == text {
		return e
	}
	e := c.get(text, shape)
	*place = e
	return e
}

// entry returns what becomes of a text in the binding's scope, and the comment to
// send behind it.
func (s *session) entry(b *binding, text string) (e *entry, comment string) {
	statement, comment := splitComment(text)
	return s.recent.get(b.rules.cache, statement, b.shape), comment
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
