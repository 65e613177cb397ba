package isolation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Why a difference is set aside. Each reason says what was run to show it.
const (
	byChance   = "another run of the statement differs, this one does not"
	anotherRun = "the answer is that of another run of the statement on the tenant's own database"
	openAnswer = "runs of the statement differ, and the answer is the rewrite's on the tenant's own database"
	ownFailure = "the rewrite fails alike on the tenant's own database"
)

// shuffles is how often a statement whose answer differs is run again.
const shuffles = 60

// explain looks for a proof that PostgreSQL leaves the answer to a statement
// open, and that rows of others have no part in the one given. It runs the
// statement on the tenant's own database over and over, with its rows in other
// orders, other statistics and other plans, until one of these runs gives the
// answer in question. Or the rewrite gives it there too, where there are no rows
// of others, and it is a failure on a value, or two runs of the statement differ.
// Open says that two are known to.
func (c *comparison) explain(ctx context.Context, result Result, open bool) (Result, error) {
	own := c.oracle.own
	reason := ""
	for i := 1; i < len(own)+shuffles; i++ {
		a, original, altered := own[i%len(own)], c.original, c.altered
		if i >= len(own) {
			a, original.before = own[i%len(layouts)], shuffle(uint64(i))
			altered.before = original.before
		}
		other, err := a.run(ctx, original)
		if err != nil {
			return Result{}, err
		}
		if other.code == "57014" {
			continue
		}
		switch c.judge(other, c.got, c.oracle.hidden).Verdict {
		case Different, Order, Leak:
		default:
			return Result{Verdict: Undetermined, Detail: anotherRun}, nil
		}
		open = open || c.want.differs(other, c.ordered) != ""
		if reason == "" {
			other, err := altered.on(ctx, a, c.rewrite)
			if err != nil {
				return Result{}, err
			}
			switch {
			case other.differs(c.got, c.ordered) != "" || other.message != c.got.message:
			case isDataError(c.got.code):
				reason = ownFailure
			case !c.got.failed() && slices.Equal(c.got.fields, c.want.fields):
				reason = openAnswer
			}
		}
		if reason == ownFailure || reason == openAnswer && open {
			return Result{Verdict: Undetermined, Detail: reason}, nil
		}
	}
	return result, nil
}

// shuffle returns commands that write the tenant's rows again in another order,
// falsify what the planner knows of them, and change its settings: always the
// same for one seed.
func shuffle(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	if r.IntN(4) > 0 {
		b.WriteString(layoutSQL(fmt.Sprintf("md5(t::text || %d)", seed)))
	}
	tables := "'{" + strings.Join(Tables(), ",") + "}'::regclass[]"
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "UPDATE pg_class SET reltuples = reltuples * %d WHERE oid = ANY (%s) AND hashint4(oid::integer) %% 3 <> %d;\n", 1+r.IntN(1000), tables, r.IntN(3))
	}
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "DELETE FROM pg_statistic WHERE starelid = ANY (%s);\n", tables)
	}
	for _, name := range []string{"bitmapscan", "hashagg", "hashjoin", "incremental_sort", "indexonlyscan", "indexscan", "material", "memoize", "mergejoin", "nestloop", "seqscan", "sort"} {
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "SET LOCAL enable_%s = off;\n", name)
		}
	}
	if r.IntN(2) == 0 {
		// The genetic optimizer joins in an order that depends on its seed.
		fmt.Fprintf(&b, "SET LOCAL geqo_threshold = 2; SET LOCAL geqo_seed = %.2f;\n", r.Float64())
	}
	if r.IntN(3) == 0 {
		b.WriteString("SET LOCAL join_collapse_limit = 1; SET LOCAL from_collapse_limit = 1;\n")
	}
	if r.IntN(3) == 0 {
		b.WriteString("SET LOCAL work_mem = '64kB';\n")
	}
	return b.String()
}
