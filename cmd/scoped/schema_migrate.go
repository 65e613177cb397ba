package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/migrate"
)

func newSchemaMigrateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "migrate --policy FILE [--dsn DSN] {FOLDER [--goose] | --exec COMMAND --name NAME}",
		Short: "run migrations in the template, and then in every schema",
		Long: `
scoped schema migrate runs migrations in the template and then in the schema of every value in
the registry, several at a time, and records what ran where. What is pending in a schema runs in
one transaction together with its record, so a schema is either done or as it was, and another
run goes on where one failed, was interrupted or killed.`,
		Example: `
  scoped schema migrate --policy policy.yaml --dsn postgres://localhost/school migrations
  scoped schema migrate --policy policy.yaml migrations --dry-run
  scoped schema migrate --policy policy.yaml migrations --jobs 8 --on-error continue
  scoped schema migrate --policy policy.yaml migrations --goose
  scoped schema migrate --policy policy.yaml --name paid --exec 'psql -f paid.sql'`,
		Annotations: map[string]string{notes: `
The files of FOLDER that end with .sql run in the order of their names, each once in a schema,
with the schema and then the policy's search path as search_path: unqualified names mean the
schema. A file that ran may not be changed. With --goose they are in the form of
github.com/pressly/goose.

A command is run by the shell, once in a schema, with the schema in SCOPED_SCHEMA, the value in
SCOPED_VALUE, empty for the template, and the database and search_path in PGHOST, PGOPTIONS and
so on. It runs again where scoped was killed meanwhile.

The exit status is 0 when all schemas have all migrations, 1 when some failed or were not begun,
and 2 when the command could not work.`},
		Args: cobra.MaximumNArgs(1),
	}
	flags := addSchemaFlags(command)
	isGoose := command.Flags().Bool("goose", false, "the files are goose's")
	line := command.Flags().String("exec", "", "instead of files, run the `COMMAND` in each schema")
	name := command.Flags().String("name", "", "what the command is recorded as, a `NAME` of its own for each")
	jobs := command.Flags().Int("jobs", 4, "migrate `N` schemas at a time, each on a connection of its own")
	onError := command.Flags().String("on-error", "stop", "at a failure, `WHAT` becomes of the schemas that were not begun: stop or continue")
	complete(command, "on-error", "stop", "continue")
	only := command.Flags().StringSlice("only", nil, "migrate only the schemas of these `VALUES`, and the template")
	dryRun := command.Flags().Bool("dry-run", false, "say what would run where, and change nothing")
	command.RunE = func(command *cobra.Command, args []string) error {
		p, err := loadPolicy(command, *flags.policy)
		if err != nil {
			return err
		}
		d, err := flags.findIn(p)
		if err != nil {
			return err
		}
		var source migrate.Source
		switch {
		case len(args) == 1 && *line == "" && *name == "" && *isGoose:
			source, err = migrate.ReadGoose(args[0], d.Schemas.Template)
		case len(args) == 1 && *line == "" && *name == "":
			source, err = migrate.ReadFiles(args[0], d.Schemas.Template)
		case len(args) == 0 && *line != "" && *name != "" && !*isGoose:
			source = &migrate.Command{Name: *name, Line: *line}
		default:
			err = errors.New("it takes a folder, or a command and its name; " + seeHelp(command))
		}
		switch {
		case err != nil:
			return err
		case *onError != "stop" && *onError != "continue":
			return errors.New("--on-error: write stop or continue")
		case *jobs < 1:
			return errors.New("--jobs: it takes at least one")
		}
		config, err := parseDSN(*flags.dsn)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal ends the process
		report, err := migrate.Run(ctx, migrate.Options{
			Config: config, Policy: p, Dimension: d, Source: source, Only: *only, Jobs: *jobs, Stop: *onError == "stop", DryRun: *dryRun,
			Progress: command.ErrOrStderr(),
		})
		if err != nil {
			return err
		}
		if err := report.Write(command.OutOrStdout()); err != nil {
			return err
		}
		if !report.OK() {
			return errNotWell
		}
		return nil
	}
	return command
}
