package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

const (
	schemasDir   = "schemas/"
	schemasScope = "tenant=acme site=1"
)

func schemasPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(script(t, schemasDir+"policy.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// eachSchemaCase runs a test with what is sent for each case about schemas.
func eachSchemaCase(t *testing.T, test func(t *testing.T, g *golden, r *rewrite.Rewrite, values map[string]string, err error)) {
	t.Helper()
	p := schemasPolicy(t)
	files, err := filepath.Glob(filepath.Join(goldenDir, schemasDir, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		cases, write := readGoldens(t, file)
		for _, g := range cases {
			t.Run(g.file+"/"+g.name, func(t *testing.T) {
				if g.scope == goldenScope {
					g.scope = schemasScope
				}
				shape, values := shapeOf(t, p, g.scope)
				r, err := rewrite.New(g.sql, p, shape)
				if err == nil {
					r, err = r.In(schemasOf(t, p, values))
				}
				test(t, g, r, values, err)
			})
		}
		if *update {
			write()
		}
	}
}

// schemasOf returns the schemas of a scope's values, by dimension.
func schemasOf(t *testing.T, p *policy.Policy, values map[string]string) []string {
	t.Helper()
	schemas := make([]string, len(p.Dimensions()))
	for _, d := range p.Dimensions() {
		if value := values[d.Name]; d.Schemas != nil && value != "" {
			var err error
			if schemas[d.Index], err = d.Schemas.Name(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return schemas
}

func TestSchemasGolden(t *testing.T) {
	eachSchemaCase(t, func(t *testing.T, g *golden, r *rewrite.Rewrite, _ map[string]string, err error) {
		got := describe(r, err)
		if got != g.result && !*update {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", g.sql, got, g.result)
		}
		g.result = got
	})
}

// TestSchemasOnServer runs the accepted cases where nothing leads to the scope's
// schema but the rewrite, and as the user wrote them in a database that holds only
// what the scope sees, with its schema in the search path.
func TestSchemasOnServer(t *testing.T) {
	setUp := script(t, schemasDir+"schema.sql")
	full := connect(t, pgtest.DSN(t, setUp))
	own := connect(t, pgtest.DSN(t, setUp, script(t, schemasDir+"own.sql")))
	if _, err := own.Exec(context.Background(), "SET search_path = t_acme, public"); err != nil {
		t.Fatal(err)
	}
	others := contentsOfSchemas(t, full) // the rows that the scope does not see
	for table, rows := range contentsOfSchemas(t, own) {
		others[table] = slices.DeleteFunc(others[table], func(row string) bool { return slices.Contains(rows, row) })
	}
	eachSchemaCase(t, func(t *testing.T, g *golden, r *rewrite.Rewrite, values map[string]string, err error) {
		if err != nil || !g.runsOn(full) || r.Params > 0 || g.scope != schemasScope && g.scope != "site=1" {
			return
		}
		args := make([]any, len(r.Args))
		for i, a := range r.Args {
			if args[i] = values[a.Name]; a.Name == "site" {
				args[i] = int64(1)
			}
		}
		if r.Literal {
			if r, err = r.WithLiterals(args); err != nil {
				t.Fatal(err)
			}
			args = nil
		}
		got, left := inSchemas(t, full, r.SQL, args)
		want, wanted := inSchemas(t, own, g.sql, nil)
		if r.Check {
			got = strings.ReplaceAll(got, ", NULL", "")
			if !r.Returning {
				got = strings.ReplaceAll(got, "NULL\n", "")
			}
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", r.SQL, got, want)
		}
		for table, rows := range others {
			if rows = append(rows[:len(rows):len(rows)], wanted[table]...); !slices.Equal(slices.Sorted(slices.Values(rows)), left[table]) {
				t.Errorf("%s holds %q, want %q", table, left[table], rows)
			}
		}
	})
}

// inSchemas runs a statement in a transaction that it rolls back, and returns its
// outcome and what the tables hold then.
func inSchemas(t *testing.T, conn *pgx.Conn, sql string, args []any) (string, map[string][]string) {
	t.Helper()
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}()
	var lines []string
	if strings.Contains(sql, "; ") {
		tag, err := conn.Exec(ctx, sql)
		return outcomeOf(t, lines, tag, err), contentsOfSchemas(t, conn)
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return outcomeOf(t, nil, pgconn.CommandTag{}, err), nil
	}
	for rows.Next() {
		lines = append(lines, rowText(rows.RawValues()))
	}
	rows.Close()
	if rows.Err() != nil {
		return outcomeOf(t, nil, pgconn.CommandTag{}, rows.Err()), nil
	}
	return outcomeOf(t, lines, rows.CommandTag(), nil), contentsOfSchemas(t, conn)
}

func outcomeOf(t *testing.T, lines []string, tag pgconn.CommandTag, err error) string {
	t.Helper()
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		t.Errorf("%v", err) // no case fails
		return pgErr.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(append(lines, tag.String()), "\n")
}

// contentsOfSchemas returns the rows of all tables, sorted.
func contentsOfSchemas(t *testing.T, conn *pgx.Conn) map[string][]string {
	t.Helper()
	ctx := context.Background()
	rows, err := conn.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND (n.nspname = 'public' OR n.nspname LIKE 't\_%')`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, name := range names {
		rows, err := conn.Query(ctx, fmt.Sprintf("SELECT t::text FROM %s t ORDER BY t::text COLLATE \"C\"", name))
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
