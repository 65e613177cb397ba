package plans_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/rewrite"
)

type database struct {
	*pgx.Conn
	version int
}

// open connects to a database of the test's own.
func open(t *testing.T) database {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	version, _ := strconv.Atoi(major)
	return database{conn, version}
}

// load makes the data set, which all comparisons share.
func load(t *testing.T) database {
	t.Helper()
	schema, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := open(t)
	start := time.Now()
	db.exec(t, string(schema))
	db.exec(t, "VACUUM ANALYZE")
	t.Logf("PostgreSQL %d, loaded in %v", db.version, time.Since(start).Round(time.Second))
	return db
}

func (db database) exec(t *testing.T, sql string) []*pgconn.Result {
	t.Helper()
	results, err := db.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%.2000s: %v", sql, err)
	}
	return results
}

// An execution is a statement with the values that it is executed with.
type execution struct {
	sql, values string
	parameters  *strings.Replacer // from the numbers of the scope's to their names
}

// explain returns the plan of a prepared statement. EXPLAIN of a statement with
// bound parameters would always be planned for their values.
func (db database) explain(t *testing.T, e execution) *plan {
	t.Helper()
	db.exec(t, "PREPARE statement AS "+e.sql)
	defer db.exec(t, "DEALLOCATE statement")
	results := db.exec(t, "EXPLAIN (FORMAT JSON) EXECUTE statement"+e.values)
	var found []struct{ Plan *plan }
	if err := json.Unmarshal(results[0].Rows[0][0], &found); err != nil {
		t.Fatal(err)
	}
	return found[0].Plan
}

// results returns what a statement returns, sorted, and its tag, without the
// check of a rewrite. What it wrote is rolled back.
func (db database) results(t *testing.T, e execution, r *rewrite.Rewrite) []string {
	t.Helper()
	db.exec(t, "BEGIN; PREPARE statement AS "+e.sql)
	defer db.exec(t, "ROLLBACK; DEALLOCATE ALL")
	result := db.exec(t, "EXECUTE statement"+e.values)[0]
	var lines []string
	for _, row := range result.Rows {
		if r != nil && r.Check && !r.Returning {
			break
		}
		if r != nil && r.Check {
			row = row[:len(row)-1]
		}
		lines = append(lines, fmt.Sprintf("%q", row))
	}
	slices.Sort(lines)
	return append(lines, result.CommandTag.String())
}
