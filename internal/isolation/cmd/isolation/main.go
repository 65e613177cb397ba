// Command isolation runs generated statements through the oracle of package isolation.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/scoped-pgx/scoped/internal/isolation"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

func main() {
	statements := flag.Int("statements", 3000, "how many statements to run; a fifth of them write")
	seed := flag.Uint64("seed", 1, "the seed of the generator")
	workers := flag.Int("workers", 2, "how many statements to run at a time")
	security := flag.Bool("rls", false, "compare row-level security as well")
	examples := flag.Bool("examples", true, "print an example of every reason")
	scope := flag.String("scope", "one", "the scope: one or many")
	dump := flag.Bool("dump", false, "print the statements, do not run them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := isolation.Options{Selects: *statements - *statements/5, Writes: *statements / 5, Seed: *seed, Workers: *workers, Security: *security}
	if *dump {
		for i := range o.Selects {
			fmt.Println(isolation.Generate(o.Seed, uint64(i), false) + ";")
		}
		for i := range o.Writes {
			fmt.Println(isolation.Generate(o.Seed, uint64(i), true) + ";")
		}
		return
	}
	for _, s := range isolation.Scopes() {
		if s.Name == *scope {
			o.Scope = s
		}
	}
	if err := run(ctx, o, *examples); err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o isolation.Options, examples bool) error {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	begin := time.Now()
	report, err := isolation.Run(ctx, server.CreateDatabase, o)
	if err != nil {
		return err
	}
	report.Write(os.Stdout, examples)
	took := time.Since(begin)
	fmt.Printf("%.0f s, %.0f statements a second\n", took.Seconds(), float64(o.Selects+o.Writes)/took.Seconds())
	if n := len(report.Differences); n > 0 {
		return fmt.Errorf("%d differences", n)
	}
	return nil
}
