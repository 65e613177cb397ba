package migrate_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/migrate"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// child is the variable with the URL of the database and the folder, for which the
// test's program migrates instead of testing.
const child = "SCOPED_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if dsn, folder, ok := strings.Cut(os.Getenv(child), "\n"); ok {
		report, err := migrateFolder(context.Background(), dsn, folder, migrate.Options{})
		fmt.Println(report, err)
		if err != nil || !report.OK() {
			os.Exit(1)
		}
		return
	}
	if sql := os.Getenv(client); sql != "" {
		if err := runSQL(sql); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		return
	}
	os.Exit(m.Run())
}

// client is the variable with the SQL that the test's program runs instead of
// testing, on a connection by the variables of libpq.
const client = "SCOPED_TEST_CLIENT"

func runSQL(sql string) error {
	conn, err := pgx.Connect(context.Background(), "")
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql)
	return err
}

const policyText = `version: 1
dimensions: {tenant: {schema: "t_{value}", template: t__template, registry: tenant(slug)}}
tables: {invoice: {tenant: schema}}
`

// tenants returns a script that creates a table in the template and the schemas of
// n registered values.
func tenants(n int) string {
	return fmt.Sprintf(`CREATE TABLE tenant (slug text); CREATE TABLE log (schema text, file text);
DO $$ BEGIN
	CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id bigint, email text);
	FOR i IN 1..%d LOOP
		EXECUTE format('CREATE SCHEMA %%I; CREATE TABLE %%1$I.invoice (id bigint, email text)', 't_v ' || i);
		INSERT INTO tenant VALUES ('v ' || i);
	END LOOP;
END $$`, n)
}

