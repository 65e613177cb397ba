package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of testdata instead of comparing with them")

const (
	testPolicy    = "testdata/policy.yaml"
	schemasPolicy = "../../testdata/rewrite/schemas/policy.yaml"
)

// TestGolden compares what the command says and its exit status with the
// transcript of the same name in testdata.
func TestGolden(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		stdin string
	}{
		{name: "one", args: []string{"--scope", "site=1", "testdata/blog.sql"}},
		{name: "many", args: []string{"--scope", "site=1,2,1", "--scope", "user=7", "testdata/blog.sql"}},
		{name: "all", args: []string{"--scope", "site=*", "testdata/blog.sql"}},
		{name: "no_scope", args: []string{"testdata/blog.sql"}},
		{name: "disabled", args: []string{"--disabled", "nightly export", "testdata/blog.sql"}},
		{name: "refused", args: []string{"--scope=site=1", "testdata/refused.sql"}},
		{name: "files", args: []string{"testdata/blog.sql", "-", "--scope", "site=1"}, stdin: "SELECT 1"},
		{name: "text_values", args: []string{"--scope", "tenant=o'neill,ac me"}, stdin: "SELECT * FROM document"},
		{name: "uuid_value", args: []string{"--scope", "key=0123456789ABCDEF0123456789abcdef"}, stdin: "SELECT $1, * FROM parcel"},
		{name: "nul", args: nil, stdin: "SELECT 1; SELECT 'a\x00b', 2; SELECT 3"},
		{name: "control", args: nil, stdin: "SELECT\t'\x1b[31m' AS red,\r\n\t'\x7f'; SELECT\t'\x1b' FRM x"},
		{name: "invalid_utf8", args: nil, stdin: "SELECT 1; SELECT '\xff'"},
		{name: "long_line", args: nil, stdin: "SELECT " + strings.Repeat("'x', ", 40) + "* FROM secret" + strings.Repeat(", post", 40)},
		{name: "byte_order_mark", args: nil, stdin: "\ufeffSELECT 1"},
		{name: "empty", args: nil, stdin: " ; ; -- nothing\n /* at all */"},
		{name: "json_one", args: []string{"--format", "json", "--scope", "site=1", "testdata/queries.jsonl"}},
		{name: "json_many", args: []string{"--format", "json", "--scope", "site=1,2", "--scope", "user=7", "testdata/queries.jsonl"}},
		{name: "json_all", args: []string{"--format", "json", "--scope", "site=*", "--scope", "user=*", "testdata/queries.jsonl"}},
		{name: "json_disabled", args: []string{"--format", "json", "--disabled", "nightly export", "testdata/queries.jsonl"}},
		{name: "json_several", args: []string{"--format", "json", "--scope", "site=1", "--scope", "tenant=o'neill,a\\b"},
			stdin: `{"sql": "DELETE FROM post; TABLE document"}` + "\n" + `{"sql": "SELECT 1; TABLE post; TABLE secret"}` + "\n" +
				`{"sql": "TABLE post; SELECT $1"}`},
		{name: "cursors", args: []string{"--scope", "site=1"},
			stdin: "DECLARE c CURSOR FOR SELECT id FROM post WHERE id > $1; FETCH 10 FROM c; DECLARE d CURSOR WITH HOLD FOR SELECT 1"},
		{name: "warm", args: []string{"--warm", "--scope", "site=1,2", "--scope", "user=7", "--scope", "tenant=*", "testdata/blog.sql", "testdata/refused.sql"}},
		{name: "warm_json", args: []string{"--warm", "--format", "json", "--scope", "site=1", "testdata/queries.jsonl"}},
		{name: "warm_no_scope", args: []string{"--warm"}, stdin: "TABLE country; TABLE post"},
		{name: "schemas", args: []string{"--policy", schemasPolicy, "--scope", "tenant=O'Neil", "--scope", "site=1"},
			stdin: "SELECT nextval('ticket_number'), i.* FROM invoice i JOIN line_note n USING (id) JOIN usage USING (id);\n" +
				`TABLE "t_O'Neil".invoice; TABLE t_acme.invoice; TABLE t__template.invoice; TABLE public.invoice`},
		{name: "schemas_several", args: []string{"--policy", schemasPolicy, "--scope", "tenant=acme,x", "--scope", "site=1"}, stdin: "TABLE usage; TABLE invoice"},
		{name: "schemas_json", args: []string{"--policy", schemasPolicy, "--format", "json", "--scope", "tenant=O'Neil", "--scope", "site=1"},
			stdin: `{"sql": "DELETE FROM invoice_line; SELECT * FROM usage, invoice"}` + "\n" + `{"sql": "TABLE t_acme.invoice"}`},
		{name: "schemas_no_scope", args: []string{"--policy", schemasPolicy}, stdin: "SELECT * FROM invoice LIMIT 0; TABLE invoice"},
		{name: "schemas_warm", args: []string{"--policy", schemasPolicy, "--warm", "--scope", "tenant=acme"}, stdin: "TABLE invoice; TABLE usage; TABLE t_x.invoice"},
		{name: "json_malformed", args: []string{"--format", "json"}, stdin: `{"sql": "SELECT 1"}` + "\n" + `{"sql": "SELECT 2"` + "\n" + `{"sql": "SELECT 3"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"rewrite", "--policy", testPolicy}, test.args...)
			compare(t, test.name, transcript(args, test.stdin))
		})
	}
}

// TestGoldenExplain does the same for explain, without a database.
func TestGoldenExplain(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{"--scope", "site=1", "SELECT * FROM comment AS c\n\tJOIN country USING (id)\nWHERE c.id = $1"},
		{"--scope", "site=1,2", "SELECT * FROM comment JOIN post ON post.id = comment.post_id"},
		{"--scope", "site=*", "DELETE FROM post"},
		{"--scope", "tenant=o'neill,a", "TABLE document"},
		{"--disabled", "nightly export", "SELECT 1 FROM secret"},
		{"--policy", schemasPolicy, "--scope", "tenant=acme", "--scope", "site=1", "SELECT l.id, 'open'::invoice_status FROM invoice JOIN line_note l ON l.id = total"},
		{"--policy", schemasPolicy, "SELECT id FROM invoice LIMIT 0"},
		{"SELECT *\nFROM post"},
		{"--scope", "site=1", "SELECT 1; SELECT 2"},
		{"--scope", "site=1", "--format", "json", "SELECT id FROM comment WHERE id < $1"},
		{"--format", "json", "SELECT id FROM post"},
		{"SELECT", "1"},
		{"--dsn", "host=/nowhere port=1 scope_policy=testdata/none.yaml", "--policy", "", "SELECT 1"},
	} {
		all.WriteString(transcript(append([]string{"explain", "--policy", testPolicy}, args...), ""))
	}
	all.WriteString(transcript([]string{"explain", "--policy", testPolicy}, "SELECT 1\n"))
	compare(t, "explain", all.String())
}

// TestGoldenFaults does the same for command lines that cannot work.
func TestGoldenFaults(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{},
		{"rewirte"},
		{"help", "rewirte"},
		{"rewrite"},
		{"rewrite", "--polcy", testPolicy},
		{"rewrite", "--policy"},
		{"rewrite", "--policy", "testdata/none.yaml"},
		{"rewrite", "--policy", "testdata/broken.yaml"},
		{"rewrite", "--policy", testPolicy, "--format", "xml"},
		{"rewrite", "--policy", testPolicy, "testdata/none.sql"},
		{"rewrite", "--policy", testPolicy, "--disabled", " "},
		{"rewrite", "--policy", testPolicy, "--disabled", "export", "--scope", "site=1"},
		{"rewrite", "--policy", testPolicy, "--disabled", "export", "--warm"},
		{"rewrite", "--policy", testPolicy, "--scope", "site"},
		{"rewrite", "--policy", testPolicy, "--scope", "sight=1"},
		{"rewrite", "--policy", testPolicy, "--scope", "site=1", "--scope", "site=2"},
		{"rewrite", "--policy", testPolicy, "--scope", "site="},
		{"rewrite", "--policy", testPolicy, "--scope", "site=1,,2"},
		{"rewrite", "--policy", testPolicy, "--scope", "site=1,*"},
		{"rewrite", "--policy", testPolicy, "--scope", "site=acme"},
		{"rewrite", "--policy", testPolicy, "--scope", "site=9223372036854775808"},
		{"rewrite", "--policy", testPolicy, "--scope", "shelf=32768"},
		{"rewrite", "--policy", testPolicy, "--scope", "key=0123"},
		{"rewrite", "--policy", testPolicy, "--scope", "key=01234567x89ab-cdef-0123-456789abcdef"},
		{"rewrite", "--policy", testPolicy, "--scope", "tenant=\xff"},
		{"rewrite", "--policy", schemasPolicy, "--scope", "tenant="},
		{"rewrite", "--policy", schemasPolicy, "--scope", "tenant=_template"},
		{"rewrite", "--policy", schemasPolicy, "--scope", `tenant=a\b`},
		{"rewrite", "--policy", schemasPolicy, "--scope", "tenant=" + strings.Repeat("x", 62)},
	} {
		all.WriteString(transcript(args, ""))
	}
	compare(t, "faults", all.String())
}

// TestGoldenHelp does the same for the help.
func TestGoldenHelp(t *testing.T) {
	compare(t, "help", transcript([]string{"help"}, "")+transcript([]string{"rewrite", "-h"}, "")+transcript([]string{"catalog", "-h"}, "")+
		transcript([]string{"explain", "-h"}, "")+transcript([]string{"init", "-h"}, ""))
	want := transcript([]string{"rewrite", "-h"}, "")
	for _, args := range [][]string{{"help", "rewrite"}, {"rewrite", "--help"}, {"rewrite", "x.sql", "-h"}} {
		_, got, _ := strings.Cut(transcript(args, ""), "\n")
		if _, want, _ := strings.Cut(want, "\n"); got != want {
			t.Errorf("scoped %s is not the help:\n%s", strings.Join(args, " "), got)
		}
	}
}

// TestGoldenCompletion does the same for what a shell asks when Tab is typed.
func TestGoldenCompletion(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{"re"},
		{"help", "ex"},
		{"rewrite", "--sc"},
		{"rewrite", "--policy", testPolicy, "--scope", ""},
		{"explain", "--policy", testPolicy, "--scope", "ten"},
		{"explain", "--dsn", "host=db scope_policy=" + testPolicy, "--scope", ""},
		{"rewrite", "--scope", ""},
		{"rewrite", "--policy", ""},
		{"rewrite", "--format", ""},
		{"rewrite", "--catalog", ""},
		{"catalog", ""},
	} {
		all.WriteString(transcript(append([]string{"__complete"}, args...), ""))
	}
	compare(t, "completion", all.String())
}

// TestCompletion shows that there is a script for each shell.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var stdout, stderr bytes.Buffer
		if status := run([]string{"completion", shell}, nil, &stdout, &stderr); status != exitOK || !strings.Contains(stdout.String(), "__complete") {
			t.Errorf("%s: exit status %d, %s%s", shell, status, stdout.String(), stderr.String())
		}
	}
}

// transcript runs the command and returns what a reader of a terminal would see
// of it, standard error and the exit status marked.
func transcript(args []string, stdin string) string {
	var b strings.Builder
	b.WriteString("$ scoped")
	for _, arg := range args {
		if strings.Trim(arg, "abcdefghijklmnopqrstuvwxyz0123456789-=,./_") != "" {
			arg = fmt.Sprintf("%q", arg)
		}
		b.WriteString(" " + arg)
	}
	if stdin != "" {
		fmt.Fprintf(&b, " <<< %q", stdin)
	}
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(stdin), &stdout, &stderr)
	b.WriteString("\n" + stdout.String())
	for line := range strings.Lines(stderr.String()) {
		b.WriteString("stderr: " + line)
	}
	fmt.Fprintf(&b, "exit status %d\n\n", status)
	return b.String()
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; \"go test ./cmd/scoped -update\" rewrites it. Got:\n%s", path, got)
	}
}
