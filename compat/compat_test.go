package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

func TestResults(t *testing.T) {
	const out = `{"Action":"run","Package":"p/q","Test":"TestA"}
{"Action":"output","Package":"p/q","Test":"TestA","Output":"--- PASS"}
{"Action":"pass","Package":"p/q","Test":"TestA"}
{"Action":"run","Package":"p/q","Test":"TestB"}
{"Action":"run","Package":"p/q","Test":"TestB/x.y"}
{"Action":"fail","Package":"p/q","Test":"TestB/x.y"}
{"Action":"fail","Package":"p/q"}
`
	r, err := parseResults([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if r["p/q.TestA"] != passed || r["p/q.TestB"] != absent || r["p/q.TestB/x.y"] != failed || len(r) != 3 {
		t.Errorf("got %v", r)
	}
	for what, out := range map[string]string{
		"no test":  `{"Action":"fail","Package":"p/q"}`,
		"no build": `{"Action":"build-fail","ImportPath":"p/q"}`,
		"no JSON":  "FAIL",
	} {
		if r, err := parseResults([]byte(out)); err == nil {
			t.Errorf("%s: got %v", what, r)
		}
	}
}

func TestDifferences(t *testing.T) {
	plain := results{"p.TestSame": passed, "p.TestLost": passed, "p.TestRefused": passed, "p.TestRefused/a": passed, "p.TestMended": failed}
	guarded := results{"p.TestSame": passed, "p.TestRefused": failed, "p.TestRefused/a": failed, "p.TestMended": passed}
	found := differences(plain, guarded)
	want := []difference{
		{"p.TestLost", passed, absent},
		{"p.TestMended", failed, passed},
		{"p.TestRefused", passed, failed},
		{"p.TestRefused/a", passed, failed},
	}
	if !slices.Equal(found, want) {
		t.Fatalf("got %v, want %v", found, want)
	}

	const text = `# a comment
suite * TestRefused* because of it
suite tenant TestMended only there
other * * everything
`
	explained, err := parseExplanations(text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	faults := printDifferences(&out, "suite", "shared", found, explained)
	const printed = `   TestLost: pass, did not run over scoped: NOT EXPLAINED
   TestMended: fail, pass over scoped: NOT EXPLAINED
   TestRefused: pass, fail over scoped: because of it
`
	if faults != 2 || out.String() != printed {
		t.Errorf("%d faults and\n%s", faults, &out)
	}
	out.Reset()
	if faults := printDifferences(&out, "suite", "tenant", nil, explained); faults != 2 || strings.Count(out.String(), "NO LONGER DIFFERENT") != 2 {
		t.Errorf("of explanations that explain nothing: %d faults and\n%s", faults, &out)
	}
	if _, err := parseExplanations("suite * TestX"); err == nil {
		t.Error("an explanation without a reason is accepted")
	}
}

// TestExplanations finds misspelt suites and modes in differences.txt.
func TestExplanations(t *testing.T) {
	explained, err := parseExplanations(explanations)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range explained {
		if _, err := choose(e.suite); err != nil {
			t.Error(err)
		}
		if e.mode != "*" && !slices.ContainsFunc(modes, func(m mode) bool { return m.name == e.mode }) {
			t.Errorf("there is no mode %q", e.mode)
		}
	}
	if _, err := choose("none"); err == nil {
		t.Error("an unknown suite is chosen")
	}
}

func TestPolicies(t *testing.T) {
	for _, m := range modes {
		for _, s := range suites {
			if _, err := policy.Parse("policy.yaml", []byte(s.policy(m))); err != nil {
				t.Errorf("%s, %s: %v", m.name, s.name, err)
			}
		}
	}
}

func TestChange(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.go")
	if err := os.WriteFile(file, []byte("open() open()"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (change{file: "a.go", old: "open", new: "shim.Open"}).apply(folder); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "shim.Open() shim.Open()" {
		t.Errorf("got %s", text)
	}
	if err := (change{file: "a.go", old: "close"}).apply(folder); err == nil {
		t.Error("a change of what is not there is accepted")
	}
}
