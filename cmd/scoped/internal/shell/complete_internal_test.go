package shell

import (
	"slices"
	"testing"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// TestCandidatesInSchemas completes tables that lie in the schema of the scope's value.
func TestCandidatesInSchemas(t *testing.T) {
	p, err := policy.Load("../../../../testdata/rewrite/schemas/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Parse([]byte(`{"version": 1, "functions": [], "tables": [
		{"schema": "public", "name": "country", "kind": "table", "columns": [{"name": "code", "type": "text"}]},
		{"schema": "t__template", "name": "invoice", "kind": "table", "columns": [{"name": "id", "type": "bigint"}]},
		{"schema": "t__template", "name": "secret", "kind": "table", "columns": []}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{policy: p, catalog: c, tables: known(c, p), scope: scopeState{policy: p}.set("tenant", "acme")}
	for line, want := range map[string][]string{
		"SELECT * FROM ":             {"country", "invoice"},
		"SELECT * FROM t_acme.":      {"t_acme.invoice"},
		"SELECT * FROM t__template.": nil,
		"SELECT * FROM t_other.":     nil,
	} {
		_, values := s.candidates(line, "")
		var got []string
		for _, v := range values {
			got = append(got, v.Value)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if _, values := s.candidates("SELECT i.", " FROM t_acme.invoice i"); len(values) != 1 || values[0].Value != "i.id" {
		t.Errorf("columns: %v", values)
	}
}
