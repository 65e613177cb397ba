package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What a run writes, below the root of the repository.
const (
	resultsFile  = "bench/results.json"
	reportFile   = "bench/README.md"
	readmeFile   = "README.md"
	schemasFile  = "docs/schemas.md"
	latencySVG   = "docs/images/bench-latency.svg"
	throughSVG   = "docs/images/bench-throughput.svg"
	scaleSVG     = "docs/images/bench-scale.svg"
	beginMark    = "<!-- bench: begin, written by go run . -write -->\n"
	endMark      = "<!-- bench: end -->\n"
	latencyTitle = "Latency on 1 connection, as a ratio to pgx with the filter by hand; less is better"
	throughTitle = "Throughput on 16 connections, as a ratio to pgx with the filter by hand; more is better"
)

// charts returns the charts by the names of their files.
func (r *results) charts() map[string]string {
	return map[string]string{
		latencySVG: r.ratioChart(latencyTitle, 1, func(a *armResult) *spread { return a.LatencyRatio }),
		throughSVG: r.ratioChart(throughTitle, maxConnections, func(a *armResult) *spread { return a.ThroughputRatio }),
		scaleSVG:   r.scaleChart(),
	}
}

// publish writes the results, the charts and the tables of the documents.
func (r *results) publish(root string) error {
	if len(r.Workloads) == 0 || len(r.Lookups) == 0 || len(r.Cold) == 0 || len(r.Scale) == 0 || len(r.Schemas) == 0 {
		return fmt.Errorf("only the results of all sections are written")
	}
	path := filepath.Join(root, resultsFile)
	if r.Migrations == nil { // which are run apart, and stay as they are
		old, err := readResults(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			r.Migrations = old.Migrations
		}
	}
	if err := r.write(path); err != nil {
		return err
	}
	for name, text := range r.charts() {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	documents := map[string]string{readmeFile: r.summary(), reportFile: r.markdown()}
	if r.Migrations != nil {
		documents[schemasFile] = r.Migrations.markdown()
	}
	for name, text := range documents {
		if err := replaceBetweenMarks(filepath.Join(root, name), text); err != nil {
			return err
		}
	}
	return nil
}

func replaceBetweenMarks(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(data), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("%s lacks the marks %s and %s", path, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	return os.WriteFile(path, []byte(before+beginMark+text+endMark+after), 0o644)
}

// summary is the table of the README.
func (r *results) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n![%s](%s)\n\n", latencyTitle, latencySVG)
	fmt.Fprintf(&b, "Latency on one connection, as a ratio to pgx with the filter written by hand (%s):\n\n", r.Machine)
	b.WriteString(r.ratioTable(1, drawnArms, func(a *armResult) *spread { return a.LatencyRatio }))
	b.WriteString("\n")
	return b.String()
}

func (m machine) String() string {
	return fmt.Sprintf("PostgreSQL %s, %s, %s, %d cores, %s", m.PostgreSQL, strings.Replace(m.Go, "go", "Go ", 1), m.Platform, m.CPUs, m.Date)
}

// ratioTable has a row for each workload and a column for each arm.
func (r *results) ratioTable(connections int, arms []string, ratio func(*armResult) *spread) string {
	var b strings.Builder
	b.WriteString("| | " + strings.Join(arms, " | ") + " |\n|---" + strings.Repeat("|---", len(arms)) + "|\n")
	for _, c := range r.Workloads {
		if c.Connections != connections {
			continue
		}
		b.WriteString("| " + c.Workload)
		for _, name := range arms {
			if a := r.arm(c.Workload, connections, name); a != nil {
				fmt.Fprintf(&b, " | %.2f", ratio(a).Median)
			} else {
				b.WriteString(" | –")
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// markdown is the report of bench/README.md.
func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s.\n\n", r.Machine)
	fmt.Fprintf(&b, "![%s](../%s)\n\n![%s](../%s)\n\n", latencyTitle, latencySVG, throughTitle, throughSVG)
	b.WriteString("| target | | measured | |\n|---|---|---|---|\n")
	for _, t := range r.targets() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.what, t.wanted(), short(t.measured, 4), t.outcome())
	}
	for _, connections := range []int{1, 4, maxConnections} {
		fmt.Fprintf(&b, "\n## Connections: %d\n\nThe ratios are of latency, and of throughput.\n\n", connections)
		b.WriteString("| | " + byHand + ", µs | a second | " + strings.Join(drawnArms, " | ") + " |\n|---|---|---" + strings.Repeat("|---", len(drawnArms)) + "|\n")
		for _, c := range r.Workloads {
			if c.Connections != connections {
				continue
			}
			reference := r.arm(c.Workload, connections, byHand)
			fmt.Fprintf(&b, "| %s | %.1f | %s", c.Workload, reference.Latency.Median, thousands(int(reference.Throughput.Median)))
			for _, name := range drawnArms {
				if a := r.arm(c.Workload, connections, name); a != nil {
					fmt.Fprintf(&b, " | %.2f, %.2f", a.LatencyRatio.Median, a.ThroughputRatio.Median)
				} else {
					b.WriteString(" | –")
				}
			}
			b.WriteString(" |\n")
		}
	}
	b.WriteString("\n## Texts that were never seen, on 1 connection\n\n| latency | by hand, to one seen before | scoped, to by hand |\n|---|---|---|\n")
	for _, c := range r.Workloads {
		plain, cold := r.arm(c.Workload, 1, byHandNewText), r.arm(c.Workload, 1, scopedCold)
		if c.Connections == 1 && plain != nil && cold != nil {
			fmt.Fprintf(&b, "| %s | %.2f | %.2f |\n", c.Workload, plain.LatencyRatio.Median, cold.LatencyRatio.Median)
		}
	}
	b.WriteString("\n## Without a server\n\n| hot | parser alone, µs | scoped, µs | ratio | allocations | one of 64 in turn, µs | with a new scope, µs |\n|---|---|---|---|---|---|---|\n")
	for _, l := range r.Lookups {
		fmt.Fprintf(&b, "| %s | %.1f | %.3f | 1/%.0f | %.0f | %.3f | %.3f |\n", l.Statement, l.Parse.Median, l.Hot.Median, 1/l.Ratio.Median, l.Allocations, l.InTurn.Median, l.WithScope.Median)
	}
	b.WriteString("\n| a second core | gain | beside | its gain | ratio |\n|---|---|---|---|---|\n")
	for _, s := range r.Scaling {
		fmt.Fprintf(&b, "| %s | %.2f | %s | %.2f | %.3f |\n", s.What, s.Gain.Median, s.Loop, s.LoopGain.Median, s.Ratio.Median)
	}
	b.WriteString("\n| cold, the corpora | statements | parser alone, µs | scoped, µs | ratio | 95th percentile |\n|---|---|---|---|---|---|\n")
	for _, c := range r.Cold {
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f | %.2f | %.2f |\n", c.Statements, thousands(c.Count), c.Parse.Median, c.Rewrite.Median, c.Ratio.Median, c.Ratio95)
	}
	fmt.Fprintf(&b, "\n## Scale\n\n![What grows with what](../%s)\n", scaleSVG)
	for _, c := range r.Scale {
		b.WriteString("\n| " + c.X + " | " + strings.Join(c.Series, " | ") + " |\n|---" + strings.Repeat("|---", len(c.Series)) + "|\n")
		for _, p := range c.Points {
			b.WriteString("| " + thousands(p.X))
			for _, v := range p.Values {
				b.WriteString(" | " + short(v, 3))
			}
			b.WriteString(" |\n")
		}
	}
	b.WriteString("\n## A schema for each of 1,000 tenants\n\n| | connections | | µs | latency | a second | throughput | server, MiB |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Schemas {
		for _, a := range c.Arms {
			latency, throughput, memory := "1", "1", ""
			if a.LatencyRatio != nil {
				latency, throughput = short(a.LatencyRatio.Median, 2), short(a.ThroughputRatio.Median, 2)
			}
			if a.ServerMiB > 0 {
				memory = short(a.ServerMiB, 1)
			}
			fmt.Fprintf(&b, "| %s | %d | %s | %.0f | %s | %s | %s | %s |\n", c.Workload, c.Connections, a.Arm,
				a.Latency.Median, latency, thousands(int(a.Throughput.Median)), throughput, memory)
		}
	}
	if r.Migrations != nil {
		b.WriteString("\n## Schemas that are made and migrated\n" + r.Migrations.markdown())
	} else {
		b.WriteString("\n")
	}
	return b.String()
}
