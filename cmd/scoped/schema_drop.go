package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/schemas"
)

func newSchemaDropCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "drop VALUE --policy FILE [--dsn DSN] [--yes] [--keep-row]",
		Short: "drop the schema of a value, with its rows",
		Long: `
scoped schema drop says what is in the schema of a value, and asks for the value to be typed. Then
it drops the schema and deletes the value from the registry, in one transaction.`,
		Example: `
  scoped schema drop acme --policy policy.yaml --dsn postgres://localhost/school
  scoped schema drop acme --policy policy.yaml --yes`,
		Annotations: map[string]string{notes: `
The template is no value's. Where something that is not in the schema depends on it, such as a
view or a foreign key, that is named, and nothing is dropped.

The exit status is 0, 1 when another answer was typed, and 2 when the command could not work; then
standard error says why.`},
		Args:              oneValue,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := addSchemaFlags(command)
	yes := command.Flags().Bool("yes", false, "do not ask")
	keepRow := command.Flags().Bool("keep-row", false, "leave the value in the registry")
	command.RunE = func(command *cobra.Command, args []string) error {
		value := args[0]
		return flags.use(command, 1, func(ctx context.Context, m *schemas.Manager) error {
			if !*yes {
				if err := askToDrop(ctx, command, m, value); err != nil {
					return err
				}
			}
			return m.Drop(ctx, value, *keepRow)
		})
	}
	return command
}

// askToDrop says what is in a schema, and returns errNotWell unless the value is typed.
func askToDrop(ctx context.Context, command *cobra.Command, m *schemas.Manager, value string) error {
	tables, err := m.Tables(ctx, value)
	if err != nil {
		return err
	}
	name, err := m.SchemaName(value)
	if err != nil {
		return err
	}
	p := terminal.NewPrinter(command.OutOrStdout())
	lines := [][]string{{"table of " + name, "rows", "size"}}
	for _, t := range tables {
		rows := "?"
		if t.Rows >= 0 {
			rows = fmt.Sprintf("~%d", t.Rows)
		}
		lines = append(lines, []string{t.Name, rows, size(t.Bytes)})
	}
	writeColumns(p, lines, 1, 2)
	fmt.Fprintf(p, "To drop it with all of these, type %s: ", terminal.Visible(value))
	if err := p.Flush(); err != nil {
		return err
	}
	answer, err := bufio.NewReader(command.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimRight(answer, "\r\n") != value {
		fmt.Fprintln(command.OutOrStdout(), "Nothing was dropped.")
		return errNotWell
	}
	return nil
}

// oneValue is the Args of a command that takes a value.
func oneValue(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("it takes one value; " + seeHelp(command))
	}
	return nil
}
