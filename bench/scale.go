package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unsafe"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

const (
	curveOfStatements = "Statements in the cache"
	curveOfTables     = "Tables in the policy"
	curveOfSchemas    = "Schemas in the cache"
)

// A curve says how costs grow with something.
type curve struct {
	Name   string   `json:"name"`
	X      string   `json:"x"`      // what is counted
	Series []string `json:"series"` // what the values of each point are
	Chart  []int    `json:"chart"`  // the series that are drawn
	Points []point  `json:"points"`
}

type point struct {
	X      int       `json:"x"`
	Values []float64 `json:"values"`
}

func (b *bench) scale(ctx context.Context) error {
	p, err := policy.Parse("policy.yaml", rules)
	if err != nil {
		return err
	}
	rounds := b.roundsOr(40)
	if b.quick {
		rounds = b.roundsOr(10)
	}
	b.results.Scale = nil
	fmt.Fprintf(b.out, "\nScale\n")
	for _, measure := range []func() (curve, error){
		func() (curve, error) { return b.statements(ctx, p) },
		func() (curve, error) { return tables(ctx, rounds) },
		func() (curve, error) { return manyTenants(ctx, p, rounds) },
		func() (curve, error) { return schemasInCache(ctx) },
		func() (curve, error) { return valuesInScope(ctx, rounds) },
		func() (curve, error) { return nesting(p, min(rounds, 10), b.quick) },
	} {
		c, err := measure()
		if err != nil {
			return err
		}
		b.results.Scale = append(b.results.Scale, c)
		b.reportCurve(c)
	}
	return nil
}

// statements puts more and more statements into one cache, of the default size,
// each but once. Between every two of them comes one of a hot set.
func (b *bench) statements(ctx context.Context, p *policy.Policy) (curve, error) {
	c := curve{
		Name: curveOfStatements, X: "statements",
		Series: []string{"hit rate of 1,000 hot statements", "hot look-up, µs", "heap, MiB"},
		Chart:  []int{2},
	}
	most := 1_000_000
	if b.quick {
		most = 100_000
	}
	const hotSet = 1000
	hot := make([]string, hotSet)
	for i := range hot {
		hot[i] = fmt.Sprintf("SELECT title AS hot%d FROM post WHERE id = $1", i)
	}
	before := heap()
	base := new(sentConn)
	conn, err := scoped.NewConnector(base, p).Connect(ctx)
	if err != nil {
		return c, err
	}
	inScope := scoped.With(ctx, "site", 7)
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	run := func(text string) error {
		_, err := conn.(driver.ExecerContext).ExecContext(inScope, text, args)
		return err
	}
	// The text that is sent is the cache's own, and another one after a miss.
	sent := make([]string, hotSet)
	hit := func(i int) (bool, error) {
		if err := run(hot[i]); err != nil {
			return false, err
		}
		same := unsafe.StringData(sent[i]) == unsafe.StringData(base.sent)
		sent[i] = base.sent
		return same, nil
	}
	for i := range hot {
		if _, err := hit(i); err != nil {
			return c, err
		}
	}
	choice := rand.New(rand.NewPCG(1, 2))
	for n, x := 0, 10; x <= most; x *= 10 {
		hits, runs := 0, 0
		for ; n < x; n++ {
			if err := run(fmt.Sprintf("SELECT title AS v%d FROM post WHERE id = $1", n)); err != nil {
				return c, err
			}
			same, err := hit(choice.IntN(hotSet))
			if err != nil {
				return c, err
			}
			if runs++; same {
				hits++
			}
		}
		used := heap() - before
		times := make([]float64, 30)
		for round := range times {
			i := 0
			if times[round], err = each(2000, func() error { i++; return run(hot[i%hotSet]) }); err != nil {
				return c, err
			}
		}
		c.Points = append(c.Points, point{x, []float64{float64(hits) / float64(runs), median(times), used / (1 << 20)}})
	}
	runtime.KeepAlive(conn)
	return c, nil
}

// heap returns the bytes that are in use on Go's heap.
func heap() float64 {
	// Twice, for what the first frees with finalizers; the cache works behind.
	runtime.GC()
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// A sentConn remembers the text that it was sent.
type sentConn struct {
	nullConn
	sent string
}

func (c *sentConn) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *sentConn) Driver() driver.Driver                        { return nil }

func (c *sentConn) ExecContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Result, error) {
	c.sent = text
	return driver.ResultNoRows, nil
}

