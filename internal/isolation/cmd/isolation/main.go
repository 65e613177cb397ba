// Command isolation runs statements through the oracle of package isolation:
// generated ones, those of a file, or SQLsmith's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scoped-pgx/scoped/internal/isolation"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// A command is its flags.
type command struct {
	isolation.Options
	statements int
	scopes     string
	file       string
	sqlsmith   bool
	examples   bool
	dump       bool
	save       string
}

func main() {
	var c command
	flag.IntVar(&c.statements, "statements", 3000, "how many statements to run; a fifth of them write")
	flag.Uint64Var(&c.Seed, "seed", 1, "the seed of the generator")
	flag.IntVar(&c.Workers, "workers", 2, "how many statements to run at a time")
	flag.BoolVar(&c.Security, "rls", false, "compare row-level security as well")
	flag.StringVar(&c.scopes, "scope", "one", "the scope: one, many, schema or all")
	flag.StringVar(&c.file, "file", "", "run the statements of a file, each ended by a semicolon at the end of a line")
	flag.BoolVar(&c.sqlsmith, "sqlsmith", false, "run the statements of SQLsmith, which has to be installed")
	flag.BoolVar(&c.examples, "examples", true, "print an example of every reason")
	flag.BoolVar(&c.Faults, "faults", false, "generate also what meets a known fault")
	flag.BoolVar(&c.dump, "dump", false, "print the generated statements, do not run them")
	flag.StringVar(&c.save, "save", filepath.Join("internal", "isolation", "testdata", "regressions"), "the folder for reduced differences")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		os.Exit(1)
	}
}

func (c command) run(ctx context.Context) error {
	c.Writes = c.statements / 5
	c.Selects = c.statements - c.Writes
	if c.dump {
		for i := range c.Selects {
			fmt.Println(isolation.Generate(c.Seed, uint64(i), false, c.Faults) + ";")
		}
		for i := range c.Writes {
			fmt.Println(isolation.Generate(c.Seed, uint64(i), true, c.Faults) + ";")
		}
		return nil
	}
	server, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	switch {
	case c.file != "":
		data, err := os.ReadFile(c.file)
		if err != nil {
			return err
		}
		c.Texts = split(string(data))
	case c.sqlsmith:
		if c.Texts, err = sqlsmith(ctx, server, c.Seed, c.statements); err != nil {
			return err
		}
	}
	differences := 0
	for _, s := range isolation.Scopes() {
		if c.scopes != s.Name && c.scopes != "all" {
			continue
		}
		c.Scope = s
		n, err := c.runScope(ctx, server)
		if err != nil {
			return err
		}
		differences += n
	}
	if differences > 0 {
		return fmt.Errorf("%d differences", differences)
	}
	return nil
}

// runScope runs the statements under one scope, and returns the number of differences.
func (c command) runScope(ctx context.Context, server *pgtest.Server) (int, error) {
	begin := time.Now()
	report, err := isolation.Run(ctx, server.CreateDatabase, c.Options)
	if err != nil {
		return 0, err
	}
	fmt.Printf("scope %s, seed %d\n", c.Scope.Name, c.Seed)
	report.Write(os.Stdout, c.examples)
	took := time.Since(begin)
	run := report.Selects.Run + report.Writes.Run
	fmt.Printf("%d statements in %.0f s, %.0f a second\n", run, took.Seconds(), float64(run)/took.Seconds())

	findings := slices.Concat(report.Differences, report.Order)
	return len(findings), c.reduce(ctx, server, findings)
}

// reduce prints and saves findings, reduced, two of each kind.
func (c command) reduce(ctx context.Context, server *pgtest.Server, findings []isolation.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	oracle, err := isolation.NewOracle(ctx, server.CreateDatabase, c.Scope, false)
	if err != nil {
		return err
	}
	defer oracle.Close()
	for _, f := range isolation.Varied(findings, 2) {
		f = isolation.Reduce(ctx, oracle, f, 30*time.Second)
		path, err := isolation.Save(c.save, f)
		if err != nil {
			return err
		}
		fmt.Printf("reduced, %s: %s\n    %s\n    saved in %s\n", f.Name, f.Detail, f.SQL, path)
	}
	return nil
}

// split returns the statements of a text in which each ends with a semicolon at
// the end of a line.
func split(text string) []string {
	var statements []string
	for _, s := range strings.Split(text, ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, strings.TrimSuffix(s, ";"))
		}
	}
	return statements
}
