package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// TestMergeChecksEveryType runs the checks of MERGE on dimensions and keys of
// every type, on literals, columns and parameters, with plans that know the
// values and plans that do not. A check that fails no row must not fail.
func TestMergeChecksEveryType(t *testing.T) {
	types := []struct{ name, mine, theirs string }{
		{"smallint", "1", "2"}, {"integer", "1", "2"}, {"bigint", "1", "2"}, {"text", "a", "b"},
		{"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	}
	forms := []struct{ source, value string }{
		{"SELECT 90 AS id", "{v}"},
		{"SELECT 90 AS id", "$1"},
		{"SELECT 90 AS id, {v}::{type} AS v", "s.v"},
		{"SELECT 90 AS id, $1::{type} AS v", "s.v"},
	}
	for _, typ := range types {
		conn := connect(t, pgtest.DSN(t, fmt.Sprintf(`
			CREATE TABLE top (id %[1]s PRIMARY KEY);
			CREATE TABLE child (id int PRIMARY KEY, top_id %[1]s);
			INSERT INTO top VALUES ('%[2]s'), ('%[3]s')`, typ.name, typ.mine, typ.theirs)))
		for _, scoping := range []string{"top_id", "top_id -> top"} {
			p, shape := childPolicy(t, typ.name, scoping)
			for _, form := range forms {
				for _, value := range []string{typ.mine, typ.theirs} {
					for _, reached := range []bool{true, false} {
						fill := strings.NewReplacer("{v}", "'"+value+"'", "{type}", typ.name)
						sql := fmt.Sprintf("MERGE INTO child c USING (%s) s ON c.id = s.id WHEN NOT MATCHED AND (s.id = 90) = %t THEN INSERT (id, top_id) VALUES (s.id, %s)",
							fill.Replace(form.source), reached, fill.Replace(form.value))
						r, err := rewrite.New(sql, p, shape)
						if err != nil {
							t.Fatal(sql, err)
						}
						args := []any{value, typ.mine}[1-r.Params:]
						for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
							n, err := merged(t, conn, mode, r.SQL, args...)
							want := map[bool]int64{true: 1, false: 0}[reached]
							if violates := reached && value == typ.theirs; violates != isViolation(err) || !violates && (err != nil || n != want) {
								t.Errorf("%s, %s: %d rows, %v\n%s %q", scoping, mode, n, err, r.SQL, args)
							}
						}
					}
				}
			}
		}
	}
}

// TestMergeComparesWhatIsStored shows a value that equals a key of the scope and
// another key too: as double precision the two are the same number.
func TestMergeComparesWhatIsStored(t *testing.T) {
	const mine, theirs = "9007199254740993", "9007199254740992"
	conn := connect(t, pgtest.DSN(t, fmt.Sprintf(`
		CREATE TABLE top (id bigint PRIMARY KEY);
		CREATE TABLE child (id int PRIMARY KEY, top_id bigint);
		INSERT INTO top VALUES (%s), (%s)`, mine, theirs)))
	for _, scoping := range []string{"top_id", "top_id -> top"} {
		p, shape := childPolicy(t, "bigint", scoping)
		for _, value := range []string{"s.v", "s.v + 0", "CASE WHEN true THEN s.v END"} {
			sql := fmt.Sprintf("MERGE INTO child c USING (SELECT 90 AS id, float8 '%s' AS v) s ON c.id = s.id WHEN NOT MATCHED THEN INSERT (id, top_id) VALUES (s.id, %s)", mine, value)
			r, err := rewrite.New(sql, p, shape)
			if err != nil {
				t.Fatal(sql, err)
			}
			if _, err := merged(t, conn, "auto", r.SQL, mine); !isViolation(err) {
				t.Errorf("%s: %v\n%s", scoping, err, r.SQL)
			}
		}
	}
}

func childPolicy(t *testing.T, typeName, scoping string) (*policy.Policy, rewrite.Shape) {
	t.Helper()
	p, err := policy.Parse("test", []byte(fmt.Sprintf(
		"version: 1\ndimensions: {top: {type: %s}}\nsearch_path: [public]\ntables:\n  top: {top: id}\n  child: {top: %s}\n", typeName, scoping)))
	if err != nil {
		t.Fatal(err)
	}
	return p, rewrite.Shape(0).With(p.Dimension("top"), rewrite.One)
}

// merged returns how many rows a statement changed in a transaction that is
// rolled back.
func merged(t *testing.T, conn *pgx.Conn, planCacheMode, sql string, args ...any) (int64, error) {
	t.Helper()
	if conn.PgConn().ParameterStatus("server_version") < "15" {
		t.Skip("MERGE came with PostgreSQL 15")
	}
	ctx := context.Background()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "SET LOCAL plan_cache_mode = "+planCacheMode); err != nil {
		t.Fatal(err)
	}
	tag, err := tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

func isViolation(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "22P02" && strings.Contains(pgErr.Message, "scoped-pgx:public.child:")
}
