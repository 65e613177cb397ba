// Compat runs the test suites of other projects over plain pgx and over scoped,
// and compares which tests pass: once under a policy in which every table is
// shared, and once under one that scopes every table. A difference that
// differences.txt does not explain is a failure, and so is an explanation of
// what no longer differs.
//
//	go run . [-suite name,…] [-refused]
//
// The suites come out of the module cache, are copied to .cache/compat and are
// changed there in a few places, which suites.go names.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

func main() {
	only := flag.String("suite", "", "the suites to run, with commas between them; all by default")
	refused := flag.Bool("refused", false, "print every statement that was refused")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *only, *refused); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

//go:embed differences.txt
var explanations string

func run(ctx context.Context, out io.Writer, only string, refused bool) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	explained, err := parseExplanations(explanations)
	if err != nil {
		return err
	}
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	server, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	var faults int
	for _, s := range chosen {
		n, err := compare(ctx, out, server, root, s, explained, refused)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		faults += n
	}
	if faults > 0 {
		return fmt.Errorf("%d differences are not explained, or no longer differ", faults)
	}
	return nil
}

func choose(only string) ([]suite, error) {
	if only == "" {
		return suites, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q", name)
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

// compare runs a suite over pgx and over scoped, under each policy, and returns
// how many differences are not as explained.
func compare(ctx context.Context, out io.Writer, server *pgtest.Server, root string, s suite, explained []explanation, refused bool) (faults int, err error) {
	folder, err := s.prepare(ctx, root)
	if err != nil {
		return 0, err
	}
	for _, m := range modes {
		fmt.Fprintf(out, "\n== %s %s; %s\n", s.module, s.version, m.title)
		plain, _, err := s.run(ctx, server, folder, m, false)
		if err != nil {
			return 0, err
		}
		if plain.count(passed) == 0 {
			return 0, errors.New("no test passes over plain pgx")
		}
		fmt.Fprintf(out, "   plain pgx  %s\n", plain)
		guarded, events, err := s.run(ctx, server, folder, m, true)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(out, "   scoped     %s\n", guarded)
		printEvents(out, events, refused)
		faults += printDifferences(out, s.name, m.name, differences(plain, guarded), explained)
	}
	return faults, nil
}