// migrateFolder migrates with the files of a folder, four schemas at a time if o
// does not say otherwise.
func migrateFolder(ctx context.Context, dsn, folder string, o migrate.Options) (*migrate.Report, error) {
	p, err := policy.Parse("policy.yaml", []byte(policyText))
	if err != nil {
		return nil, err
	}
	o.Policy, o.Dimension, o.Jobs = p, p.Dimension("tenant"), cmp.Or(o.Jobs, 4)
	if o.Source == nil {
		if o.Source, err = migrate.ReadFiles(folder, o.Dimension.Schemas.Template); err != nil {
			return nil, err
		}
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Config, err = pgx.ParseConfig(dsn); err != nil {
		return nil, err
	}
	return migrate.Run(ctx, o)
}

// run migrates and returns what the report says, without times.
func run(t *testing.T, dsn, folder string, o migrate.Options) string {
	t.Helper()
	report, err := migrateFolder(t.Context(), dsn, folder, o)
	if err != nil {
		return "error: " + err.Error()
	}
	var b bytes.Buffer
	if err := report.Write(&b); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(` in ([0-9.]+(h|ms|m|s))+`).ReplaceAllString(strings.TrimSpace(b.String()), "")
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// folder writes files, each after its name, and returns their folder.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ask returns the rows of a query, with commas and semicolons between.
func ask(t *testing.T, dsn, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, result := range results {
		for _, row := range result.Rows {
			rows = append(rows, string(bytes.Join(row, []byte(","))))
		}
	}
	return strings.Join(rows, ";")
}

const (
	logged  = `SELECT schema, string_agg(file, ' ' ORDER BY file) FROM log GROUP BY 1 ORDER BY 1`
	columns = `SELECT table_schema, count(*) FROM information_schema.columns WHERE table_name = 'invoice' GROUP BY 1 ORDER BY 1`
)

func TestMigrate(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(3)+`; CREATE SCHEMA t_unknown; INSERT INTO tenant VALUES ('missing')`)
	dir := folder(t, "1.sql", `ALTER TABLE invoice ADD paid boolean; INSERT INTO log VALUES (current_schema(), '1')`, "notes.txt", "no SQL")
	const left = "not in the registry, and left alone: unknown\nin the registry, and without a schema: missing\n"
	expect(t, run(t, dsn, dir, migrate.Options{DryRun: true, Only: []string{"v 2"}}),
		"t__template  1.sql\nt_v 2  1.sql\nschemas: 2 would be migrated, 0 are up to date")
	expect(t, run(t, dsn, dir, migrate.Options{Only: []string{"v 2", "missing"}}),
		"in the registry, and without a schema: missing\nschemas: 2 migrated, 0 up to date")
	expect(t, run(t, dsn, dir, migrate.Options{}), left+"schemas: 2 migrated, 2 up to date")
	expect(t, ask(t, dsn, logged), "t__template,1;t_v 1,1;t_v 2,1;t_v 3,1")

	// A file more, before the other.
	if err := os.WriteFile(filepath.Join(dir, "0.sql"), []byte("SET LOCAL work_mem = '1MB'; CREATE TEMP TABLE x (); SET ROLE pg_monitor; RESET ROLE; INSERT INTO log VALUES (current_schema(), '0')"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, dsn, dir, migrate.Options{Only: []string{"v 1"}}), "schemas: 2 migrated, 0 up to date")
	expect(t, run(t, dsn, dir, migrate.Options{DryRun: true}), "t_v 2  0.sql\nt_v 3  0.sql\n"+left+"schemas: 2 would be migrated, 2 are up to date")
	expect(t, run(t, dsn, dir, migrate.Options{}), left+"schemas: 2 migrated, 2 up to date")
	expect(t, ask(t, dsn, logged), "t__template,0 1;t_v 1,0 1;t_v 2,0 1;t_v 3,0 1")
	expect(t, ask(t, dsn, columns), "t__template,3;t_v 1,3;t_v 2,3;t_v 3,3")

	expect(t, run(t, dsn, dir, migrate.Options{Only: []string{"nobody"}}), `error: there is no value "nobody"; "scoped schema list" shows them`)
	if err := os.WriteFile(filepath.Join(dir, "0.sql"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const changed = "error: 0.sql is not what ran in t__template; put back what did, and write a new migration"
	expect(t, run(t, dsn, dir, migrate.Options{}), changed)
	expect(t, run(t, dsn, dir, migrate.Options{DryRun: true}), changed)
}

// TestFailures shows that a schema in which something fails is as it was, and that
// the next run is about it and what was not begun alone.
func TestFailures(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(6)+`; INSERT INTO "t_v 3".invoice VALUES (1, 'a'), (2, 'a')`)
	dir := folder(t,
		"1.sql", "INSERT INTO log VALUES (current_schema(), '1');",
		"2.sql", "-- Ä\nALTER TABLE invoice ADD paid boolean;\n\n  -- each once\n  CREATE UNIQUE INDEX email ON invoice (email);\nSELECT 1;")
	const failure = "failed  t_v 3  2.sql:5:3: could not create unique index \"email\": Key (email)=(a) is duplicated. (SQLSTATE 23505)\n"
	expect(t, run(t, dsn, dir, migrate.Options{}),
		failure+"schemas: 6 migrated, 0 up to date, 1 failed; the next run goes on from here")
	expect(t, ask(t, dsn, logged), "t__template,1;t_v 1,1;t_v 2,1;t_v 4,1;t_v 5,1;t_v 6,1")
	expect(t, ask(t, dsn, columns), "t__template,3;t_v 1,3;t_v 2,3;t_v 3,2;t_v 4,3;t_v 5,3;t_v 6,3")
	expect(t, ask(t, dsn, `SELECT schema, state, error FROM scoped_migration_state WHERE state = 'failed'`),
		`t_v 3,failed,2.sql:5:3: could not create unique index "email": Key (email)=(a) is duplicated. (SQLSTATE 23505)`)
	ask(t, dsn, `DELETE FROM "t_v 3".invoice WHERE id = 2`)
	expect(t, run(t, dsn, dir, migrate.Options{}), "schemas: 1 migrated, 6 up to date")
	expect(t, ask(t, dsn, `SELECT schema, migration FROM scoped_migration WHERE schema = 't_v 3'`), "t_v 3,1.sql;t_v 3,2.sql")
	expect(t, ask(t, dsn, `SELECT count(*) FROM scoped_migration_state WHERE state = 'done' AND error IS NULL`), "7")
}

func TestStop(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(9))
	ask(t, dsn, `DROP TABLE "t_v 1".invoice`)
	dir := folder(t, "1.sql", "SELECT 1;\nALTER TABLE invoice ADD paid boolean")
	got := run(t, dsn, dir, migrate.Options{Stop: true, Jobs: 1})
	if want := "failed  t_v 1  1.sql:2:1: relation \"invoice\" does not exist (SQLSTATE 42P01)\nnot begun: t_v 2, "; !strings.HasPrefix(got, want) {
		t.Errorf("got %s", got)
	}
	ask(t, dsn, `CREATE TABLE "t_v 1".invoice (); DROP TABLE t__template.invoice; DELETE FROM scoped_migration WHERE schema = 't__template'`)
	before := ask(t, dsn, columns)
	got = run(t, dsn, dir, migrate.Options{})
	if !strings.HasPrefix(got, "failed  t__template  1.sql:2:1: ") || !strings.Contains(got, "not begun: t_v 1, ") || !strings.Contains(got, "schemas: 0 migrated, ") {
		t.Errorf("got %s", got)
	}
	expect(t, ask(t, dsn, columns), before)
}

// TestLeavers shows that what cannot be read off a file is found when it runs.
func TestLeavers(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(1))
	for sql, want := range map[string]string{
		"SELECT set_config('search_path', 'public', false)": `the migration set search_path to public`,
		"SELECT 1;\nDO $$ BEGIN\n\tCOMMIT;\nEND $$":         "1.sql:2:1: invalid transaction termination (SQLSTATE 2D000)",
		"VACUUM invoice":                                  "1.sql:1:1: VACUUM cannot run inside a transaction block (SQLSTATE 25001); What runs outside",
		"SELECT 1;\n SELEC 2; SELECT 3":                   `1.sql:2:2: syntax error at or near "SELEC" (SQLSTATE 42601)`,
		"SELECT 1;\nSELECT 'é', nothing FROM log; SELECT": `1.sql:2:13: column "nothing" does not exist (SQLSTATE 42703)`,
	} {
		got := run(t, dsn, folder(t, "1.sql", sql), migrate.Options{})
		if !strings.HasPrefix(got, "failed  t__template  "+want) {
			t.Errorf("%s: got %s", sql, got)
		}
	}
	expect(t, ask(t, dsn, `SELECT count(*) FROM scoped_migration`), "0")
}

