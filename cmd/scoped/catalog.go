package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

func newCatalogCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "catalog [--dsn DSN] [--schema NAME]… [--policy FILE]",
		Short: "the catalogue of a database's tables, for those who rewrite with one",
		Long: `
scoped catalog prints the catalogue of a database's tables, which "scoped rewrite --catalog"
and the driver's scope_catalog read. It changes nothing, and needs no right but to connect.`,
		Example: `
  scoped catalog --dsn postgres://localhost/blog > catalog.json
  PGHOST=localhost PGDATABASE=blog scoped catalog > catalog.json`,
		Annotations: map[string]string{notes: `
The file is sorted and has one column a line, to be kept beside the schema and compared in
reviews. Print it again after each migration. The exit status is 0, or 2 when the command
could not work; then standard error says why.`},
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	dsn := dsnFlag(command)
	schemas := command.Flags().StringArray("schema", nil,
		"only the tables of the schema `NAME`; may be given several times. Without it, those of all schemas but the system's.")
	policyFile := command.Flags().String("policy", "",
		"the policy's `FILE`: the schemas of its dimensions' values are left out, as the template tells what is in them")
	completeFiles(command, "policy", "yaml", "yml")
	command.RunE = func(command *cobra.Command, _ []string) error {
		read := catalog.Read
		if *policyFile != "" {
			p, err := policy.Load(*policyFile)
			if err != nil {
				return err
			}
			read = func(ctx context.Context, q catalog.Querier, schemas ...string) (*catalog.Catalog, error) {
				return catalog.ReadFor(ctx, q, p, schemas...)
			}
		}
		c, err := ask(command, *dsn, "reading the catalogue", func(ctx context.Context, conn *pgx.Conn) (*catalog.Catalog, error) {
			return read(ctx, conn, *schemas...)
		})
		if err != nil {
			return err
		}
		_, err = c.WriteTo(command.OutOrStdout())
		return err
	}
	return command
}
