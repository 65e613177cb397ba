package corpus

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// Presences are how the dimensions are active in the runs; all are alike.
var Presences = []rewrite.Presence{rewrite.One, rewrite.Many, rewrite.All, rewrite.Absent}

var presenceNames = map[rewrite.Presence]string{
	rewrite.One: "one value", rewrite.Many: "many", rewrite.All: "all", rewrite.Absent: "no scope",
}

// A Result is what became of the statements.
type Result struct {
	Texts, Unparsed int // texts, and those that the parser does not accept
	Statements      int
	Runs            int // statements times schemes times presences, without a catalogue and with one
	Probes          int // see probe

	Counts  map[Cell]Count
	Reasons map[Reason]*Refusals
	Faults  []Fault // what must not be: panics, untyped errors, refusals by the certificate
	Slowest []Timing
	Elapsed time.Duration
}

// A Cell is what counts are told apart by.
type Cell struct {
	Origin   Origin
	Kind     Kind
	Scheme   Scheme
	Presence rewrite.Presence
	Snapshot bool // whether there is a catalogue of the tables that are written to
}

// A Count is the number of statements, and of those that were accepted.
type Count struct {
	Accepted   int
	Catalogues int // refused for a system catalogue that may not be read or written
	All        int
}

// Rate is the share that was accepted of the statements that use no system
// catalogue but those that may be read. It is 1 where there were none.
func (c Count) Rate() float64 {
	if c.All == c.Catalogues {
		return 1
	}
	return float64(c.Accepted) / float64(c.All-c.Catalogues)
}

func (c Count) plus(other Count) Count {
	return Count{c.Accepted + other.Accepted, c.Catalogues + other.Catalogues, c.All + other.All}
}

// A Reason is why statements of a cell were refused, without the names that the
// message holds.
type Reason struct {
	Cell
	Code    rewrite.Code
	Message string
}

// Refusals are the statements that were refused for one reason.
type Refusals struct {
	Count   int
	Example string // the shortest of them
}

// A Fault is a statement for which the rewriter did what it never may.
type Fault struct {
	Statement Statement
	Scheme    Scheme
	Presence  rewrite.Presence
	Snapshot  bool
	What      string // "panic", "untyped error" or "certificate"
	Detail    string
}

// A Timing is the longest that one rewrite of a statement took, and what it
// allocated on Go's heap.
type Timing struct {
	Statement Statement
	Took      time.Duration
	Bytes     uint64
	scheme    Scheme
	presence  rewrite.Presence
}

// Total adds up the counts of the cells that match.
func (r *Result) Total(match func(Cell) bool) Count {
	var total Count
	for cell, count := range r.Counts {
		if match(cell) {
			total = total.plus(count)
		}
	}
	return total
}

// Run rewrites every statement of the texts under every scheme and presence. The
// work is shared by as many workers as Go has processors.
func Run(texts []Text) *Result {
	start := time.Now()
	total := &Result{Texts: len(texts), Counts: map[Cell]Count{}, Reasons: map[Reason]*Refusals{}}
	var cache policies
	var mutex sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan []Text)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			own := &Result{Counts: map[Cell]Count{}, Reasons: map[Reason]*Refusals{}}
			for batch := range queue {
				for _, text := range batch {
					own.text(text, &cache)
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			total.add(own)
		})
	}
	for batch := range slices.Chunk(texts, 64) {
		queue <- batch
	}
	close(queue)
	workers.Wait()
	total.Elapsed = time.Since(start)
	total.keepSlowest()
	total.weigh(&cache)
	slices.SortFunc(total.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Detail, b.Detail),
			cmp.Compare(len(a.Statement.SQL), len(b.Statement.SQL)), cmp.Compare(a.Statement.SQL, b.Statement.SQL))
	})
	return total
}

func (r *Result) add(other *Result) {
	r.Unparsed += other.Unparsed
	r.Statements += other.Statements
	r.Runs += other.Runs
	r.Probes += other.Probes
	r.Faults = append(r.Faults, other.Faults...)
	r.Slowest = append(r.Slowest, other.Slowest...)
	for cell, count := range other.Counts {
		r.Counts[cell] = r.Counts[cell].plus(count)
	}
	for reason, refusals := range other.Reasons {
		r.refused(reason, refusals.Count, refusals.Example)
	}
}

func (r *Result) refused(reason Reason, count int, example string) {
	known := r.Reasons[reason]
	if known == nil {
		known = &Refusals{Example: example}
		r.Reasons[reason] = known
	}
	known.Count += count
	if len(example) < len(known.Example) || len(example) == len(known.Example) && example < known.Example {
		known.Example = example
	}
}

func (r *Result) text(t Text, cache *policies) {
	statements := Split(t)
	if statements == nil {
		r.Unparsed++
	}
	for _, s := range statements {
		r.Statements++
		if s.Origin == Input {
			r.probe(s)
		}
		found, known := namesOf(s.tree), snapshotOf(s.tree)
		s.tree = nil
		slowest := Timing{Statement: s}
		for _, scheme := range Schemes {
			p, err := cache.of(found.yaml(scheme))
			if err != nil {
				r.fault(s, Cell{Scheme: scheme}, "policy", err.Error())
				continue
			}
			for _, presence := range Presences {
				began := time.Now()
				r.statement(s, rewrite.Rewriter{Policy: p}, Cell{s.Origin, s.Kind, scheme, presence, false})
				if took := time.Since(began); took > slowest.Took {
					slowest.Took, slowest.scheme, slowest.presence = took, scheme, presence
				}
				r.statement(s, rewrite.Rewriter{Policy: p, Catalog: known}, Cell{s.Origin, s.Kind, scheme, presence, true})
			}
		}
		r.Slowest = append(r.Slowest, slowest)
		if len(r.Slowest) > 4000 {
			r.keepSlowest()
		}
	}
}

