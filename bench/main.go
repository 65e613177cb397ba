// Bench measures what scoped costs beside what it replaces: pgx with the filter
// that an expert writes by hand, row-level security, and GORM's scopes. All that
// is compared takes turns in short slices of one run, because only ratios of the
// same run mean anything: machines differ and are shared.
//
//	go run . [-quick] [-only section,…] [-rounds n] [-write]
//	go run . -only migrations [-schemas n]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
)

func main() {
	b := &bench{out: os.Stdout, results: new(results)}
	flag.BoolVar(&b.quick, "quick", false, "take one or two minutes, for a look; the figures are rough")
	flag.IntVar(&b.rounds, "rounds", 0, "rounds in which all take turns, 0 for as many as each section needs")
	flag.IntVar(&b.most, "schemas", 2000, "the most schemas of the section migrations")
	flag.BoolVar(&b.verbose, "v", false, "print the statements with the worst ratios, too")
	flag.StringVar(&b.only, "only", "", "the sections to run, with commas between them, of "+strings.Join(sectionNames(), ", "))
	flag.StringVar(&b.workload, "workload", "", "only the workload of that name")
	flag.StringVar(&b.from, "from", "", "take what is not run from this file of results; without -only nothing is run")
	flag.StringVar(&b.json, "json", "", "write the results to this file, after each section")
	flag.BoolVar(&b.publish, "write", false, "write results.json, the charts, and the tables of the documents")
	flag.StringVar(&b.profile, "cpuprofile", "", "write a profile for pprof to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.main(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run of the program.
type bench struct {
	quick, verbose, publish             bool
	rounds, most                        int
	only, workload, from, json, profile string
	out                                 io.Writer
	results                             *results
}

// The sections, in the order in which they run. One that is apart takes long: it
// runs only where it is asked for, and its results have a machine of their own.
var sections = []struct {
	name  string
	run   func(*bench, context.Context) error
	apart bool
}{
	{"workloads", (*bench).workloads, false},
	{"lookup", (*bench).lookup, false},
	{"cold", (*bench).cold, false},
	{"scale", (*bench).scale, false},
	{"schemas", (*bench).schemas, false},
	{"migrations", (*bench).migrations, true},
}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

func (b *bench) main(ctx context.Context) error {
	var chosen []string
	if b.only != "" {
		chosen = strings.Split(b.only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(sectionNames(), name) {
			return fmt.Errorf("there is no section %q; there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	if b.from != "" {
		var err error
		if b.results, err = readResults(b.from); err != nil {
			return err
		}
	}
	if b.profile != "" {
		file, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for _, s := range sections {
		all := b.only == "" && b.from == "" && !s.apart
		if !all && !slices.Contains(chosen, s.name) {
			continue
		}
		if !s.apart {
			b.results.Machine = thisMachine(b.results.Machine.PostgreSQL)
		}
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if b.json != "" {
			if err := b.results.write(b.json); err != nil {
				return err
			}
		}
	}
	b.reportTargets()
	if b.publish {
		return b.results.publish("..")
	}
	return nil
}

// roundsOr returns how many rounds to run.
func (b *bench) roundsOr(usual int) int {
	if b.rounds > 0 {
		return b.rounds
	}
	return usual
}
