package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/policy"
)

// dsnFlag adds --dsn, for connect.
func dsnFlag(command *cobra.Command) *string {
	return command.Flags().String("dsn", "",
		"the database, a URL or keyword=value, as for psql. What the `DSN` leaves out is taken from PGHOST, PGPASSWORD and"+
			" so on; a password does not belong on a command line.")
}

// connect connects to the database of --dsn and of the variables PGHOST,
// PGDATABASE and so on, as pgx and psql read them.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, dsn)
}

// policyFlag adds --policy, for loadPolicy.
func policyFlag(command *cobra.Command) *string {
	file := command.Flags().String("policy", "", "the policy's `FILE`; required")
	completeFiles(command, "policy", "yaml", "yml")
	return file
}

// loadPolicy loads the policy of --policy.
func loadPolicy(command *cobra.Command, file string) (*policy.Policy, error) {
	if file == "" {
		return nil, errors.New("--policy FILE is missing; " + seeHelp(command))
	}
	return policy.Load(file)
}
