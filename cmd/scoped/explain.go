package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/explain"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
)

func newExplainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain --policy FILE [--scope DIM=VALUES]… [--dsn DSN] [SQL]",
		Short: "one statement: where its guards come from, and its plan",
		Long: `
scoped explain shows what is sent in place of one statement, and from which line of the policy
each guard comes. With a database it shows the plan too, with the guards marked, the plan
without guards, and the indexes by which guards find rows. Without SQL it reads standard input.`,
		Example: `
  scoped explain --policy policy.yaml --scope site=1 'SELECT * FROM comment'
  scoped explain --policy policy.yaml --scope site=1 --dsn postgres://localhost/blog < posts.sql
  scoped explain --policy policy.yaml --scope site=1 --dsn '' --analyze --arg 7 \
                 'SELECT * FROM post WHERE id = $1'`,
		Annotations: map[string]string{notes: `
What was inserted is in colour on a terminal, unless NO_COLOR is set, and has a line of +
beneath it elsewhere. Lines of the plan that guards are the reason for begin with +. Plans are
generic: those to which statements come that are run often, for all values alike.

--dsn '' is the database of PGHOST and so on; without --dsn none is asked, except for --analyze.

Without --analyze nothing is run. With it, what is sent is run in a transaction that cannot
write and is rolled back, and a statement that writes is refused. The statement without guards
is never run.

The exit status is 0 when the statement is accepted, 1 when it is refused, by the policy or by
the server, and 2 when the command could not work; then standard error says why.`},
		Args: func(command *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("it takes one statement; put it between quotes")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	policyFile := policyFlag(command)
	scopes := addScopeFlags(command)
	catalogFile := catalogFlag(command)
	dsn := dsnFlag(command)
	values := command.Flags().StringArray("arg", nil,
		"the `VALUE` of a parameter of the statement, once for each in their order, as text that PostgreSQL reads")
	analyze := command.Flags().Bool("analyze", false, "run the statement, if it only reads, and show what the plan took")
	formatName := formatFlag(command, "text", "json")
	command.RunE = func(command *cobra.Command, args []string) error {
		file, err := policyPath(command, *policyFile)
		if err != nil {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		p, err := policy.Parse(file, source)
		if err != nil {
			return err
		}
		s, err := scopes.scope(p)
		if err != nil {
			return err
		}
		if s.Catalog, err = loadCatalog(*catalogFile); err != nil {
			return err
		}
		sql, err := argumentOrInput(command, args)
		if err != nil {
			return err
		}
		report, err := explain.New(s, file, source, sql)
		if err != nil {
			return err
		}
		if command.Flags().Changed("dsn") || *analyze {
			_, err := ask(command, *dsn, "asking the server", func(ctx context.Context, conn *pgx.Conn) (*explain.Report, error) {
				return report, report.Ask(ctx, conn, *values, *analyze)
			})
			if err != nil {
				return err
			}
		}
		if *formatName == "json" {
			encoder := json.NewEncoder(command.OutOrStdout())
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
		} else {
			err = report.Print(terminal.NewPrinter(command.OutOrStdout()))
		}
		if err == nil && report.Error != nil {
			err = errNotWell
		}
		return err
	}
	return command
}

// argumentOrInput returns the only argument or, without it, standard input.
func argumentOrInput(command *cobra.Command, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	data, err := io.ReadAll(io.LimitReader(command.InOrStdin(), script.MaxFile+1))
	if err == nil && len(data) > script.MaxFile {
		err = errors.New("standard input holds more than one statement can")
	}
	return strings.TrimSpace(string(data)), err
}
