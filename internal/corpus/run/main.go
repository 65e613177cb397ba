// Command run rewrites every statement of the corpora and prints what became of
// them, as tables in Markdown. It exits with status 1 where the rewriter did what
// it never may.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/scoped-pgx/scoped/internal/corpus"
)

func main() {
	every := flag.Int("every", 1, "take only every n-th text")
	flag.Parse()
	if err := run(*every); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(every int) error {
	dir, err := corpus.Dir()
	if err != nil {
		return err
	}
	texts, err := corpus.Read(dir)
	if err != nil {
		return err
	}
	result := corpus.Run(corpus.Every(texts, every))
	result.Report(os.Stdout)
	if len(result.Faults) > 0 {
		return fmt.Errorf("%d faults", len(result.Faults))
	}
	return nil
}
