package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/check"
	"github.com/scoped-pgx/scoped/policy"
)

func newCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check --policy FILE [--dsn DSN] [--role NAME]…",
		Short: "what does not fit between a policy and a database, and how to mend it",
		Long: `
scoped check compares a policy with a database: what does not exist or is not listed, the keys
and indexes that the guarantee and its speed rest on, what tells one scope of another, what
reads tables without guards, and who gets around them. Each finding says why it matters and
how it is mended. docs/check.md lists the rules. It changes nothing, and needs no right but to
connect.`,
		Example: `
  scoped check --policy policy.yaml --dsn postgres://localhost/blog
  scoped check --policy policy.yaml --role blog --severity warning
  scoped check --policy policy.yaml --ignore unique-without-dimension=public.coupon
  scoped check --policy policy.yaml --format github    # in a workflow, beside the policy's lines`,
		Annotations: map[string]string{notes: `
A rule is ignored everywhere by its code, --ignore CODE, or for one table, function or role as
the finding names it, --ignore CODE=NAME. The exit status is 0 when nothing is found, 1 when
something is that is not ignored and as grave as --severity, and 2 when the command could not
work.`},
		Args: noArguments,
	}
	dsn, policyFile := dsnFlag(command), policyFlag(command)
	format := formatFlag(command, check.Formats...)
	severity := command.Flags().String("severity", check.Note.String(), "the least `SEVERITY` that is reported: note, warning or error")
	complete(command, "severity", check.Severities()...)
	ignored := command.Flags().StringArray("ignore", nil, "do not report this rule, or this rule of one object, `CODE[=NAME]`; may be given several times")
	completeFunc(command, "ignore", func(*cobra.Command, []string, string) (codes []string, _ cobra.ShellCompDirective) {
		for _, r := range check.Rules() {
			codes = append(codes, cobra.CompletionWithDesc(r.Code, r.Title))
		}
		return codes, cobra.ShellCompDirectiveNoFileComp
	})
	roles := command.Flags().StringArray("role", nil,
		"the `ROLE` with which the program connects; may be given several times. Without one it is the role that connects here, unless"+
			" that is a superuser.")
	command.RunE = func(command *cobra.Command, _ []string) error {
		options := check.Options{Roles: *roles}
		var err error
		if options.Severity, err = check.ParseSeverity(*severity); err != nil {
			return fmt.Errorf("--severity: %w", err)
		}
		for _, text := range *ignored {
			i, err := check.ParseIgnore(text)
			if err != nil {
				return fmt.Errorf("--ignore: %w", err)
			}
			options.Ignore = append(options.Ignore, i)
		}
		p, err := loadPolicy(command, *policyFile)
		if mistakes := (policy.Errors)(nil); *format == "github" && errors.As(err, &mistakes) {
			err = errors.Join(check.WriteMistakes(command.OutOrStdout(), mistakes), err)
		}
		if err != nil {
			return err
		}
		s, err := ask(command, *dsn, "reading the catalogue", func(ctx context.Context, conn *pgx.Conn) (*check.Snapshot, error) {
			return check.Read(ctx, conn, p)
		})
		if err != nil {
			return err
		}
		report, err := check.Run(p, s, options)
		if err != nil {
			return err
		}
		if err := report.Write(command.OutOrStdout(), *format); err != nil {
			return err
		}
		if len(report.Findings) > 0 {
			return errNotWell
		}
		return nil
	}
	return command
}
