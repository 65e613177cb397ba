package corpus

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/rewrite"
)

// Report writes the result as the tables of docs/corpora.md.
func (r *Result) Report(w io.Writer) {
	fmt.Fprintf(w, "%d distinct texts, of which the parser does not accept %d; %d statements, %d rewrites and %d probes in %.0f s.\n",
		r.Texts, r.Unparsed, r.Statements, r.Runs, r.Probes, r.Elapsed.Seconds())
	r.reportKinds(w)
	r.reportCells(w)
	r.reportReasons(w)
	r.reportSlowest(w)
	r.reportFaults(w)
}

// reportKinds writes how much is accepted of each kind. With a catalogue is what
// is accepted where that of the tables which a statement writes to is known.
func (r *Result) reportKinds(w io.Writer) {
	fmt.Fprint(w, "\n## Accepted, every table scoped by a column, one value in scope\n")
	for _, table := range []struct {
		title string
		match func(Cell) bool
	}{
		{"The texts that the parser is tested with", func(c Cell) bool { return c.Origin == Input }},
		{"All, with the forms that the deparser prints and with parameters for constants", func(Cell) bool { return true }},
	} {
		fmt.Fprintf(w, "\n%s:\n\n| kind | statements | accepted | | refused for a system catalogue | of the others | with a catalogue | of the others |\n"+
			"|---|---|---|---|---|---|---|---|\n", table.title)
		for _, kind := range Kinds {
			without, with := r.both(func(c Cell) bool {
				return table.match(c) && c.Kind == kind && c.Scheme == Direct && c.Presence == rewrite.One
			})
			if without.All > 0 {
				fmt.Fprintf(w, "| %s | %d | %d | %.2f %% | %d | %.2f %% | %d | %.2f %% |\n", kind, without.All,
					without.Accepted, 100*float64(without.Accepted)/float64(without.All), without.Catalogues, 100*without.Rate(), with.Accepted, 100*with.Rate())
			}
		}
	}
}

// both adds up the counts of the cells that match, without a catalogue and with one.
func (r *Result) both(match func(Cell) bool) (without, with Count) {
	return r.Total(func(c Cell) bool { return !c.Snapshot && match(c) }), r.Total(func(c Cell) bool { return c.Snapshot && match(c) })
}

func (r *Result) reportCells(w io.Writer) {
	fmt.Fprint(w, "\n## Accepted under each scheme and scope, of those that use no refused system catalogue\n\n"+
		"Where it makes a difference: without a catalogue / with one.\n\n| scheme | scope |")
	for _, kind := range Kinds {
		fmt.Fprintf(w, " %s |", kind)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n", strings.Repeat("---|", len(Kinds)))
	for _, scheme := range Schemes {
		for _, presence := range Presences {
			fmt.Fprintf(w, "| %s | %s |", scheme, presenceNames[presence])
			for _, kind := range Kinds {
				without, with := r.both(func(c Cell) bool { return c.Kind == kind && c.Scheme == scheme && c.Presence == presence })
				if without != with {
					fmt.Fprintf(w, " %.2f /", 100*without.Rate())
				}
				fmt.Fprintf(w, " %.2f %% |", 100*with.Rate())
			}
			fmt.Fprintln(w)
		}
	}
}

// reportReasons writes why statements were refused: in full for one value and
// the direct scheme, and of the others what is not said there.
func (r *Result) reportReasons(w io.Writer) {
	known := map[Reason]bool{}
	catalogues := map[string]int{}
	for _, scheme := range Schemes {
		for _, presence := range Presences {
			first := scheme == Direct && presence == rewrite.One
			match := func(snapshot bool) func(Cell) bool {
				return func(c Cell) bool {
					return c.Kind <= Explain && c.Scheme == scheme && c.Presence == presence && c.Snapshot == snapshot
				}
			}
			with := map[Reason]int{}
			all := r.reasons(match(false))
			for _, x := range r.reasons(match(true)) {
				with[x.Reason] = x.Count
				if !slices.ContainsFunc(all, func(y reasonCount) bool { return x.Reason == y.Reason }) {
					x.Count = 0
					all = append(all, x)
				}
			}
			var rows []reasonCount
			for _, x := range all {
				if table := catalogueOf(x.Reason); table != "" {
					if first {
						catalogues[table] += x.Count
					}
				} else if first || x.Code != rewrite.CodeScopeRequired && !known[x.Reason] {
					known[x.Reason] = first || known[x.Reason]
					rows = append(rows, x)
				}
			}
			if len(rows) == 0 {
				continue
			}
			fmt.Fprintf(w, "\n## Refusals, %s, %s", scheme, presenceNames[presence])
			fmt.Fprint(w, "\n\n| kind | statements | with a catalogue | code | why | the shortest |\n|---|---|---|---|---|---|\n")
			for _, x := range rows {
				fmt.Fprintf(w, "| %s | %d | %d | %s | %s | `%s` |\n", x.Kind, x.Count, with[x.Reason], x.Code, x.Message, cell(x.Example, 120))
			}
		}
	}
	fmt.Fprint(w, "\n## System catalogues refused, direct, one value\n\n")
	for i, table := range slices.SortedFunc(maps.Keys(catalogues), func(a, b string) int {
		return cmp.Or(cmp.Compare(catalogues[b], catalogues[a]), cmp.Compare(a, b))
	}) {
		if i > 0 {
			fmt.Fprint(w, ", ")
		}
		fmt.Fprintf(w, "`%s` %d", table, catalogues[table])
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, "\n## Refusals of other kinds, scheme direct, one value\n\n| kind | code | statements |\n|---|---|---|\n")
	others := map[[2]string]int{}
	for reason, refusals := range r.Reasons {
		if reason.Kind > Explain && reason.Scheme == Direct && reason.Presence == rewrite.One && !reason.Snapshot {
			others[[2]string{reason.Kind.String(), string(reason.Code)}] += refusals.Count
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(others), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(others[b], others[a]), cmp.Compare(a[1], b[1]))
	}) {
		fmt.Fprintf(w, "| %s | %s | %d |\n", key[0], key[1], others[key])
	}
}

