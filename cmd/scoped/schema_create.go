package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaCreateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "create VALUE… --policy FILE [--dsn DSN] [--jobs N]",
		Short: "make the schemas of values from the template",
		Long: `
scoped schema create makes the schema of each value from the template, as empty as if it had just
been written down, and enters the value into the registry, in one transaction for each.`,
		Example: `
  scoped schema create acme --policy policy.yaml --dsn postgres://localhost/school
  scoped schema create $(cat values) --policy policy.yaml --jobs 8`,
		Annotations: map[string]string{notes: `
What the template holds and cannot be copied is named, and nothing is made. docs/schemas.md says
what is copied.

The exit status is 0, or 2 when a schema could not be made; then standard error says why. Those
before it exist.`},
		Args:              someArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	jobs := jobsFlag(command, "make `N` schemas at a time, each on a connection of its own")
	command.RunE = func(command *cobra.Command, values []string) error {
		return flags.use(command, *jobs, func(ctx context.Context, m *schemas.Manager) error {
			if err := names(m, values); err != nil {
				return err
			}
			template, err := m.Template(ctx)
			if err != nil {
				return err
			}
			var out sync.Mutex
			return each(len(values), *jobs, func(i int) error {
				err := m.CreateFrom(ctx, template, values[i])
				if errors.Is(err, schemas.ErrMigrated) {
					err = m.Create(ctx, values[i])
				}
				if err != nil {
					return err
				}
				name, err := m.SchemaName(values[i])
				out.Lock()
				defer out.Unlock()
				fmt.Fprintln(command.OutOrStdout(), terminal.Visible(name))
				return err
			})
		})
	}
	return command
}

// names makes sure that each value can have a schema, and is given once.
func names(m *schemas.Manager, values []string) error {
	for i, value := range values {
		if _, err := m.SchemaName(value); err != nil {
			return err
		}
		if slices.Contains(values[:i], value) {
			return fmt.Errorf("%q is given twice", value)
		}
	}
	return nil
}

// each does something n times, for each number from 0, several at a time. After a
// fault it begins no more.
func each(n, jobs int, do func(i int) error) error {
	var next atomic.Int64
	faults := make([]error, n)
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range min(jobs, n) {
		workers.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if faults[i] = do(i); faults[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	workers.Wait()
	return errors.Join(faults...)
}
