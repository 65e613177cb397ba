package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// unfit does not fit testdata/check.yaml, in a way that each format has to show.
const unfit = `
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE TABLE site (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE post (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site_id bigint NOT NULL REFERENCES site, slug text UNIQUE);
CREATE INDEX ON post (site_id);
CREATE TABLE comment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, post_id bigint REFERENCES post, parent bigint REFERENCES comment);
CREATE INDEX ON comment (post_id);
CREATE VIEW titles AS SELECT slug FROM post;
CREATE TABLE "odd, %: name" (id bigint PRIMARY KEY, post_id bigint REFERENCES post);
CREATE FUNCTION latest() RETURNS text LANGUAGE sql AS $$ SELECT max(slug) FROM post $$;
INSERT INTO site DEFAULT VALUES;
`

// database makes a database that to which the variables PGHOST and so on lead.
func database(t *testing.T, schema ...string) {
	t.Helper()
	config, err := pgx.ParseConfig(pgtest.DSN(t, schema...))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"PGHOST": config.Host, "PGPORT": strconv.Itoa(int(config.Port)), "PGUSER": config.User, "PGPASSWORD": config.Password, "PGDATABASE": config.Database,
	} {
		t.Setenv(name, value)
	}
}

// psql runs SQL in the database that database made.
func psql(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	database(t, unfit)
	const file = "testdata/check.yaml"
	for name, args := range map[string][]string{
		"check_text":   {},
		"check_json":   {"--format", "json", "--severity", "error"},
		"check_github": {"--format", "github"},
		"check_ignored": {"--severity", "warning", "--ignore", "unique-without-dimension=public.post", "--ignore", "unique-without-dimension=public.comment",
			"--ignore", "view-unguarded", "--ignore", "function-reads-scoped=public.latest()", "--ignore", "table-missing",
			"--ignore", "scope-column-nullable", "--ignore", "foreign-key-crosses-scopes=public.comment", "--ignore", "table-unlisted"},
	} {
		compare(t, name, transcript(append([]string{"check", "--policy", file}, args...), ""))
	}
}

// TestCheckJSON reads what is written for programs.
func TestCheckJSON(t *testing.T) {
	database(t, unfit)
	var stdout, stderr bytes.Buffer
	if status := run([]string{"check", "--policy", "testdata/check.yaml", "--format", "json"}, nil, &stdout, &stderr); status != exitNotWell || stderr.Len() > 0 {
		t.Fatal(status, stderr.String())
	}
	var report struct {
		Errors, Warnings, Notes int
		Findings                []struct{ Severity string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range report.Findings {
		count[f.Severity]++
	}
	if count["error"] != report.Errors || count["warning"] != report.Warnings || count["note"] != report.Notes || report.Errors == 0 {
		t.Errorf("%+v", report)
	}
}

// TestCheckFaults shows what the command says where it cannot work.
func TestCheckFaults(t *testing.T) {
	database(t, unfit)
	var all strings.Builder
	for _, args := range [][]string{
		{},
		{"--policy", "testdata/check.yaml", "--severity", "grave"},
		{"--policy", "testdata/check.yaml", "--ignore", "no-such-rule"},
		{"--policy", "testdata/check.yaml", "--ignore", "view-unguarded="},
		{"--policy", "testdata/check.yaml", "--format", "yaml"},
		{"--policy", "testdata/check.yaml", "--role", "nobody here"},
		{"--policy", "testdata/check.yaml", "post"},
		{"--policy", "testdata/broken.yaml", "--format", "github"},
	} {
		all.WriteString(transcript(append([]string{"check"}, args...), ""))
	}
	compare(t, "check_faults", all.String())
}
