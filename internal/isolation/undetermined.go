package isolation

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// Why a difference is set aside. Each reason says what was run to show it.
const (
	byChance   = "another run of the statement differs, this one does not"
	anotherRun = "the answer is that of another run of the statement on the tenant's own database"
	openAnswer = "runs of the statement differ, and the answer is the rewrite's on the tenant's own database"
	openRows   = "runs of the statement differ, and each row of the answer is of one of them"
	limited    = "the statement does not decide which rows its LIMIT leaves, and each is one that it has without"
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
// Or they differ, and each row of the answer is of one of them: so it is where
// several rows offer a value for an UPDATE. Or a LIMIT without ORDER BY ends the
// statement, and the answer is a part of what there is without it. Open says that
// two runs are known to differ.
func (c *comparison) explain(ctx context.Context, result Result, open bool) (Result, error) {
	own := c.oracle.own
	tables := slices.DeleteFunc(Tables(), func(name string) bool { return !strings.Contains(c.original.sql, name) })
	if part, err := c.isPart(ctx); err != nil || part {
		return Result{Verdict: Undetermined, Detail: limited}, err
	}
	alike, seen := "", rowSets{}
	c.oracle.before.eachOfTables(seen.add)
	for i := range len(own) + shuffles {
		a, original, altered := own[i%len(own)], c.original, c.altered
		original.rows = true
		if i >= len(own) {
			a, original.before = own[i%len(layouts)], shuffle(uint64(i), tables)
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
		open = open || c.want.differs(other, c.ordered) != "" || !maps.Equal(c.want.hidden, other.hidden)
		other.eachRow(seen.add)
		if alike == "" {
			other, err := altered.on(ctx, a, c.rewrite)
			if err != nil {
				return Result{}, err
			}
			switch {
			case other.differs(c.got, c.ordered) != "" || other.message != c.got.message:
			case isDataError(c.got.code):
				alike = ownFailure
			case !c.got.failed() && slices.Equal(c.got.fields, c.want.fields):
				alike = openAnswer
			}
		}
		if alike == ownFailure || alike == openAnswer && open {
			return Result{Verdict: Undetermined, Detail: alike}, nil
		}
	}
	if open && !c.got.failed() && slices.Equal(c.got.fields, c.want.fields) {
		altered := c.altered
		altered.rows = true
		got, err := altered.on(ctx, c.oracle.full[c.plan], c.rewrite)
		if err == nil && c.judge(c.want, got, c.oracle.hidden).Verdict != Leak && got.eachRow(seen.has) {
			result = Result{Verdict: Undetermined, Detail: openRows}
		}
		return result, err
	}
	return result, nil
}

// isPart reports whether a LIMIT or OFFSET without ORDER BY ends the statement
// and leaves, as in the tenant's own database, so many of the rows that there
// are without it.
func (c *comparison) isPart(ctx context.Context) (bool, error) {
	sql := unlimited(c.original.sql)
	if sql == "" || c.original.writes || c.got.failed() || !slices.Equal(c.got.fields, c.want.fields) || len(c.got.rows) != len(c.want.rows) {
		return false, nil
	}
	all := c.original
	all.sql = sql
	first, err := c.oracle.own[0].run(ctx, all)
	if err != nil {
		return false, err
	}
	second, err := c.oracle.own[1].run(ctx, all)
	if err != nil || first.failed() || first.differs(second, false) != "" {
		return false, err
	}
	left := map[string]int{}
	for _, row := range first.rows {
		left[row]++
	}
	for _, row := range c.got.rows {
		if left[row]--; left[row] < 0 {
			return false, nil
		}
	}
	return true, nil
}

// unlimited returns a SELECT without the LIMIT and OFFSET at its end, or nothing
// where it has none or an ORDER BY.
func unlimited(sql string) string {
	stmts, err := pgparse.Parse(sql)
	if err != nil || len(stmts) != 1 {
		return ""
	}
	s := stmts[0].Stmt.GetSelectStmt()
	if s == nil || len(s.SortClause) > 0 {
		return ""
	}
	tokens, err := pgparse.Scan(sql)
	if err != nil {
		return ""
	}
	depth := 0
	for _, t := range tokens {
		switch t.Token {
		case pgparse.Token_ASCII_40, pgparse.Token_ASCII_91:
			depth++
		case pgparse.Token_ASCII_41, pgparse.Token_ASCII_93:
			depth--
		case pgparse.Token_LIMIT, pgparse.Token_OFFSET, pgparse.Token_FETCH:
			if depth == 0 {
				return sql[:t.Start]
			}
		}
	}
	return ""
}

// A rowSets holds the rows that answers had, and those that they left in the
// tables, under the name of each; how many there were is a row too.
type rowSets map[string]map[string]bool

func (s rowSets) add(table, row string) bool {
	if s[table] == nil {
		s[table] = map[string]bool{}
	}
	s[table][row] = true
	return true
}

func (s rowSets) has(table, row string) bool { return s[table][row] }

// eachRow calls f for the rows of an outcome while it returns true, and returns
// whether it always did.
func (o *outcome) eachRow(f func(table, row string) bool) bool {
	for _, row := range o.rows {
		if !f("", row) {
			return false
		}
	}
	for table, s := range o.visible {
		if !f(table, s.count+" rows") {
			return false
		}
	}
	return o.eachOfTables(f) && f("", fmt.Sprint(len(o.rows), " rows"))
}

func (o *outcome) eachOfTables(f func(table, row string) bool) bool {
	for table, rows := range o.tables {
		for _, row := range rows {
			if !f(table, row) {
				return false
			}
		}
	}
	return true
}

// shuffle returns commands that write the tenant's rows of some tables again in
// another order, falsify what the planner knows of them, and change its settings:
// always the same for one seed.
func shuffle(seed uint64, tables []string) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	if r.IntN(4) > 0 {
		b.WriteString(layoutSQL(fmt.Sprintf("md5(t::text || %d)", seed), tables))
	}
	classes := "'{" + strings.Join(tables, ",") + "}'::regclass[]"
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "UPDATE pg_class SET reltuples = reltuples * %d WHERE oid = ANY (%s) AND hashint4(oid::integer) %% 3 <> %d;\n", 1+r.IntN(1000), classes, r.IntN(3))
	}
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "DELETE FROM pg_statistic WHERE starelid = ANY (%s);\n", classes)
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
