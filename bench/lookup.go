package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"runtime"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

// A lookupResult is what a statement costs that was seen before, without any
// server: on a base whose connections do nothing, minus what that base costs alone.
type lookupResult struct {
	Statement   string  `json:"statement"`
	Parse       spread  `json:"parse_us"`
	Hot         spread  `json:"hot_us"`
	Ratio       spread  `json:"ratio"`
	Allocations float64 `json:"allocations"`
	Bytes       float64 `json:"bytes"`
	InTurn      spread  `json:"in_turn_us"`    // with others, so many that its connection has none at hand
	WithScope   spread  `json:"with_scope_us"` // a new scope made for it
}

// A scalingResult is how much more is done per second by several cores than by
// one, beside what a loop that shares nothing gains in the same rounds.
type scalingResult struct {
	What     string `json:"what"`
	Loop     string `json:"loop"`
	Cores    int    `json:"cores"`
	Gain     spread `json:"gain"`
	LoopGain spread `json:"loop_gain"`
	Ratio    spread `json:"ratio"`
}

var lookups = []struct {
	name string
	*operation
}{
	{"point read", pointRead}, {"3-join read", joinRead}, {"path read", pathRead},
	{"insert", insert}, {"update", update}, {"bulk insert", bulkInsert},
}

func (b *bench) lookup(ctx context.Context) error {
	p, err := policy.Parse("policy.yaml", rules)
	if err != nil {
		return err
	}
	rounds := b.roundsOr(50)
	if b.quick {
		rounds = b.roundsOr(15)
	}
	conn, err := nullConnector(p).Connect(ctx)
	if err != nil {
		return err
	}
	b.results.Lookups, b.results.Scaling = nil, nil
	for _, l := range lookups {
		r, err := lookupOf(ctx, conn, l.operation, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		r.Statement = l.name
		b.results.Lookups = append(b.results.Lookups, r)
	}
	cores := []int{2}
	if n := runtime.NumCPU(); n > 2 {
		cores = append(cores, n)
	}
	for _, n := range cores {
		if n > runtime.NumCPU() {
			continue
		}
		of, err := scalingOf(ctx, p, n, rounds)
		if err != nil {
			return err
		}
		b.results.Scaling = append(b.results.Scaling, of...)
	}
	b.reportLookups()
	return nil
}

// lookupOf measures one statement, hot, beside the parser on the same text.
func lookupOf(ctx context.Context, conn driver.Conn, o *operation, rounds int) (lookupResult, error) {
	const site = 7
	text := o.program
	guarded, base := conn.(driver.ExecerContext), nullConn{}
	inScope := scoped.With(ctx, "site", site)
	var args []driver.NamedValue
	for i, v := range o.args(site, 1) {
		args = append(args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	send := func(ctx context.Context, text string) error {
		_, err := guarded.ExecContext(ctx, text, args)
		return err
	}
	hot := func(ctx context.Context) error { return send(ctx, text) }
	if err := hot(inScope); err != nil {
		return lookupResult{}, err
	}
	others, turn := make([]string, 64), 0
	for i := range others {
		others[i] = fresh(text)
		if err := send(inScope, others[i]); err != nil {
			return lookupResult{}, err
		}
	}
	inTurn := func() error {
		turn++
		return send(inScope, others[turn%len(others)])
	}
	parses, hots, bases := make([]float64, rounds), make([]float64, rounds), make([]float64, rounds)
	inTurns, anew := make([]float64, rounds), make([]float64, rounds)
	for round := range rounds {
		var err error
		if parses[round], err = each(20, func() error { return parse(text) }); err != nil {
			return lookupResult{}, err
		}
		runtime.GC() // what the parser left is not the look-up's
		bases[round], _ = each(2000, func() error {
			_, err := base.ExecContext(inScope, text, args)
			return err
		})
		if hots[round], err = each(2000, func() error { return hot(inScope) }); err != nil {
			return lookupResult{}, err
		}
		if inTurns[round], err = each(2000, inTurn); err != nil {
			return lookupResult{}, err
		}
		if anew[round], err = each(2000, func() error { return hot(scoped.With(ctx, "site", site)) }); err != nil {
			return lookupResult{}, err
		}
		hots[round] -= bases[round]
		inTurns[round] -= bases[round]
		anew[round] -= bases[round]
	}
	r := lookupResult{Parse: spreadOf(parses), Hot: spreadOf(hots), InTurn: spreadOf(inTurns), WithScope: spreadOf(anew), Ratio: spreadOf(ratios(hots, parses))}
	const runs = 1000
	r.Allocations, r.Bytes = allocations(func() error {
		for range runs {
			_ = hot(inScope)
		}
		return nil
	})
	r.Allocations, r.Bytes = r.Allocations/runs, r.Bytes/runs
	return r, nil
}

// each returns how many µs one of n runs of f takes: the median of twenty pieces,
// of which some are interrupted.
func each(n int, f func() error) (float64, error) {
	pieces := min(n, 20)
	times := make([]float64, pieces)
	for i := range times {
		took, err := timed(func() error {
			for range n / pieces {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		times[i] = microseconds(took) / float64(n/pieces)
	}
	return median(times), nil
}

// scalingOf measures look-ups on one core and on n.
func scalingOf(ctx context.Context, p *policy.Policy, n, rounds int) ([]scalingResult, error) {
	connector := nullConnector(p)
	texts := make([]string, 1000)
	for i := range texts {
		texts[i] = fmt.Sprintf("SELECT title AS v%d FROM post WHERE id = $1", i)
	}
	same := make([]string, len(texts))
	shared := make([]string, len(texts))
	for i := range same {
		same[i] = texts[0]
		shared[i] = fmt.Sprintf("SELECT name AS v%d FROM country WHERE id = $1", i)
	}
	// Each worker has a connection and a scope, as in a program each request has.
	worker := func(texts []string) func() (func(), error) {
		return func() (func(), error) {
			conn, err := connector.Connect(ctx)
			if err != nil {
				return nil, err
			}
			inScope := scoped.With(ctx, "site", 7)
			args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
			execer := conn.(driver.ExecerContext)
			for _, text := range texts {
				if _, err := execer.ExecContext(inScope, text, args); err != nil {
					return nil, err
				}
			}
			return func() { // nothing is written that could lie beside what another worker writes
				for _, text := range texts {
					_, _ = execer.ExecContext(inScope, text, args)
				}
			}, nil
		}
	}
	whats := []struct {
		name   string
		beside int
		worker func() (func(), error)
	}{
		{"an empty loop", 0, func() (func(), error) { return emptyLoop, nil }},
		{"a loop that makes the arguments", 1, func() (func(), error) { return argumentsLoop(), nil }},
		{"look-ups of 1,000 statements without scope values", 0, worker(shared)},
		{"look-ups of 1,000 statements, the scope's value appended", 1, worker(texts)},
		{"look-ups of one statement, the scope's value appended", 1, worker(same)},
	}
	gains := make([][]float64, len(whats))
	bodies := make([][]func(), len(whats))
	for i, what := range whats {
		for range n {
			body, err := what.worker()
			if err != nil {
				return nil, err
			}
			bodies[i] = append(bodies[i], body)
		}
	}
	const slice = 20 * time.Millisecond
	for round := range rounds {
		for i := range whats {
			at := (i + round) % len(whats)
			one, several := perSecond(bodies[at][:1], slice), perSecond(bodies[at], slice)
			gains[at] = append(gains[at], several/one)
		}
	}
	var results []scalingResult
	for i, what := range whats {
		if i == what.beside {
			continue
		}
		loop := gains[what.beside]
		results = append(results, scalingResult{what.name, whats[what.beside].name, n, spreadOf(gains[i]), spreadOf(loop), spreadOf(ratios(gains[i], loop))})
	}
	return results, nil
}

// perSecond runs each body in a goroutine of its own, again and again, and returns
// how many runs there were in a second.
func perSecond(bodies []func(), slice time.Duration) float64 {
	rates := make([]float64, len(bodies))
	var workers sync.WaitGroup
	for i, body := range bodies {
		workers.Go(func() {
			start, n := time.Now(), 0
			for time.Since(start) < slice {
				body()
				n++
			}
			rates[i] = float64(n) / time.Since(start).Seconds()
		})
	}
	workers.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

func emptyLoop() {
	for range 20000 {
	}
}

// argumentsLoop makes what a look-up has to, the arguments with one more behind
// them. Memory is what two cores share in Go, whoever asks for it.
func argumentsLoop() func() {
	args := []driver.NamedValue{{Ordinal: 1, Value: int64(5)}}
	var value driver.Value = int64(7)
	kept := new(struct {
		_    [128]byte
		args []driver.NamedValue
		_    [128]byte
	})
	return func() {
		for range 1000 {
			extended := make([]driver.NamedValue, len(args), len(args)+1)
			copy(extended, args)
			kept.args = append(extended, driver.NamedValue{Ordinal: 2, Value: value})
		}
	}
}

// nullConnector is a connector whose statements reach no server.
func nullConnector(p *policy.Policy, options ...scoped.Option) scoped.Connector {
	return scoped.NewConnector(null{}, p, options...)
}

type null struct{}

func (null) Connect(context.Context) (driver.Conn, error) { return nullConn{}, nil }
func (null) Driver() driver.Driver                        { return nil }

// A nullConn does nothing, and remembers nothing.
type nullConn struct{}

func (nullConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (nullConn) Close() error                             { return nil }
func (nullConn) Begin() (driver.Tx, error)                { return nil, driver.ErrSkip }
func (nullConn) CheckNamedValue(*driver.NamedValue) error { return nil }
func (nullConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, nil
}

func (b *bench) reportLookups() {
	fmt.Fprintf(b.out, "\nHot: a statement that was seen before, without a server, beside the parser alone; µs, medians\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "statement\tparse\thot\tratio\t1 /\tallocations\tbytes\tone of 64\twith a new scope\t")
	for _, r := range b.results.Lookups {
		fmt.Fprintf(w, "%s\t%.2f\t%.3f\t%.4f\t%.0f\t%.2f\t%.0f\t%.3f\t%.3f\t\n", r.Statement, r.Parse.Median, r.Hot.Median,
			r.Ratio.Median, 1/r.Ratio.Median, r.Allocations, r.Bytes, r.InTurn.Median, r.WithScope.Median)
	}
	w.Flush()
	fmt.Fprintf(b.out, "\nFrom 1 core to several: what a second gains, beside a loop in the same rounds\n\n")
	fmt.Fprintln(w, "what\tcores\tgain\tbeside\tits gain\tratio\tquartiles\t")
	for _, r := range b.results.Scaling {
		fmt.Fprintf(w, "%s\t%d\t%.2f\t%s\t%.2f\t%s\t\n", r.What, r.Cores, r.Gain.Median, r.Loop, r.LoopGain.Median, &r.Ratio)
	}
	w.Flush()
}