func shape(p *policy.Policy, presence rewrite.Presence) rewrite.Shape {
	var s rewrite.Shape
	for _, d := range p.Dimensions() {
		s = s.With(d, presence)
	}
	return s
}

func (r *Result) statement(s Statement, w rewrite.Rewriter, cell Cell) {
	r.Runs++
	count := r.Counts[cell]
	count.All++
	defer func() {
		if v := recover(); v != nil {
			r.fault(s, cell, "panic", fmt.Sprintf("%v\n%s", v, debug.Stack()))
		}
		r.Counts[cell] = count
	}()
	rewritten, err := w.Rewrite(s.SQL, shape(w.Policy, cell.Presence))
	var e *rewrite.Error
	switch {
	case err == nil:
		count.Accepted++
		for _, position := range []int{1, len(rewritten.SQL) / 2, len(rewritten.SQL)} {
			if at := rewritten.UserPosition(position); at < 0 || at > len(s.SQL)+1 {
				r.fault(s, cell, "position", fmt.Sprintf("%d becomes %d", position, at))
				break
			}
		}
	case !errors.As(err, &e) || e.Code == "" || e.Message == "":
		r.fault(s, cell, "untyped error", fmt.Sprintf("%T: %v", err, err))
	default:
		r.refused(Reason{cell, e.Code, general(e)}, 1, s.SQL)
		switch {
		case e.Code == rewrite.CodeTable && isCatalog(e.Table):
			count.Catalogues++
		case e.Code == rewrite.CodeCertificate:
			_, why, _ := strings.Cut(general(e), ": ")
			r.fault(s, cell, "certificate", why)
		}
	}
}

func (r *Result) fault(s Statement, c Cell, what, detail string) {
	r.Faults = append(r.Faults, Fault{s, c.Scheme, c.Presence, c.Snapshot, what, detail})
}

var (
	inQuotes    = regexp.MustCompile(`"[^"]*"`)
	number      = regexp.MustCompile(`\$?\b[0-9]+\b`)
	named       = regexp.MustCompile(`\b(table|function|method|names no|writes to|WITH query|value of|gives|DEFAULT of) (?:"[^"]*"|[^ ,;:])+`)
	particulars = regexp.MustCompile(`: table [^ ]*$`)
	command     = regexp.MustCompile(`^[A-Z ]+ is not accepted while`)
)

// general returns an error's message without the names in it, but for those of
// system catalogues.
func general(e *rewrite.Error) string {
	if e.Code == rewrite.CodeTable && isCatalog(e.Table) {
		return e.Message
	}
	message := particulars.ReplaceAllString(e.Message, "")
	message = command.ReplaceAllString(message, "it is not accepted while")
	message = named.ReplaceAllStringFunc(message, func(match string) string {
		if strings.HasSuffix(match, " that") || strings.HasSuffix(match, " or") {
			return match
		}
		return match[:strings.LastIndexByte(match, ' ')] + " …"
	})
	message = inQuotes.ReplaceAllString(message, "…")
	return number.ReplaceAllString(message, "N")
}

// isCatalog reports whether a table, named as in errors, is the system's.
func isCatalog(table string) bool {
	schema, short, qualified := strings.Cut(table, ".")
	if !qualified {
		return builtin.IsCatalog(schema)
	}
	return schema == "pg_catalog" && short != "" || schema == "information_schema"
}

func (r *Result) keepSlowest() {
	slices.SortFunc(r.Slowest, func(a, b Timing) int { return cmp.Compare(b.Took, a.Took) })
	if len(r.Slowest) > 100 {
		r.Slowest = r.Slowest[:100]
	}
}

// weigh runs the slowest statements again, alone, and takes the best of three
// times: in the great run they wait for each other's processors. What they
// allocate on Go's heap is counted.
func (r *Result) weigh(cache *policies) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	for i := range r.Slowest {
		t := &r.Slowest[i]
		statements := Split(t.Statement.Text)
		if len(statements) == 0 {
			continue
		}
		p, err := cache.of(namesOf(statements[0].tree).yaml(t.scheme))
		if err != nil {
			continue
		}
		for try := range 3 {
			metrics.Read(sample)
			before := sample[0].Value.Uint64()
			began := time.Now()
			func() {
				defer func() { _ = recover() }()
				_, _ = rewrite.New(t.Statement.SQL, p, shape(p, t.presence))
			}()
			took := time.Since(began)
			metrics.Read(sample)
			if try == 0 || took < t.Took {
				t.Took = took
			}
			t.Bytes = sample[0].Value.Uint64() - before
		}
	}
	r.keepSlowest()
}

// reasons returns why statements of the matching cells were refused, the most
// frequent first. The cells are merged.
func (r *Result) reasons(match func(Cell) bool) []reasonCount {
	merged := map[Reason]*Refusals{}
	all := &Result{Reasons: merged}
	for reason, refusals := range r.Reasons {
		if match(reason.Cell) {
			reason.Cell = Cell{Kind: reason.Kind}
			all.refused(reason, refusals.Count, refusals.Example)
		}
	}
	var list []reasonCount
	for _, reason := range slices.Collect(maps.Keys(merged)) {
		list = append(list, reasonCount{reason, *merged[reason]})
	}
	slices.SortFunc(list, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Message, b.Message))
	})
	return list
}

type reasonCount struct {
	Reason
	Refusals
}
