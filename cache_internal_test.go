package scoped

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

func cachePolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte("version: 1\ndimensions: {site: {type: bigint}}\ntables: {post: {site: site_id}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCacheRemembers(t *testing.T) {
	p := cachePolicy(t)
	c := newRewriteCache(rewrite.Rewriter{Policy: p}, 1<<20)
	one := &binding{shape: rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)}
	many := &binding{shape: rewrite.Shape(0).With(p.Dimension("site"), rewrite.Many)}
	for _, text := range []string{"SELECT * FROM post", "SELECT * FROM nosuch", "SELECT 'x"} {
		if c.get(text, one) != c.get(strings.Clone(text), one) {
			t.Errorf("%s was made twice", text)
		}
	}
	if a, b := c.get("SELECT * FROM post", one), c.get("SELECT * FROM post", many); a.rewrite.SQL == b.rewrite.SQL {
		t.Errorf("one value and several share %s", a.rewrite.SQL)
	}
	if e := c.get("SELECT * FROM post", new(binding)); e.refusal == nil || e.refusal.Code != CodeScopeRequired {
		t.Errorf("got %v without a scope", e.error())
	}
	long := "SELECT '" + strings.Repeat("x", 1<<18) + "'"
	if first := c.get(long, one); first == c.get(long, one) {
		t.Error("a text longer than an eighth of the bound was cached")
	}
	off := newRewriteCache(rewrite.Rewriter{Policy: p}, 0)
	recent := new(recentEntries)
	if first := recent.get(off, "SELECT 1", one); first == recent.get(off, "SELECT 1", one) {
		t.Error("a cache that is off remembers")
	}
}

// A connection remembers what the cache does, and of no other text, shape or policy.
func TestRecentEntriesAreTheCaches(t *testing.T) {
	p := cachePolicy(t)
	one := &binding{shape: rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)}
	caches := []*rewriteCache{newRewriteCache(rewrite.Rewriter{Policy: p}, 1<<24), newRewriteCache(rewrite.Rewriter{Policy: p}, 1<<24)}
	recent := new(recentEntries)
	for range 3 {
		for i := range 50 {
			for _, b := range []*binding{{}, one} {
				for _, c := range caches {
					for _, text := range []string{"", fmt.Sprintf("SELECT %02d FROM post", i), "SELECT 'x'" + strings.Repeat(" ", 4090+i)} {
						if recent.get(c, text, b) != c.get(text, b) || recent.get(c, strings.Clone(text), b) != c.get(text, b) {
							t.Fatalf("%q has another entry than in the cache", text)
						}
					}
				}
			}
		}
	}
	for _, e := range recent {
		if e != nil && len(e.text) > 4096 {
			t.Errorf("a text of %d bytes is kept", len(e.text))
		}
	}
}