// tables measures policies of more and more tables, by statements on the same few.
func tables(ctx context.Context, rounds int) (curve, error) {
	c := curve{
		Name: curveOfTables, X: "tables",
		Series: []string{"load, ms", "hot, to that of 10", "cold, to that of 10"},
		Chart:  []int{1, 2},
	}
	var measures []func() (float64, error)
	sizes := []int{10, 100, 1000, 10000}
	for _, size := range sizes {
		text := []byte(policyOf(size))
		p, err := policy.Parse("policy.yaml", text)
		if err != nil {
			return c, err
		}
		hot, err := hotOf(ctx, p)
		if err != nil {
			return c, err
		}
		one := rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)
		measures = append(measures,
			func() (float64, error) {
				took, err := timed(func() error { _, err := policy.Parse("policy.yaml", text); return err })
				return microseconds(took) / 1000, err
			},
			func() (float64, error) { return each(2000, func() error { return hot(pointRead.program, 7) }) },
			func() (float64, error) {
				return each(20, func() error { _, err := rewrite.New(joinRead.program, p, one); return err })
			})
	}
	times, err := interleave(rounds, measures)
	if err != nil {
		return c, err
	}
	for i, size := range sizes {
		c.Points = append(c.Points, point{size, []float64{
			median(times[3*i]), median(ratios(times[3*i+1], times[1])), median(ratios(times[3*i+2], times[2])),
		}})
	}
	return c, nil
}

// policyOf returns the policy with so many tables that there are size.
func policyOf(size int) string {
	var b strings.Builder
	b.Write(rules)
	for i := strings.Count(string(rules), "\n") - 4; i < size; i++ {
		if i%3 == 0 {
			fmt.Fprintf(&b, "  table_%d: {site: post_id -> post}\n", i)
		} else {
			fmt.Fprintf(&b, "  table_%d: {site: site_id}\n", i)
		}
	}
	return b.String()
}

// hotOf returns what runs a statement of one argument for a site, without a server.
func hotOf(ctx context.Context, p *policy.Policy) (func(text string, site int) error, error) {
	conn, err := nullConnector(p).Connect(ctx)
	if err != nil {
		return nil, err
	}
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	return func(text string, site int) error {
		_, err := conn.(driver.ExecerContext).ExecContext(scoped.With(ctx, "site", site), text, args)
		return err
	}, nil
}

// manyTenants runs one statement for more and more tenants in turn.
func manyTenants(ctx context.Context, p *policy.Policy, rounds int) (curve, error) {
	c := curve{Name: "Tenants", X: "tenants", Series: []string{"hot, with a new scope, µs", "to that of 1"}, Chart: []int{1}}
	var measures []func() (float64, error)
	sizes := []int{1, 10, 100, 1000, 10000, 100000}
	for _, size := range sizes {
		hot, err := hotOf(ctx, p)
		if err != nil {
			return c, err
		}
		site := 0
		measures = append(measures, func() (float64, error) {
			return each(5000, func() error { site++; return hot(pointRead.program, 1000000+site%size) })
		})
	}
	times, err := interleave(rounds, measures)
	if err != nil {
		return c, err
	}
	for i, size := range sizes {
		c.Points = append(c.Points, point{size, []float64{median(times[i]), median(ratios(times[i], times[0]))}})
	}
	return c, nil
}

// schemasInCache runs 20 statements in each of more and more schemas, over and over,
// with one cache of the default size.
func schemasInCache(ctx context.Context) (curve, error) {
	c := curve{
		Name: curveOfSchemas, X: "schemas of 20 statements",
		Series: []string{"hit rate", "first look-up, µs", "look-up, µs", "with a new scope, µs", "heap, MiB"},
		Chart:  []int{4},
	}
	p, err := policy.Parse("policy.yaml", []byte(schemaRules))
	if err != nil {
		return c, err
	}
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = strings.Replace(joinRead.program, "v0", fmt.Sprintf("v%d", i), 1)
	}
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	for _, size := range []int{1, 10, 100, 1000, 10000} {
		scopes := make([]context.Context, size)
		for i := range scopes {
			scopes[i] = scoped.With(ctx, "site", i)
		}
		before := heap()
		base := new(sentConn)
		conn, err := scoped.NewConnector(base, p).Connect(ctx)
		if err != nil {
			return c, err
		}
		run := func(ctx context.Context, i int) error {
			_, err := conn.(driver.ExecerContext).ExecContext(ctx, texts[i/size%len(texts)], args)
			return err
		}
		all := size * len(texts)
		sent := make([]*byte, all)
		i, hits := 0, 0
		next := func() error {
			err := run(scopes[i%size], i)
			// The text that is sent is the cache's own, and another one after a miss.
			text := unsafe.StringData(base.sent)
			if sent[i%all] == text {
				hits++
			}
			sent[i%all] = text
			i++
			return err
		}
		first, err := each(all, next)
		if err == nil {
			_, err = each(all, next)
		}
		if err != nil {
			return c, err
		}
		sent = nil
		used := heap() - before
		n := min(all, 2000)
		times, err := interleave(30, []func() (float64, error){
			func() (float64, error) {
				i := 0
				return each(n, func() error { i++; return run(scopes[i*7919%size], i*7919) })
			},
			func() (float64, error) {
				i := 0
				return each(n, func() error {
					i++
					return run(scoped.With(ctx, "site", i*7919%size), i*7919)
				})
			},
		})
		if err != nil {
			return c, err
		}
		c.Points = append(c.Points, point{size, []float64{float64(hits) / float64(all), first, median(times[0]), median(times[1]), used / (1 << 20)}})
		runtime.KeepAlive(conn)
		runtime.KeepAlive(scopes)
	}
	return c, nil
}

