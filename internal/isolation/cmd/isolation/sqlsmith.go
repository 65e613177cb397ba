package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/isolation"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// sqlsmith returns statements that SQLsmith generates for the schema. It only
// reads the catalogue; nothing is executed.
func sqlsmith(ctx context.Context, server *pgtest.Server, seed uint64, n int) ([]string, error) {
	program, err := exec.LookPath("sqlsmith")
	if err != nil {
		return nil, errors.New("SQLsmith is not installed (Debian, Ubuntu: apt-get install sqlsmith)")
	}
	dsn, err := server.CreateDatabase(ctx, isolation.Schema())
	if err != nil {
		return nil, err
	}
	if err := showLess(ctx, dsn); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--target="+dsn, "--dry-run", "--exclude-catalog",
		fmt.Sprintf("--seed=%d", seed), fmt.Sprintf("--max-queries=%d", 4*n))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Stderr.Write(exit.Stderr)
		}
		return nil, fmt.Errorf("sqlsmith: %w", err)
	}
	statements := slices.DeleteFunc(split(string(out)), useless.MatchString)
	return statements[:min(n, len(statements))], nil
}

// useless tells the statements that the server rejects, for a value of a
// pseudo-type, those that are answered differently each time, and those that
// change rows of nobody which the policy lets be read only.
var useless = regexp.MustCompile(`\b(any(multi)?range|anyenum|anyarray|anycompatible\w*)\b|\brandom\(|polygon|point|tablesample|(into|update|delete from) public\.holiday`)

// showLess puts views before the catalogue, in a schema whose tables SQLsmith
// does not use itself. They show it, which names the catalogue without its schema,
// only operators and allowed, immutable functions whose arguments are of the
// schema's types. Without it the server rejects or the rewriter refuses nine
// statements of ten, most of them for pseudo-types and functions of the server's
// statistics.
func showLess(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1 HAVING bool_and(provolatile = 'i')")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var allowed []string
	for _, name := range names {
		if builtin.Function(name) {
			allowed = append(allowed, "'"+name+"'")
		}
	}
	_, err = conn.PgConn().Exec(ctx, fmt.Sprintf(`
DROP TABLE event_1, event_2, event_rest;
CREATE FUNCTION information_schema.known(oid) RETURNS boolean LANGUAGE sql AS $$
	SELECT $1 = ANY ('{int4,int8,numeric,float8,text,bool,date,timestamp,timestamptz,interval,uuid,jsonb,int4[],text[]}'::regtype[]::oid[])
$$;
CREATE VIEW information_schema.pg_proc AS SELECT * FROM pg_catalog.pg_proc p
	WHERE p.proname IN (%s) AND information_schema.known(p.prorettype) AND (SELECT bool_and(information_schema.known(a)) FROM unnest(p.proargtypes) a) IS NOT FALSE;
CREATE VIEW information_schema.pg_operator AS SELECT * FROM pg_catalog.pg_operator
	WHERE information_schema.known(oprleft) AND information_schema.known(oprright) AND information_schema.known(oprresult);
`, strings.Join(allowed, ", "))).ReadAll()
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = information_schema, pg_catalog, public', current_database()); END $$")
	return err
}