// What schemas share is made once, and each has an entry of its own.
func TestCacheOfSchemas(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
dimensions: {tenant: {schema: "t_{value}", template: t__template}}
tables: {invoice: {tenant: schema}, country: shared}
`))
	if err != nil {
		t.Fatal(err)
	}
	shape := rewrite.Shape(0).With(p.Dimension("tenant"), rewrite.One)
	a := &binding{shape: shape, schema: "t_a", schemas: []string{"t_a"}}
	b := &binding{shape: shape, schema: "t_b", schemas: []string{"t_b"}}
	const own, foreign, once = "SELECT * FROM invoice", "SELECT * FROM t_b.invoice", "SELECT * FROM country"
	for _, size := range []int{1 << 20, 0} {
		c := newRewriteCache(rewrite.Rewriter{Policy: p}, size)
		recent := new(recentEntries)
		for range 3 {
			for binding, want := range map[*binding]string{a: `SELECT * FROM "t_a".invoice`, b: `SELECT * FROM "t_b".invoice`} {
				if e := recent.get(c, own, binding); e.rewrite.SQL != want {
					t.Errorf("got %s, want %s", e.rewrite.SQL, want)
				}
			}
			if recent.get(c, foreign, a).refusal == nil || recent.get(c, foreign, b).refusal != nil {
				t.Error("another value's schema may be named, or one's own may not")
			}
		}
		if size == 0 {
			continue
		}
		if first := c.get(own, a); c.get(own, a) != first || c.get(own, b) == first {
			t.Error("not one entry for each schema")
		}
		if first := c.shared(own, shape); c.shared(own, shape) != first || c.get(once, a) != c.get(once, b) {
			t.Error("what schemas share was made twice")
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	const bound = 1 << 17
	p := cachePolicy(t)
	c := newRewriteCache(rewrite.Rewriter{Policy: p}, bound)
	one := &binding{shape: rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)}
	for i := range 2000 {
		c.get(fmt.Sprintf("SELECT %d FROM post", i), one)
		c.get(fmt.Sprintf("SELECT %d FROM nosuch", i), one)
	}
	c.entries.CleanUp()
	if size := c.entries.WeightedSize(); size > bound || size < bound/2 {
		t.Errorf("the cache holds %d bytes, its bound is %d", size, bound)
	}
}

// An entry costs at least what its texts do.
func TestCacheWeighs(t *testing.T) {
	p := cachePolicy(t)
	text := "SELECT * FROM post -- " + strings.Repeat("x", 10000)
	c := newRewriteCache(rewrite.Rewriter{Policy: p}, 1<<20)
	e := c.shared(text, rewrite.Shape(0).With(p.Dimension("site"), rewrite.One))
	if w := weigh(cacheKey{text: text}, e); w < 20000 || w > 60000 {
		t.Errorf("an entry of 20 kB weighs %d", w)
	}
}

func TestCacheConcurrently(t *testing.T) {
	p := cachePolicy(t)
	c := newRewriteCache(rewrite.Rewriter{Policy: p}, 1<<14)
	one := &binding{shape: rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				n := (g + i) % 40
				if e := c.get(fmt.Sprintf("SELECT %d FROM post WHERE id = $1", n), one); e.rewrite == nil ||
					!strings.HasPrefix(e.rewrite.SQL, fmt.Sprintf("SELECT %d FROM", n)) {
					t.Errorf("got %v for %d", e, n)
				}
				if e := c.get(fmt.Sprintf("SELECT %d FROM nosuch", n), one); e.error() == nil {
					t.Error("a refusal was lost")
				}
			}
		})
	}
	wg.Wait()
}

// The hot path allocates the argument slice and nothing else.
func TestHotPathAllocates(t *testing.T) {
	conn := &conn{session: session{engine: newEngine(cachePolicy(t), nil), execModes: new(execModes), recent: new(recentEntries)}}
	ctx := With(context.Background(), "site", 1)
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	run := func() {
		_, sent, err := conn.call(ctx, "SELECT * FROM post WHERE id = $1", args, forQuery)
		if err != nil || len(sent) != 2 || sent[1].Value != int64(1) || sent[1].Ordinal != 2 {
			t.Fatalf("got %v, %v", sent, err)
		}
	}
	run()
	if n := testing.AllocsPerRun(1000, run); n > 1 {
		t.Errorf("a statement seen before allocates %v times, want once", n)
	}
	if len(args) != 1 || cap(args) != 1 {
		t.Error("the caller's arguments were changed")
	}
	conn.copies = true
	if n := testing.AllocsPerRun(1000, run); n > 0 {
		t.Errorf("where the base copies the arguments %v more are allocated", n)
	}
	conn.forgetArguments()
	if conn.place != ([len(conn.place)]driver.NamedValue{}) {
		t.Error("arguments are kept in memory")
	}
}

// A scope of its own for a statement costs three more, and one for its value.
func TestNewScopeAllocates(t *testing.T) {
	r := newEngine(cachePolicy(t), nil).rules.Load()
	if n := testing.AllocsPerRun(1000, func() {
		if b := fromContext(With(context.Background(), "site", int64(1000))).bind(r); b.fault != nil {
			t.Fatal(b.fault)
		}
	}); n > 3 {
		t.Errorf("a scope allocates %v times, want 3", n)
	}
}

func BenchmarkHotPath(b *testing.B) {
	conn := &conn{session: session{engine: newEngine(cachePolicy(b), nil), execModes: new(execModes), recent: new(recentEntries)}}
	ctx := With(context.Background(), "site", 1)
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := conn.call(ctx, "SELECT * FROM post WHERE id = $1", args, forQuery); err != nil {
			b.Fatal(err)
		}
	}
}