// valuesInScope reads a row by its key in a scope of more and more values.
func valuesInScope(ctx context.Context, rounds int) (curve, error) {
	c := curve{Name: "Values in a scope", X: "values", Series: []string{"scoped, µs", "filter by hand, µs", "scoped to the filter by hand"}, Chart: []int{2}}
	db, err := openDatabase(ctx)
	if err != nil {
		return c, err
	}
	defer db.close()
	sizes := []int{1, 2, 10, 100, 1000}
	var measures []func() (float64, error)
	for _, size := range sizes {
		ids := make([]int64, size)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		text, filter := strings.Replace(pointRead.byHand, "= $2", "= ANY ($2)", 1), any(ids)
		if size == 1 {
			text, filter = pointRead.byHand, ids[0]
		}
		inScope, i := scoped.With(ctx, "site", scoped.AnyOf(ids)), 0
		one := func(run func(post int64) (rows, error)) func() (float64, error) {
			return func() (float64, error) {
				var latencies []float64
				for range 100 {
					i++
					took, err := timed(func() error {
						r, err := run(postOf(1+i%size, i))
						if err == nil && len(r) != 1 {
							err = fmt.Errorf("%d rows", len(r))
						}
						return err
					})
					if err != nil {
						return 0, err
					}
					latencies = append(latencies, microseconds(took))
				}
				return median(latencies), nil
			}
		}
		measures = append(measures,
			one(func(post int64) (rows, error) {
				return read(db.arms.guarded.QueryContext(inScope, pointRead.program, post))
			}),
			one(func(post int64) (rows, error) { return read(db.arms.plain.QueryContext(ctx, text, post, filter)) }))
	}
	times, err := interleave(rounds, measures)
	if err != nil {
		return c, err
	}
	for i, size := range sizes {
		of, to := times[2*i], times[2*i+1]
		c.Points = append(c.Points, point{size, []float64{median(of), median(to), median(ratios(of, to))}})
	}
	return c, nil
}

// nesting rewrites subqueries in subqueries, each on a scoped table.
func nesting(p *policy.Policy, rounds int, quick bool) (curve, error) {
	c := curve{Name: "Nesting", X: "subqueries in one another", Series: []string{"rewrite, µs", "parser alone, µs", "rewrite to the parser alone"}, Chart: []int{2}}
	one := rewrite.Shape(0).With(p.Dimension("site"), rewrite.One)
	depths := []int{1, 2, 5, 10, 20, 50, 100, 200, 400}
	if quick {
		depths = depths[:7]
	}
	var measures []func() (float64, error)
	for _, depth := range depths {
		text := strings.Repeat("SELECT id FROM post WHERE id IN (", depth) + "SELECT 1" + strings.Repeat(")", depth)
		n := max(1, 100/depth)
		measures = append(measures,
			func() (float64, error) {
				return each(n, func() error { _, err := rewrite.New(text, p, one); return err })
			},
			func() (float64, error) { return each(n, func() error { return parse(text) }) })
	}
	times, err := interleave(rounds, measures)
	if err != nil {
		return c, err
	}
	for i, depth := range depths {
		of, to := times[2*i], times[2*i+1]
		c.Points = append(c.Points, point{depth, []float64{median(of), median(to), median(ratios(of, to))}})
	}
	return c, nil
}

// interleave lets the measures take turns, after one round of warming up. The
// results are by measure and round.
func interleave(rounds int, measures []func() (float64, error)) ([][]float64, error) {
	results := make([][]float64, len(measures))
	for round := range rounds + 1 {
		for i, measure := range measures {
			v, err := measure()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				results[i] = append(results[i], v)
			}
		}
	}
	return results, nil
}

func (b *bench) reportCurve(c curve) {
	fmt.Fprintf(b.out, "\n%s\n\n", c.Name)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join(slices.Concat([]string{c.X}, c.Series), "\t")+"\t")
	for _, p := range c.Points {
		fmt.Fprintf(w, "%d\t", p.X)
		for _, v := range p.Values {
			fmt.Fprintf(w, "%.4g\t", v)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
