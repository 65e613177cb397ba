// Bench measures what scoped costs beside what it replaces: pgx with the filter
// that an expert writes by hand, row-level security, and GORM's scopes. All that
// is compared takes turns in short slices of one run, because only ratios of the
// same run mean anything: machines differ and are shared.
//
//	go run . [-quick] [-only section,…] [-rounds n]
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
	flag.BoolVar(&b.quick, "quick", false, "take about a minute")
	flag.IntVar(&b.rounds, "rounds", 0, "rounds in which all take turns, 0 for as many as each section needs")
	flag.BoolVar(&b.verbose, "v", false, "say more: the statements with the worst ratios")
	only := flag.String("only", "", "the sections to run, with commas between them, of "+strings.Join(sectionNames(), ", "))
	profile := flag.String("cpuprofile", "", "write a profile for pprof to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.main(ctx, *only, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run of the program.
type bench struct {
	quick, verbose bool
	rounds         int
	out            io.Writer
	results        *results
}

// The sections, in the order in which they run.
var sections = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"workloads", (*bench).workloads},
	{"lookup", (*bench).lookup},
	{"cold", (*bench).cold},
}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

func (b *bench) main(ctx context.Context, only, profile string) error {
	chosen := sectionNames()
	if only != "" {
		chosen = strings.Split(only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(sectionNames(), name) {
			return fmt.Errorf("there is no section %q; there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	if profile != "" {
		file, err := os.Create(profile)
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
		if !slices.Contains(chosen, s.name) {
			continue
		}
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
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