// TestKilled kills a program that migrates, again and again.
func TestKilled(t *testing.T) {
	const n, kills = 60, 6
	dsn := pgtest.DSN(t, tenants(n))
	dir := folder(t,
		"1.sql", "ALTER TABLE invoice ADD paid boolean; INSERT INTO log VALUES (current_schema(), '1')",
		"2.sql", "SELECT pg_sleep(0.01); CREATE INDEX ON invoice (email); INSERT INTO log VALUES (current_schema(), '2')")
	program := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"="+dsn+"\n"+dir)
		return cmd
	}
	random := rand.New(rand.NewPCG(7, 7))
	killed := 0
	for i := range kills {
		cmd := program()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for ask(t, dsn, `SELECT count(*) >= `+fmt.Sprint(i*n/kills)+` FROM log`) != "t" {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if cmd.Wait() != nil {
			killed++
		}
	}
	if out, err := program().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if killed < kills/2 {
		t.Errorf("only %d of %d were killed in time", killed, kills)
	}
	expect(t, ask(t, dsn, `SELECT count(*), count(DISTINCT schema), count(DISTINCT (schema, file)) FROM log`), fmt.Sprintf("%d,%d,%[1]d", 2*(n+1), n+1))
	expect(t, ask(t, dsn, `SELECT count(*), count(DISTINCT schema) FROM scoped_migration`), fmt.Sprintf("%d,%d", 2*(n+1), n+1))
	expect(t, ask(t, dsn, `SELECT min(n), max(n), count(*) FROM (SELECT count(*) AS n FROM information_schema.columns WHERE table_name = 'invoice' GROUP BY table_schema) AS c`),
		fmt.Sprintf("3,3,%d", n+1))
	expect(t, ask(t, dsn, `SELECT count(*) FROM pg_indexes WHERE tablename = 'invoice'`), fmt.Sprint(n+1))
}

