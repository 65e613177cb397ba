package scoped_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

const schoolPolicy = `version: 1
dimensions:
  school: {schema: "s_{value}", template: s__template, sequences: [ticket]}
  year: {type: integer}
tables:
  account: shared
  pupil: {school: schema}
  mark: {school: schema, year: year}
`

// schoolValues have schemas. Each of their pupils says whose it is.
var schoolValues = []string{"north", "south", "East", `x"; DROP SCHEMA public --`, "o'neil", "größe", "pg_catalog", "public"}

func schoolSchema(values []string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE account (id bigint PRIMARY KEY, name text);\nINSERT INTO account VALUES (1, 'ada');\n")
	for _, value := range append([]string{"_template"}, values...) {
		name := pgx.Identifier{"s_" + value}.Sanitize()
		fmt.Fprintf(&b, `CREATE SCHEMA %[1]s;
CREATE SEQUENCE %[1]s.ticket;
CREATE TABLE %[1]s.pupil (id bigserial PRIMARY KEY, name text);
CREATE TABLE %[1]s.mark (pupil_id bigint REFERENCES %[1]s.pupil, year int NOT NULL, mark text);
INSERT INTO %[1]s.pupil (name) SELECT 'of ' || %[2]s FROM generate_series(1, 3);
INSERT INTO %[1]s.mark SELECT id, 2000 + id, name FROM %[1]s.pupil;
`, name, "'"+strings.ReplaceAll(value, "'", "''")+"'")
	}
	return b.String()
}

func openSchools(t *testing.T, dsn string, opts ...scoped.Option) *sql.DB {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(schoolPolicy))
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(scoped.NewConnector(stdlib.GetConnector(*config), p, opts...))
	t.Cleanup(func() { db.Close() })
	return db
}

func ofSchool(ctx context.Context, value string) context.Context {
	return scoped.With(ctx, "school", value)
}

func TestValueChoosesSchema(t *testing.T) {
	db := openSchools(t, pgtest.DSN(t, schoolSchema(schoolValues)))
	for _, value := range schoolValues {
		ctx := ofSchool(t.Context(), value)
		var name string
		if err := db.QueryRowContext(ctx, "SELECT p.name FROM pupil p JOIN account a ON true WHERE p.id = $1", 2).Scan(&name); err != nil || name != "of "+value {
			t.Errorf("%s: %q, %v", value, name, err)
		}
		if err := db.QueryRowContext(scoped.With(ctx, "year", 2002), "SELECT mark FROM mark").Scan(&name); err != nil || name != "of "+value {
			t.Errorf("%s: %q, %v", value, name, err)
		}
		var ticket int64
		for want := int64(1); want < 3; want++ {
			if err := db.QueryRowContext(ctx, "SELECT nextval('ticket')").Scan(&ticket); err != nil || ticket != want {
				t.Errorf("%s: ticket %d, want %d, %v", value, ticket, want, err)
			}
		}
	}
	for _, value := range []string{"", "_template", strings.Repeat("x", 200), "a\nb", `a\b`} {
		_, err := db.ExecContext(ofSchool(t.Context(), value), "DELETE FROM pupil")
		wantError(t, err, scoped.CodeScope)
	}
	_, err := db.ExecContext(ofSchool(t.Context(), "nosuch"), "DELETE FROM pupil")
	wantSQLState(t, err, "42P01") // as PostgreSQL has it: there is no such table
	if rows, err := db.QueryContext(t.Context(), "SELECT * FROM pupil, mark LIMIT 0"); err != nil {
		t.Error(err)
	} else if columns, err := rows.Columns(); len(columns) != 5 || rows.Next() || err != nil || rows.Close() != nil {
		t.Error(columns, err)
	}
	for _, ctx := range []context.Context{
		t.Context(), scoped.With(t.Context(), "school", scoped.All), scoped.With(t.Context(), "school", scoped.AnyOf("north", "south")),
	} {
		if _, err := db.ExecContext(ctx, "DELETE FROM pupil"); !errors.Is(err, scoped.ErrScopeRequired) {
			t.Errorf("got %v", err)
		}
	}
}

// The catalogue of the server is the template's, for all schemas.
func TestServerCatalogOfSchemas(t *testing.T) {
	dsn := pgtest.DSN(t, schoolSchema(schoolValues), `ALTER TABLE s_north.mark RENAME year TO of_year`)
	db := openSchools(t, dsn, scoped.WithServerCatalog())
	ctx := scoped.With(ofSchool(t.Context(), "o'neil"), "year", 2002)
	var year int
	const insert = "WITH written AS (INSERT INTO mark (pupil_id) VALUES (1) RETURNING *) SELECT year FROM written" // whose star is written out
	if err := db.QueryRowContext(ctx, insert).Scan(&year); err != nil || year != 2002 {
		t.Error(year, err)
	}
	other := openSchools(t, pgtest.DSN(t, schoolSchema(schoolValues), `ALTER TABLE s__template.mark RENAME year TO of_year`), scoped.WithServerCatalog())
	wantError(t, other.PingContext(t.Context()), scoped.CodeConfig)
}

