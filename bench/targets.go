package main

import (
	"fmt"
	"math"
	"slices"
	"text/tabwriter"
)

// A target is what was promised, and what was measured.
type target struct {
	what     string
	limit    float64
	atLeast  bool // the limit is the least, and not the most
	measured float64
}

func (t target) met() bool {
	if t.atLeast {
		return t.measured >= t.limit
	}
	return t.measured <= t.limit
}

func (t target) wanted() string {
	if t.atLeast {
		return "≥ " + short(t.limit, 3)
	}
	return "≤ " + short(t.limit, 3)
}

func (t target) outcome() string {
	if t.met() {
		return "met"
	}
	return "missed"
}

// targets returns those of which something was measured.
func (r *results) targets() []target {
	var all []target
	most := func(what string, limit, measured float64) {
		all = append(all, target{what: what, limit: limit, measured: measured})
	}
	least := func(what string, limit, measured float64) {
		all = append(all, target{what: what, limit: limit, atLeast: true, measured: measured})
	}
	if a := r.arm("point read", 1, scopedHot); a != nil {
		most("point read on 1 connection, latency to pgx with the filter by hand", 1.02, a.LatencyRatio.Median)
	}
	if a, b := r.arm("point read", maxConnections, scopedHot), r.arm("point read", maxConnections, securedTx); a != nil && b != nil {
		least("point read on 16 connections, throughput to pgx with the filter by hand", 0.98, a.ThroughputRatio.Median)
		least("point read on 16 connections, throughput to row-level security with set_config", 2.5, a.ThroughputRatio.Median/b.ThroughputRatio.Median)
	}
	if a := r.arm("bulk insert", 1, scopedHot); a != nil {
		most("bulk insert of 1,000 rows with checks, latency to pgx without", 1.10, a.LatencyRatio.Median)
	}
	if len(r.Lookups) > 0 {
		ratio, allocations := 0.0, 0.0
		for _, l := range r.Lookups {
			ratio, allocations = max(ratio, l.Ratio.Median), max(allocations, l.Allocations)
		}
		most("hot rewrite to the parser alone, the worst statement", 0.01, ratio)
		most("allocations of a hot rewrite, one of them the arguments", 1, math.Round(allocations))
	}
	if len(r.Scaling) > 0 {
		ratio := math.Inf(1)
		for _, s := range r.Scaling {
			ratio = min(ratio, s.Ratio.Median)
		}
		least("look-ups, gain of a second core to that of the loop beside them, the worst", 0.95, ratio)
	}
	if len(r.Cold) > 0 {
		most("cold rewrite to the parser alone, median of the corpora", 3, r.Cold[0].Ratio.Median)
		most("cold rewrite to the parser alone, 95th percentile", 5, r.Cold[0].Ratio95)
	}
	if p := r.last(curveOfStatements); p != nil {
		least("hit rate of hot statements among very many", 0.999, p.Values[0])
		most("memory of the cache among very many, MiB", 64, p.Values[2])
	}
	if p := r.last(curveOfTables); p != nil {
		most("policy of 10,000 tables: load, ms", 1000, p.Values[0])
		most("policy of 10,000 tables: hot, to one of 10", 1.1, p.Values[1])
		most("policy of 10,000 tables: cold, to one of 10", 1.1, p.Values[2])
	}
	for _, workload := range []string{readsDirect, readsPooled} {
		ratio := math.Inf(1)
		for _, c := range r.Schemas {
			if a := r.arm(workload, c.Connections, schemaExec); a != nil {
				ratio = min(ratio, a.ThroughputRatio.Median)
			}
		}
		if !math.IsInf(ratio, 1) {
			least(workload+" in 1,000 schemas, throughput to search_path in a transaction, the worst", 1, ratio)
		}
	}
	if r.Migrations != nil {
		ratio, most := math.Inf(1), 0
		for _, s := range r.Migrations.Among {
			ratio, most = min(ratio, slices.Min(s.toEach())), max(most, s.Schemas)
		}
		least("migrating up to "+thousands(most)+" schemas with 4 jobs, throughput to psql for each, the worst", 2, ratio)
	}
	return all
}

func (b *bench) reportTargets() {
	fmt.Fprintf(b.out, "\nTargets\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	for _, t := range b.results.targets() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.what, t.wanted(), short(t.measured, 4), t.outcome())
	}
	w.Flush()
}
