package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	sqlshell "github.com/scoped-pgx/scoped/cmd/scoped/internal/shell"
)

func newShellCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "shell --policy FILE [--dsn DSN] [--scope DIM=VALUE]… [--lookup DIM.COLUMN=VALUE]…",
		Short: "a SQL shell in which every statement runs inside a scope",
		Long: `
scoped shell is a SQL shell like psql, in which every statement goes through the driver: it is
rewritten for the scope that the prompt shows, or refused.`,
		Example: `
  scoped shell --policy policy.yaml --scope site=3                   one site
  scoped shell --policy policy.yaml --lookup site.slug=acme          the one with this slug
  scoped shell --policy policy.yaml --lookup site.owner.name=Eva     whose owner has this name
  scoped shell --policy policy.yaml --scope site=3 --scope user=5    two dimensions
  scoped shell --policy policy.yaml --disabled 'repair, ticket 123'  sent as it is, and logged
  scoped shell --policy policy.yaml --scope site=3 --format csv -c 'SELECT count(*) FROM post'
  scoped shell --policy policy.yaml --scope site=3 < report.sql`,
		Annotations: map[string]string{notes: `
\? lists the commands of the shell; Tab completes, Ctrl-C cancels a statement, Ctrl-D leaves.

With --format csv a result begins with the names of its columns; with json each row is an
object on a line of its own. Both leave out what is no row.

Each scope, look-up and statement that runs while scopes are disabled is a line of the audit
log, a file of JSON in $XDG_STATE_HOME/scoped or ~/.local/state/scoped.

The exit status is 0, or 1 when a statement or look-up failed (where somebody types, only a
look-up of --lookup), and 2 when the command could not work; then standard error says why.`},
		Args: noArguments,
	}
	policyFile := policyFlag(command)
	dsn := dsnFlag(command)
	scopes := addScopeFlags(command)
	flags := command.Flags()
	lookups := flags.StringArray("lookup", nil,
		"the scope of the one row of a dimension's table with this value, `DIM.COLUMN=VALUE`, or over a reference,"+
			" DIM.REFERENCE.COLUMN=VALUE; may be given several times")
	statements := flags.StringArrayP("command", "c", nil, "run this `SQL` or command of the shell, and leave; may be given several times")
	format := formatFlag(command, "table", "csv", "json")
	proceed := flags.String("on-error", "stop", "`stop|continue` after what failed, where nobody types")
	complete(command, "on-error", "stop", "continue")
	audit := flags.String("audit", "", "the audit log, a `FILE`")
	completeFiles(command, "audit", "jsonl")
	command.RunE = func(command *cobra.Command, _ []string) error {
		p, err := loadPolicy(command, *policyFile)
		if err != nil {
			return err
		}
		s, err := scopes.scope(p)
		if err != nil {
			return err
		}
		switch {
		case s.Disabled != "" && len(*lookups) > 0:
			return errors.New("--disabled and --lookup exclude each other")
		case *proceed != "stop" && *proceed != "continue":
			return fmt.Errorf("--on-error %s: it is stop or continue", *proceed)
		}
		config, err := parseDSN(*dsn)
		if err != nil {
			return err
		}
		err = sqlshell.Run(command.Context(), sqlshell.Options{
			Database: config,
			Scope:    s,
			Lookups:  *lookups,
			Commands: *statements,
			Format:   *format,
			Continue: *proceed == "continue",
			Audit:    *audit,
		}, command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		if errors.Is(err, sqlshell.ErrFailed) {
			err = errNotWell
		}
		return err
	}
	return command
}
