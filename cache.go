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
// The values of a scope are not part of it, so one entry serves every tenant, but
// for the schemas that values choose.
type cacheKey struct {
	text   string
	shape  rewrite.Shape
	schema string // that of a binding, or empty for what all schemas share
}

// An entry is what became of one text under one shape: a rewrite or a refusal.
// It is immutable.
type entry struct {
	cacheKey
	everywhere bool // it is the same for all schemas

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

// get returns the entry of text under a binding, making it if need be.
func (c *rewriteCache) get(text string, b *binding) *entry {
	if c.entries == nil || len(text) > c.longest {
		return c.in(b, c.newEntry(cacheKey{text: text, shape: b.shape}))
	}
	key := cacheKey{text, b.shape, b.schema}
	if e, ok := c.entries.GetIfPresent(key); ok {
		return e
	}
	// The caller's text may be a piece of something larger, which the cache
	// would keep in memory.
	key.text = strings.Clone(text)
	e := c.shared(key.text, b.shape)
	if b.schema != "" {
		e = c.in(b, e)
		c.entries.Set(key, e)
	}
	return e
}

// shared returns the entry that all schemas share.
func (c *rewriteCache) shared(text string, shape rewrite.Shape) *entry {
	key := cacheKey{text: text, shape: shape}
	e, ok := c.entries.GetIfPresent(key)
	if !ok {
		e = c.newEntry(key)
		c.entries.Set(key, e)
	}
	return e
}

func (c *rewriteCache) newEntry(key cacheKey) *entry {
	r, err := c.rewriter.Rewrite(key.text, key.shape)
	e := c.entry(key, r, err)
	e.everywhere = e.rewrite == nil || len(e.rewrite.Schemas) == 0
	return e
}

// in returns the entry for a binding's schemas of one that they share.
func (c *rewriteCache) in(b *binding, e *entry) *entry {
	if e.everywhere {
		return e
	}
	r, err := e.rewrite.In(b.schemas)
	return c.entry(cacheKey{e.text, e.shape, b.schema}, r, err)
}

// entry makes an entry of what the rewriter returned.
func (c *rewriteCache) entry(key cacheKey, r *rewrite.Rewrite, err error) *entry {
	e := &entry{cacheKey: key, cache: c.id, rewrite: r, err: err}
	if err != nil {
		errors.As(err, &e.refusal)
		return e
	}
	e.checks = strings.Contains(r.SQL, violationMark)
	return e
}

// recentEntries are some that a connection used lately, each at a place that its
// text leads to. To find one there takes a third of the time of the cache, which
// hashes the text and counts the look-up.
type recentEntries [64]*entry

// get is that of the cache. The receiver may be nil.
func (r *recentEntries) get(c *rewriteCache, text string, b *binding) *entry {
	const longest = 4096 // for each connection keeps them
	if r == nil || text == "" || len(text) > min(longest, c.longest) {
		return c.get(text, b)
	}
	n := len(text)
	place := &r[uint(n+3*int(text[n/4])+5*int(text[n/2])+7*int(text[n-n/4-1]))%uint(len(r))]
	if e := *place; e != nil && e.cache == c.id && e.shape == b.shape && (e.everywhere || e.schema == b.schema) && e.text == text {
		return e
	}
	e := c.get(text, b)
	*place = e
	return e
}

// entry returns what becomes of a text in the binding's scope, and the comment to
// send behind it.
func (s *session) entry(b *binding, text string) (e *entry, comment string) {
	statement, comment := splitComment(text)
	return s.recent.get(b.rules.cache, statement, b), comment
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
	const overhead, perTable, perCursor = 700, 96, 48
	n := overhead + len(k.text)
	if rw := e.rewrite; rw != nil {
		// The rewrite remembers its edits, which add up to what SQL has more.
		n += 2 * len(rw.SQL)
		if len(rw.Schemas) > 0 {
			n += len(rw.SQL) // and those with marks
		}
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
