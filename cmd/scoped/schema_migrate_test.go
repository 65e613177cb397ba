package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSchemaMigrate shows what a migration says that succeeds, fails and goes on.
func TestSchemaMigrate(t *testing.T) {
	database(t, `CREATE TABLE tenant (slug text PRIMARY KEY); INSERT INTO tenant VALUES ('acme'), ('globex'), ('not yet');
		CREATE SCHEMA t__template; CREATE SCHEMA t_acme; CREATE SCHEMA t_globex; CREATE SCHEMA t_other;
		CREATE TABLE t__template.invoice (number int); CREATE TABLE t_acme.invoice (number int); CREATE TABLE t_globex.invoice (number int);
		INSERT INTO t_acme.invoice VALUES (1), (1)`)
	folder := t.TempDir()
	var all strings.Builder
	migrate := func(args ...string) {
		text := transcript(append([]string{"schema", "migrate", "--policy", schemaPolicy}, args...), "")
		text = regexp.MustCompile(` in [0-9.]+m?s`).ReplaceAllString(text, " in 1.2s")
		all.WriteString(strings.NewReplacer(folder, "migrations").Replace(text))
	}
	write := func(name, sql string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(sql), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	migrate(folder)
	write("1.sql", "ALTER TABLE invoice ADD paid boolean;\nCREATE UNIQUE INDEX ON invoice (number);\n")
	migrate(folder, "--dry-run")
	migrate(folder, "--on-error", "continue")
	write("2.sql", "BEGIN;\nALTER TABLE t__template.invoice ADD due date;\nCOMMIT;\n")
	migrate(folder)
	write("2.sql", "ALTER TABLE invoice ADD due date;\n")
	migrate(folder, "--only", "globex")
	migrate("--name", "numbers", "--only", "acme", "--exec", "exit 1")
	migrate(folder, "--exec", "exit 1")
	migrate("--exec", "exit 1")
	migrate(folder, "--jobs", "0")
	migrate(folder, "--on-error", "retry")
	migrate(folder, "--only", "initech")
	compare(t, "schema_migrate", all.String())
}

// TestSchemaMigrateCreate shows that a schema made from the template has what ran
// there, and that migrated schemas are the template's like.
func TestSchemaMigrateCreate(t *testing.T) {
	database(t, `CREATE SCHEMA t__template`)
	folder := t.TempDir()
	schema := func(want string, args ...string) {
		t.Helper()
		if got := transcript(append([]string{"schema"}, append(args, "--policy", schemaPolicy)...), ""); !strings.Contains(got, want) || !strings.Contains(got, "exit status 0") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	write := func(name, sql string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(sql), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1.sql", `CREATE TYPE status AS ENUM ('draft'); CREATE TABLE invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status status);
		CREATE FUNCTION invoices() RETURNS bigint LANGUAGE sql SET search_path FROM CURRENT AS $$ SELECT count(*) FROM invoice $$`)
	schema("0 up to date", "migrate", folder)
	schema("t_acme", "create", "acme")
	schema("2 up to date", "migrate", folder)
	write("2.sql", `ALTER TABLE invoice ADD paid boolean; CREATE INDEX ON invoice (paid); CREATE VIEW paid AS SELECT * FROM invoice WHERE paid`)
	schema("2 migrated", "migrate", folder)
	schema("t_globex", "create", "globex")
	schema("0 of 2 schemas", "diff")
	schema("3 up to date", "migrate", folder)
}
