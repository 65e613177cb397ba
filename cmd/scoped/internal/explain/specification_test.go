package explain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/explain"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

var (
	goldenCase  = regexp.MustCompile("(?s)\n## [^\n]*\n(.*?)```sql\n(.*?)\n```")
	goldenScope = regexp.MustCompile("Scope: `([^`]*)`")
	// planless are plans in which no guard is left: of no rows, of the one row of a
	// cursor, and of what is not planned.
	planless = regexp.MustCompile(`One-Time Filter: false|TID Cond: CURRENT OF|Utility statements`)
)

// TestSpecification explains the statements of testdata/rewrite on their server,
// and finds the guards in the plans of those that read.
func TestSpecification(t *testing.T) {
	const folder = "../../../../testdata/rewrite/"
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t, read(folder+"schema.sql")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	source := read(folder + "policy.yaml")
	p, err := policy.Parse("policy.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(folder + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	planned := 0
	for _, file := range files {
		for _, c := range goldenCase.FindAllStringSubmatch(read(file), -1) {
			options := []string{"site=1", "user=7"}
			if m := goldenScope.FindStringSubmatch(c[1]); m != nil {
				options = strings.Fields(m[1])
			}
			s, err := scope.New(p, options)
			if err != nil {
				continue // none, or one that options do not spell
			}
			sql := c[2]
			r, err := explain.New(s, "policy.yaml", []byte(source), sql)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			if err := r.Ask(t.Context(), conn, nil, false); err != nil && !strings.Contains(err.Error(), "--arg") {
				t.Fatalf("%s: %v", sql, err)
			}
			text := show(t, r)
			if r.Error != nil || r.Plan == nil {
				continue
			}
			planned++
			guarded := slices.ContainsFunc(r.Tables, func(t explain.Table) bool { return t.Guard != "" && t.Access != "insert" })
			marked := slices.ContainsFunc(r.Plan, func(l explain.PlanLine) bool { return l.Guard })
			if guarded && !marked && !planless.MatchString(text) {
				t.Errorf("no guard is found in the plan:\n%s", text)
			}
		}
	}
	if planned < 300 {
		t.Errorf("only %d statements have plans", planned)
	}
	t.Logf("%d statements have plans", planned)
}
