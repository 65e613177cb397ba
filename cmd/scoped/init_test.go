package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

func TestInit(t *testing.T) {
	read := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	dsn := pgtest.DSN(t, read("../../examples/blog/schema.sql"))
	want := read("internal/draft/testdata/blog.yaml")
	folder := t.TempDir()
	path := filepath.Join(folder, "policy.yaml")
	scoped := func(wantStatus int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, faults bytes.Buffer
		args = append([]string{"init", "--dsn", dsn}, args...)
		if status := run(args, nil, &out, &faults); status != wantStatus {
			t.Errorf("%v: exit status %d: %s", args[3:], status, &faults)
		}
		return out.String(), strings.ReplaceAll(faults.String(), folder+"/", "")
	}

	if text, _ := scoped(exitOK, "--root", "site", "--root", "account=user"); text != want {
		t.Errorf("got\n%s", text)
	}
	if text, _ := scoped(exitOK, "--root", "site", "--root", "account=user", "--out", path); text != "" || read(path) != want {
		t.Errorf("got %s, and in the file\n%s", text, read(path))
	}
	_, stderr := scoped(exitFault, "--root", "account", "--out", path)
	if want := "scoped init: policy.yaml exists; replace it with --force, or add what it lacks with --update policy.yaml\n"; stderr != want {
		t.Errorf("got %s", stderr)
	}
	if read(path) != want {
		t.Errorf("the file has changed:\n%s", read(path))
	}
	scoped(exitOK, "--root", "account", "--out", path, "--force")
	if text := read(path); !strings.Contains(text, "account: {account: id}") || strings.Contains(text, "site: {type") {
		t.Errorf("got\n%s", text)
	}

	old := "version: 1\ndimensions: {site: {type: bigint}}\ntables:\n  site: {site: id}\n  blog: {site: site_id}\n" +
		"  bookmark: denied\n  account: denied\n  country: shared\n"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr = scoped(exitOK, "--update", path)
	if want := "policy.yaml:5: table blog does not exist any more; its entry stays until you remove it\n" +
		"policy.yaml: added post\npolicy.yaml: added comment\n"; stderr != want {
		t.Errorf("got %s", stderr)
	}
	if text := read(path); !strings.Contains(text, "comment: {site: post_id -> post}") {
		t.Errorf("got\n%s", text)
	}
	updated := read(path)
	_, stderr = scoped(exitOK, "--update", path)
	if !strings.HasSuffix(stderr, "policy.yaml lists all tables\n") || read(path) != updated {
		t.Errorf("got %s\n%s", stderr, read(path))
	}

	_, stderr = scoped(exitNotWell)
	if want := `Which table's rows are the tenants? Name it with --root; for a second dimension, such as users, give --root twice.
  --root site                    3 tables refer to it, 1 directly; it is named as tenants are
  --root account                 1 table refers to it; it is named as tenants are
  --root country                 4 tables refer to it, 1 directly
  --root post                    2 tables refer to it, 2 directly
`; stderr != want {
		t.Errorf("got %s", stderr)
	}
	if err := os.WriteFile(path, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  []string
		fault string
	}{
		{[]string{"--root", "blog"}, "there is no table blog"},
		{[]string{"--root", "a.b.c"}, `"a.b.c" is not a root`},
		{[]string{"--update", path}, "policy.yaml:1:1: the policy has no dimensions"},
		{[]string{"--update", path + "x"}, "no such file"},
		{[]string{"--update", path, "--out", path}, "none of the others can be"},
		{[]string{"--root", "site", "--force"}, "--force is about the file of --out"},
		{[]string{"--root", "site", "--out", folder + "/none/policy.yaml"}, "no such file"},
		{[]string{"site"}, "it takes no arguments"},
	} {
		if _, stderr := scoped(exitFault, test.args...); !strings.Contains(stderr, test.fault) {
			t.Errorf("%v: %s", test.args, stderr)
		}
	}

	empty := pgtest.DSN(t)
	var out, faults bytes.Buffer
	if status := run([]string{"init", "--dsn", empty}, nil, &out, &faults); status != exitNotWell || !strings.HasPrefix(faults.String(), "No table's rows") {
		t.Errorf("exit status %d: %s", status, &faults)
	}
}

// TestInitThenCheck shows that scoped check finds no error in what scoped init
// proposes.
func TestInitThenCheck(t *testing.T) {
	const golden = "internal/draft/testdata/"
	for schema, proposed := range map[string]string{
		golden + "schemas.sql":           "schemas.yaml",
		"../../examples/blog/schema.sql": "blog.yaml",
		golden + "rental.sql":            "rental.yaml",
		golden + "music.sql":             "music.yaml",
		golden + "shapes.sql":            "shapes.yaml",
		golden + "hostile.sql":           "hostile.yaml",
	} {
		data, err := os.ReadFile(schema)
		if err != nil {
			t.Fatal(err)
		}
		checkProposed(t, pgtest.DSN(t, string(data)), golden+proposed)
	}
}

func checkProposed(t *testing.T, dsn, file string) {
	t.Helper()
	var out, faults bytes.Buffer
	status := run([]string{"check", "--dsn", dsn, "--policy", file}, nil, &out, &faults)
	found := strings.Contains(out.String(), ": nothing found\n") || strings.Contains(out.String(), " rules: 0 errors, ")
	if status == exitFault || !found {
		t.Errorf("%s: exit status %d: %s\n%s", file, status, &faults, &out)
	}
}

// TestInitSchemas makes a policy of schemas that are alike, makes the template that
// it lacks as it says, and finds no error.
func TestInitSchemas(t *testing.T) {
	data, err := os.ReadFile("internal/draft/testdata/mixed.sql")
	if err != nil {
		t.Fatal(err)
	}
	dsn := pgtest.DSN(t, string(data))
	folder := t.TempDir()
	path, once := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "once.yaml")
	scoped := func(wantStatus int, args ...string) string {
		t.Helper()
		var out, faults bytes.Buffer
		if status := run(append(args, "--dsn", dsn), nil, &out, &faults); status != wantStatus {
			t.Fatalf("%v: exit status %d: %s\n%s", args, status, &faults, &out)
		}
		return out.String() + faults.String()
	}

	scoped(exitOK, "init", "--root", "site", "--out", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(text), "#   echo '")
	flow, rest, _ := strings.Cut(command, "}' |\n")
	if err := os.WriteFile(once, []byte(strings.ReplaceAll(flow+"}", `'\''`, "'")), 0o600); err != nil {
		t.Fatal(err)
	}
	if want := "  #     scoped schema create --policy /dev/stdin _template\n"; !strings.HasPrefix(rest, want) {
		t.Fatalf("got\n%s", text)
	}
	scoped(exitOK, "schema", "create", "--policy", once, "_template")
	if got := scoped(exitOK, "schema", "diff", "--policy", path); got != "different from the template: 0 of 3 schemas\n" {
		t.Error(got)
	}
	checkProposed(t, dsn, path)
	if got := scoped(exitOK, "init", "--update", path); got != path+" lists all tables\n" {
		t.Error(got)
	}

	if got := scoped(exitOK, "init"); !strings.Contains(got, "school: {schema: '{value}', template: _template, ") {
		t.Error(got)
	}
	if got := scoped(exitOK, "init", "--no-schemas", "--root", "site"); !strings.Contains(got, `'"w est".class': {site: site_id}`) || strings.Contains(got, "{schema:") {
		t.Error(got)
	}
	if got := scoped(exitNotWell, "init", "--no-schemas"); !strings.HasPrefix(got, "Which table's rows are the tenants?") {
		t.Error(got)
	}
}