// A prepared statement belongs to no schema, whatever it was prepared under.
func TestPreparedInSchemas(t *testing.T) {
	db := openSchools(t, pgtest.DSN(t, schoolSchema(schoolValues)))
	for _, prepared := range []context.Context{t.Context(), ofSchool(t.Context(), "south")} {
		stmt, err := db.PrepareContext(prepared, "SELECT name FROM pupil WHERE id = $1")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for _, value := range schoolValues {
				var name string
				if err := stmt.QueryRowContext(ofSchool(t.Context(), value), 1).Scan(&name); err != nil || name != "of "+value {
					t.Errorf("%s: %q, %v", value, name, err)
				}
			}
		}
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBulkInSchemas(t *testing.T) {
	base, err := pgxpool.New(t.Context(), pgtest.DSN(t, schoolSchema(schoolValues)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(base.Close)
	p, err := policy.Parse("policy.yaml", []byte(schoolPolicy))
	if err != nil {
		t.Fatal(err)
	}
	pool := scoped.Pool(base, p)
	for _, value := range schoolValues {
		ctx := ofSchool(t.Context(), value)
		rows := pgx.CopyFromRows([][]any{{int64(9), "of " + value}})
		if n, err := pool.CopyFrom(ctx, pgx.Identifier{"pupil"}, []string{"id", "name"}, rows); n != 1 || err != nil {
			t.Errorf("%s: %d rows, %v", value, n, err)
		}
		var out bytes.Buffer
		conn, err := pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.CopyTo(ctx, &out, "COPY (SELECT name FROM pupil WHERE id > 2) TO STDOUT"); err != nil || out.String() != strings.Repeat("of "+value+"\n", 2) {
			t.Errorf("%s: %q, %v", value, out.String(), err)
		}
		conn.Release()
		batch := &pgx.Batch{}
		batch.Queue("UPDATE pupil SET name = name || '!' WHERE id = 9 RETURNING name").QueryRow(func(row pgx.Row) error {
			var name string
			if err := row.Scan(&name); err != nil || name != "of "+value+"!" {
				t.Errorf("%s: %q, %v", value, name, err)
			}
			return nil
		})
		if err := pool.SendBatch(ctx, batch).Close(); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// Statements of several schools share the connections of a pooler in transaction
// mode. The scope chooses the schema, whichever connection a statement gets.
func TestSchemasBehindBouncer(t *testing.T) {
	dsn := pgtest.Bouncer(t, pgtest.DSN(t, schoolSchema(schoolValues)), 2)
	for _, mode := range []string{"exec", "cache_describe", "simple_protocol"} {
		db := openSchools(t, withParameters(t, dsn, "default_query_exec_mode="+mode))
		db.SetMaxOpenConns(8)
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(worker)))
				for range 60 {
					value := schoolValues[random.IntN(len(schoolValues))]
					names, err := namesOf(ofSchool(t.Context(), value), db)
					if err != nil || len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return name != "of "+value }) {
						t.Errorf("%s: %s: %q, %v", mode, value, names, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// A search_path that a client sets is set on the server's connection, which a pooler
// in transaction mode gives to the next client. Where two schools share one, the
// first is shown the second's pupils; by names that are written out each has its own,
// whatever search_path is left there.
func TestSearchPathBehindBouncer(t *testing.T) {
	dsn := withParameters(t, pgtest.Bouncer(t, pgtest.DSN(t, schoolSchema(schoolValues)), 1), "default_query_exec_mode=exec")
	conn := func(db *sql.DB) *sql.Conn {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	pupils := func(ctx context.Context, c *sql.Conn, want string) {
		t.Helper()
		names, err := namesOf(ctx, c)
		if err != nil || len(names) != 3 || slices.ContainsFunc(names, func(name string) bool { return name != "of "+want }) {
			t.Errorf("got %q, %v, want those of %s", names, err, want)
		}
	}
	plain := openDB(t, "pgx", dsn)
	north, south := conn(plain), conn(plain)
	wantExec(t.Context(), t, north, 0, "SET search_path TO s_north")
	pupils(t.Context(), north, "north")
	wantExec(t.Context(), t, south, 0, "SET search_path TO s_south")
	pupils(t.Context(), north, "south")

	db := openSchools(t, dsn)
	north, south = conn(db), conn(db)
	for range 2 {
		pupils(ofSchool(t.Context(), "north"), north, "north")
		pupils(ofSchool(t.Context(), "south"), south, "south")
	}
}

func namesOf(ctx context.Context, db queryer) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM pupil")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
