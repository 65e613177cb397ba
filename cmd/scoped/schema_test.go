package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
)

const schemaPolicy = "testdata/schema.yaml"

// schemaTranscript is what the commands about schemas say, without what differs
// from run to run.
func schemaTranscript(all *strings.Builder, stdin string, args ...string) {
	text := transcript(append([]string{"schema"}, args...), stdin)
	text = regexp.MustCompile(`(\S) {2,}`).ReplaceAllString(text, "$1  ")
	text = regexp.MustCompile(` \d[0-9.]* [kM]?B`).ReplaceAllString(text, " 1 MB")
	text = regexp.MustCompile(` (~\d+|\?) `).ReplaceAllString(text, " ~1 ")
	text = regexp.MustCompile(`"bytes":\d+`).ReplaceAllString(text, `"bytes":1`)
	all.WriteString(text)
}

// TestSchema makes schemas, lists them and compares them.
func TestSchema(t *testing.T) {
	database(t, `CREATE TABLE tenant (slug text PRIMARY KEY); CREATE SCHEMA t__template; SET search_path = t__template;
		CREATE TABLE invoice (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, due date);
		CREATE VIEW due AS SELECT 1 AS due; CREATE DOMAIN amount AS numeric`)
	var all strings.Builder
	say := func(args ...string) {
		schemaTranscript(&all, "", append(args[:1:1], append([]string{"--policy", schemaPolicy}, args[1:]...)...)...)
	}
	say("create", "acme", "o'brien & co", "--jobs", "1")
	say("diff")
	psql(t, `ALTER TABLE t_acme.invoice ADD COLUMN paid boolean, ALTER COLUMN body SET DEFAULT ''; DROP VIEW t_acme.due; CREATE DOMAIN t_acme.code AS text;
		INSERT INTO tenant VALUES ('not yet')`)
	say("diff")
	say("diff", "acme", "--format", "json")
	say("diff", "o'brien & co")
	say("list")
	say("list", "--size")
	say("list", "--size", "--format", "json")
	say("create", "acme")
	say("create", "globex", "initech", "globex")
	say("create")
	say("create", `x"; DROP SCHEMA public --`, "--jobs", "0")
	say("diff", "globex")
	compare(t, "schema", all.String())
}

// TestSchemaChanges drops, renames and copies schemas.
func TestSchemaChanges(t *testing.T) {
	database(t, `CREATE TABLE tenant (slug text PRIMARY KEY); CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id serial PRIMARY KEY);
		CREATE TABLE t__template.line (n int); CREATE VIEW t__template.v AS TABLE t__template.line`)
	var all strings.Builder
	say := func(stdin string, args ...string) {
		schemaTranscript(&all, stdin, append([]string{args[0], "--policy", schemaPolicy}, args[1:]...)...)
	}
	say("", "create", "acme", "o'brien", "--jobs", "1")
	psql(t, "INSERT INTO t_acme.invoice DEFAULT VALUES; ANALYZE t_acme.invoice")
	say("", "clone", "acme", "acme-2", "--with-data")
	say("", "clone", "acme", "acme-2")
	say("", "rename", "acme-2", "globex")
	say("", "rename", "acme", "globex")
	say("acme\n", "drop", "globex")
	say("", "drop", "acme")
	psql(t, "CREATE VIEW public.v AS TABLE t_acme.invoice")
	say("acme\n", "drop", "acme")
	say("", "drop", "globex", "--yes", "--keep-row")
	say("", "drop", "_template")
	say("", "drop", "initech")
	say("o'brien", "drop", "o'brien")
	say("", "list")
	say("", "drop")
	say("", "rename", "acme")
	compare(t, "schema_changes", all.String())
}

func TestColumns(t *testing.T) {
	var b strings.Builder
	p := terminal.NewPrinter(&b)
	writeColumns(p, [][]string{{"value", "size", ""}, {"größe", "1 B", "x"}, {"a\x1bb", size(5<<30 + 1<<29), ""}}, 1)
	p.Flush()
	if want := "value    size\ngröße     1 B  x\na␛b    5.5 GB\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// TestSchemaFaults shows what the commands say where they cannot work.
func TestSchemaFaults(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{},
		{"lits"},
		{"list"},
		{"list", "--policy", testPolicy},
		{"list", "--policy", schemaPolicy, "--dimension", "site"},
		{"list", "--policy", "../../testdata/policies/schemas.yaml"},
	} {
		all.WriteString(transcript(append([]string{"schema"}, args...), ""))
	}
	all.WriteString(transcript([]string{"help", "schema", "lits"}, ""))
	compare(t, "schema_faults", all.String())
}
