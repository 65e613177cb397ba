package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaRenameCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rename VALUE NEW-VALUE --policy FILE [--dsn DSN]",
		Short: "give the schema of a value to another value",
		Long: `
scoped schema rename gives the schema of a value, its row in the registry and what is recorded of
its migrations to another value, which has no schema, in one transaction.`,
		Example: `
  scoped schema rename acme acme-ltd --policy policy.yaml --dsn postgres://localhost/school`,
		Annotations: map[string]string{notes: `
Functions for which the schema is in the search path follow. Where something in the schema spells
its name otherwise, that is named, and nothing is renamed.

The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              twoValues,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	command.RunE = func(command *cobra.Command, values []string) error {
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			return m.Rename(ctx, values[0], values[1])
		})
	}
	return command
}

func newSchemaCloneCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "clone VALUE NEW-VALUE --policy FILE [--dsn DSN] [--with-data]",
		Short: "make the schema of a value from that of another",
		Long: `
scoped schema clone makes the schema of a new value from that of another instead of the template,
and enters the new value into the registry, in one transaction.`,
		Example: `
  scoped schema clone acme acme-test --with-data --policy policy.yaml`,
		Annotations: map[string]string{notes: `
The rows are those of one moment, and those who write to them go on meanwhile.

The exit status is 0, or 2 when the command could not work; then standard error says why.`},
		Args:              twoValues,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	data := command.Flags().Bool("with-data", false, "copy the rows, and where sequences are")
	command.RunE = func(command *cobra.Command, values []string) error {
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			defer terminal.Progress(command.ErrOrStderr(), "copying")()
			return m.Clone(ctx, values[0], values[1], *data)
		})
	}
	return command
}

// twoValues is the Args of a command that takes a value and a new one.
func twoValues(command *cobra.Command, args []string) error {
	if len(args) != 2 {
		return errors.New("it takes a value and a new one; " + seeHelp(command))
	}
	return nil
}
