package shim_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/compat/shim"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

const policy = `
version: 1
dimensions: {tenant: {type: bigint}}
tables: {"*": {tenant: tenant_id}}`

// open opens a database over scoped, as a suite does. The environment is read
// once, so that there is one test of it.
func open(t *testing.T) (db *sql.DB, log string) {
	folder := t.TempDir()
	log = filepath.Join(folder, "log")
	file := filepath.Join(folder, "policy.yaml")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(shim.PolicyVariable, file)
	t.Setenv(shim.ScopeVariable, "tenant=1")
	t.Setenv(shim.LogVariable, log)
	db, err := shim.Open("pgx", pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, log
}

func TestShim(t *testing.T) {
	db, log := open(t)
	exec := func(query string, arguments ...any) {
		t.Helper()
		if _, err := db.Exec(query, arguments...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec(`CREATE TABLE note (id int, tenant_id bigint)`)
	exec(`INSERT INTO note (id) VALUES ($1)`, 1)
	exec(`/* all */ TRUNCATE note`)
	exec(`INSERT INTO note (id) VALUES (2)`)
	for range 2 {
		// What is left of the first is out of the second's way.
		exec(`CREATE TEMPORARY TABLE draft (id int, tenant_id bigint)`)
		exec(`INSERT INTO draft (id) VALUES (1)`)
	}
	var tenants string
	if err := db.QueryRow(`SELECT string_agg(n.tenant_id || ',' || d.tenant_id, ';') FROM note n, draft d`).Scan(&tenants); err != nil || tenants != "1,1" {
		t.Errorf("read %q, %v", tenants, err)
	}
	statement, err := db.Prepare(`UPDATE note SET tenant_id = $1`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statement.Exec(2); !errors.Is(err, scoped.ErrViolation) {
		t.Errorf("leaving the scope: %v", err)
	}
	if _, err := db.Exec(`LOCK note`); !errors.Is(err, scoped.ErrRefused) {
		t.Errorf("LOCK: %v", err)
	}

	want := []string{
		"CREATE TABLE note (id int, tenant_id bigint)", "/* all */ TRUNCATE note",
		"CREATE TABLE draft (id int, tenant_id bigint)", "CREATE TABLE draft (id int, tenant_id bigint)",
		"violation: UPDATE note SET tenant_id = $1", "statement: LOCK note",
	}
	if got := events(t, log); !slices.Equal(got, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		if shim.UnguardedConn(c) == nil {
			t.Error("there is no connection of pgx")
		}
		_, err := shim.Conn(c)
		return err
	})
	if err == nil {
		t.Error("Raw hands out a connection of pgx")
	}
}

func events(t *testing.T, log string) (events []string) {
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e shim.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Code != "" {
			e.SQL = e.Code + ": " + e.SQL
		}
		events = append(events, e.SQL)
	}
	return events
}

func TestChangesSchema(t *testing.T) {
	for query, want := range map[string]bool{
		"create table t ()": true,
		"  -- why\n/* and\nhow */ALTER TABLE t ADD a int": true,
		"DROP TABLE t; SELECT 1":                          true,
		"DO $$ BEGIN END $$":                              true,
		"SET search_path TO a":                            true,
		"SELECT 1; DROP TABLE t":                          false,
		"SET statement_timeout = 0":                       false,
		"createdb":                                        false,
		"INSERT INTO t VALUES ('CREATE TABLE')":           false,
		"-- CREATE TABLE\nSELECT 1":                       false,
	} {
		if got := shim.ChangesSchema(query); got != want {
			t.Errorf("%q: got %v", query, got)
		}
	}
}
