package rewrite

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// The server's own functions that return rows under every signature, with the
// columns that all signatures have. A set of anyelement is one of rows where only
// rows can be given to it, which the server does not tell.
const compositeQuery = `
	WITH f AS (
		SELECT proname, count(*) AS signatures, bool_and(prorettype = 'record'::regtype OR typtype = 'c') AS composite
		FROM pg_proc p JOIN pg_type t ON t.oid = prorettype WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1
	)
	SELECT f.proname::text, f.composite, ARRAY(
		SELECT a.name FROM pg_proc p, unnest(p.proargnames, p.proargmodes) AS a (name, mode)
		WHERE p.proname = f.proname AND p.pronamespace = 'pg_catalog'::regnamespace AND a.mode IN ('o', 't', 'b')
		GROUP BY 1 HAVING count(*) = f.signatures)
	FROM f`

func TestCompositeFunctions(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, compositeQuery)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var name string
	var isComposite bool
	var fields []string
	_, err = pgx.ForEachRow(rows, []any{&name, &isComposite, &fields}, func() error {
		known, ok := compositeFunctions[name]
		isComposite = isComposite || slices.Contains([]string{
			"json_populate_record", "json_populate_recordset", "jsonb_populate_record", "jsonb_populate_recordset",
		}, name)
		if ok {
			seen++
		}
		if ok != isComposite && (ok || builtin.Function(name)) {
			t.Errorf("%s: composite is %v", name, isComposite)
		}
		for _, field := range known {
			if !slices.Contains(fields, field) {
				t.Errorf("%s has no column %s, only %q", name, field, fields)
			}
		}
		return nil
	})
	if err != nil || seen < len(compositeFunctions)-1 { // PostgreSQL 16 brought pg_input_error_info
		t.Error(seen, err)
	}
}
