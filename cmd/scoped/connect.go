package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// dsnFlag adds --dsn, for connect.
func dsnFlag(command *cobra.Command) *string {
	return command.Flags().String("dsn", "",
		"the database, a URL or keyword=value, as for psql or the driver. What the `DSN` leaves out is taken from PGHOST,"+
			" PGPASSWORD and so on; a password does not belong on a command line.")
}

// The driver's own parameters of a data source name begin with ownParameters.
const (
	ownParameters = "scope_"
	ownPolicy     = "scope_policy"
)

// connect connects to the database of --dsn and of the variables PGHOST,
// PGDATABASE and so on, as pgx and psql read them. It may be what a program gives
// the driver.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	config, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// ask has a question answered by the database of --dsn. Doing says what takes so
// long, where it does.
func ask[T any](command *cobra.Command, dsn, doing string, question func(context.Context, *pgx.Conn) (T, error)) (answer T, err error) {
	defer terminal.Progress(command.ErrOrStderr(), doing)()
	ctx := command.Context()
	conn, err := connect(ctx, dsn)
	if err != nil {
		return answer, err
	}
	defer conn.Close(ctx)
	return question(ctx, conn)
}

// parseDSN reads --dsn without the driver's own parameters.
func parseDSN(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	removeOwn(config)
	return config, nil
}

func removeOwn(config *pgx.ConnConfig) {
	for name := range config.RuntimeParams {
		if strings.HasPrefix(name, ownParameters) {
			delete(config.RuntimeParams, name)
		}
	}
}

// policyFlag adds --policy, for loadPolicy.
func policyFlag(command *cobra.Command) *string {
	file := command.Flags().String("policy", "", "the policy's `FILE`; required")
	completeFiles(command, "policy", "yaml", "yml")
	return file
}

// loadPolicy loads the policy of --policy or, without it, of the --dsn that a
// program gives the driver.
func loadPolicy(command *cobra.Command, file string) (*policy.Policy, error) {
	file, err := policyPath(command, file)
	if err != nil {
		return nil, err
	}
	return policy.Load(file)
}

func policyPath(command *cobra.Command, file string) (string, error) {
	if dsn := command.Flags().Lookup("dsn"); file == "" && dsn != nil {
		config, err := pgx.ParseConfig(dsn.Value.String())
		if err != nil {
			return "", err
		}
		file = config.RuntimeParams[ownPolicy]
	}
	if file == "" {
		return "", errors.New("--policy FILE is missing; " + seeHelp(command))
	}
	return file, nil
}

// catalogFlag adds --catalog, for loadCatalog.
func catalogFlag(command *cobra.Command) *string {
	file := command.Flags().String("catalog", "", "the `FILE` that \"scoped catalog\" prints, the catalogue of the database's tables")
	completeFiles(command, "catalog", "json")
	return file
}

// loadCatalog loads the catalogue of --catalog, nil without it.
func loadCatalog(file string) (rewrite.Catalog, error) {
	if file == "" {
		return nil, nil
	}
	return catalog.Load(file)
}