// catalogueOf returns the catalogue for which statements were refused, if any.
func catalogueOf(r Reason) string {
	table, ok := strings.CutPrefix(r.Message, "table ")
	table, _, _ = strings.Cut(table, " ")
	if !ok || r.Code != rewrite.CodeTable || !isCatalog(table) {
		return ""
	}
	return strings.TrimPrefix(table, "pg_catalog.")
}

// cell shortens SQL to one cell of a Markdown table.
func cell(sql string, most int) string {
	sql = strings.ReplaceAll(strings.Join(strings.Fields(sql), " "), "|", "\\|")
	if utf8.RuneCountInString(sql) > most {
		sql = string([]rune(sql)[:most]) + "…"
	}
	return sql
}

func (r *Result) reportSlowest(w io.Writer) {
	fmt.Fprint(w, "\n## The slowest statements, run alone\n\n| took | Go heap | bytes of SQL | |\n|---|---|---|---|\n")
	for _, t := range r.Slowest[:min(10, len(r.Slowest))] {
		fmt.Fprintf(w, "| %.1f ms | %.1f MB | %d | `%s` |\n",
			float64(t.Took.Microseconds())/1000, float64(t.Bytes)/1e6, len(t.Statement.SQL), cell(t.Statement.SQL, 60))
	}
}

// reportFaults groups the faults by what they are and shows the shortest.
func (r *Result) reportFaults(w io.Writer) {
	fmt.Fprintf(w, "\n## Faults: %d\n", len(r.Faults))
	type group struct{ what, detail string }
	var order []group
	statements := map[group]map[string]bool{}
	examples := map[group][]Fault{}
	for _, f := range r.Faults {
		detail, _, _ := strings.Cut(f.Detail, "\n")
		g := group{f.What, detail}
		if statements[g] == nil {
			statements[g] = map[string]bool{}
			order = append(order, g)
		}
		if !statements[g][f.Statement.SQL] && len(examples[g]) < 8 {
			examples[g] = append(examples[g], f)
		}
		statements[g][f.Statement.SQL] = true
	}
	slices.SortStableFunc(order, func(a, b group) int { return cmp.Compare(len(statements[b]), len(statements[a])) })
	for _, g := range order {
		fmt.Fprintf(w, "\n### %s, %d statements: %s\n\n", g.what, len(statements[g]), g.detail)
		for _, f := range examples[g] {
			fmt.Fprintf(w, "- %s, %s, %s: `%s`\n", f.Statement.Kind, f.Scheme, presenceNames[f.Presence], cell(f.Statement.SQL, 600))
		}
	}
}