// TestInterrupted shows that what was begun is finished, and nothing else begun.
func TestInterrupted(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(20))
	dir := folder(t, "1.sql", "SELECT pg_advisory_xact_lock_shared(1) FROM tenant WHERE current_schema() = 't_' || slug;\n"+
		"INSERT INTO log VALUES (current_schema(), '1')")
	gate, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gate.Exec(t.Context(), `SELECT pg_advisory_lock(1)`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ask(t, dsn, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted`) != "4" {
			time.Sleep(time.Millisecond)
		}
		cancel()
		gate.Close(t.Context())
	}()
	report, err := migrateFolder(ctx, dsn, dir, migrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Migrated != 5 || len(report.NotReached) != 16 || len(report.Failed) > 0 {
		t.Errorf("got %+v", report)
	}
	expect(t, ask(t, dsn, `SELECT count(*) FROM log`), "5")
}

// TestExclusive shows that of two who migrate, one waits, and finds nothing to do.
func TestExclusive(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(4))
	dir := folder(t, "1.sql", "SELECT pg_sleep(0.3) FROM invoice RIGHT JOIN (SELECT) AS one ON true WHERE current_schema() LIKE '%template'; INSERT INTO log VALUES (current_schema(), '1')")
	results := make(chan string)
	for range 2 {
		go func() { results <- run(t, dsn, dir, migrate.Options{}) }()
	}
	got := []string{<-results, <-results}
	if got[0] > got[1] {
		got[0], got[1] = got[1], got[0]
	}
	expect(t, strings.Join(got, "\n"), "schemas: 0 migrated, 5 up to date\nschemas: 5 migrated, 0 up to date")
}

func TestGoose(t *testing.T) {
	dsn := pgtest.DSN(t, tenants(2))
	files := []string{
		"00001_paid.sql", "-- +goose Up\nALTER TABLE invoice ADD paid boolean;\nINSERT INTO log VALUES (current_schema(), '1');\n-- +goose Down\nALTER TABLE invoice DROP paid;\n",
		"00002_function.sql", "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;\n-- +goose StatementEnd\n",
	}
	read := func(files ...string) migrate.Options {
		t.Helper()
		source, err := migrate.ReadGoose(folder(t, files...), "t__template")
		if err != nil {
			t.Fatal(err)
		}
		return migrate.Options{Source: source}
	}
	expect(t, run(t, dsn, "", read(files...)), "schemas: 3 migrated, 0 up to date")
	expect(t, run(t, dsn, "", read(files...)), "schemas: 0 migrated, 3 up to date")
	expect(t, ask(t, dsn, logged), "t__template,1;t_v 1,1;t_v 2,1")
	expect(t, ask(t, dsn, `SELECT nspname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE proname = 'one' ORDER BY 1`), "t__template;t_v 1;t_v 2")
	expect(t, ask(t, dsn, `SELECT to_regclass('goose_db_version') IS NULL`), "t")

	files = append(files, "00003_wrong.sql", "-- +goose Up\nSELECT 1;\nINSERT INTO log VALUES ('x', '3');\n\nSELECT\n  nothing;\n")
	got := run(t, dsn, "", read(files...))
	if want := "failed  t__template  00003_wrong.sql:6:3: column \"nothing\" does not exist (SQLSTATE 42703)\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	expect(t, ask(t, dsn, logged), "t__template,1;t_v 1,1;t_v 2,1")

	_, err := migrate.ReadGoose(folder(t, "00001_index.sql", "-- comment\n-- +goose NO TRANSACTION\n-- +goose Up\nCOPY t__template.log FROM STDIN;"), "t__template")
	if want := "00001_index.sql:4:6: names mean the schema that is migrated; leave t__template out, and have a function SET search_path FROM CURRENT\n" +
		"00001_index.sql:2:1: what runs outside of transactions is no migration of scoped; use --exec"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := migrate.ReadGoose(t.TempDir(), ""); err == nil {
		t.Error("an empty folder is accepted")
	}
}

func TestCommand(t *testing.T) {
	const hostile = `v"; DROP SCHEMA public -- $(exit 1)`
	dsn := pgtest.DSN(t, tenants(1)+`; INSERT INTO tenant VALUES ('`+hostile+`')`)
	ask(t, dsn, `CREATE SCHEMA `+pgx.Identifier{"t_" + hostile}.Sanitize()+` CREATE TABLE invoice (email text)`)
	out := filepath.Join(t.TempDir(), "out")
	command := func(name, line string) migrate.Options {
		return migrate.Options{Source: &migrate.Command{Name: name, Line: line}}
	}
	sql := func(sql string) string { return client + `="` + sql + `" ` + os.Args[0] }
	line := sql("CREATE INDEX CONCURRENTLY ON invoice (email)") + ` && echo "$SCOPED_SCHEMA:$SCOPED_VALUE" >> ` + out
	expect(t, run(t, dsn, "", command("index", line)), "schemas: 3 migrated, 0 up to date")
	expect(t, run(t, dsn, "", command("index", line)), "schemas: 0 migrated, 3 up to date")
	expect(t, ask(t, dsn, `SELECT schemaname FROM pg_indexes WHERE tablename = 'invoice' ORDER BY length(schemaname) > 20, 1`), "t__template;t_v 1;t_"+hostile)
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := map[string]int{}
	for s := bufio.NewScanner(file); s.Scan(); {
		lines[s.Text()]++
	}
	if len(lines) != 3 || lines["t__template:"] != 1 || lines["t_v 1:v 1"] != 1 || lines["t_"+hostile+":"+hostile] != 1 {
		t.Errorf("got %v", lines)
	}
	got := run(t, dsn, "", command("fails", sql("SELECT nothing")))
	if !strings.HasPrefix(got, "failed  t__template  fails: exit status 3: ERROR: column \"nothing\" does not exist (SQLSTATE 42703)\nnot begun: ") {
		t.Errorf("got %s", got)
	}
}
