package policy_test

import (
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

func TestSchemaNames(t *testing.T) {
	p := load(t, "schemas.yaml")
	s := p.Dimension("tenant").Schemas
	for value, want := range map[string]string{
		"acme":                      "t_acme",
		"ACME":                      "t_ACME",
		"größe-7":                   "t_größe-7",
		`x"; DROP SCHEMA public --`: `t_x"; DROP SCHEMA public --`,
		"o'brien":                   "t_o'brien",
		"pg_catalog":                "t_pg_catalog",
		strings.Repeat("x", 61):     "t_" + strings.Repeat("x", 61),
		strings.Repeat("x", 62):     "", // PostgreSQL would cut it off
		strings.Repeat("x", 200):    "",
		strings.Repeat("é", 31):     "", // 62 bytes
		"":                          "",
		"_template":                 "", // t__template is the template
		"a\x00b":                    "",
		"a\nb":                      "",
		`a\b`:                       "",
		"a\u202eb":                  "", // text from right to left
		"\xff":                      "",
	} {
		got, err := s.Name(value)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("the schema of %q is %q, %v, want %q", value, got, err, want)
		}
		if want == "" {
			continue
		}
		if back, ok := s.Value(got); !ok || back != value {
			t.Errorf("the value of %q is %q, %v", got, back, ok)
		}
	}
	for _, schema := range []string{"public", "t_", "t__template", "u_acme", "t", ""} {
		if value, ok := s.Value(schema); ok {
			t.Errorf("%q is the schema of %q", schema, value)
		}
	}
}

// Where the pattern is the value alone, names that mean something else are no value's.
func TestSchemasThatAreNoValues(t *testing.T) {
	p, err := policy.Parse("test.yaml", []byte(`version: 1
dimensions: {tenant: {schema: "{value}", template: blank, registry: admin.tenant}}
search_path: [public]
tables: {invoice: {tenant: schema}, app.country: shared}
functions: {allow: [tools.slugify, "stats.*"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := p.Dimension("tenant").Schemas
	for _, value := range []string{"public", "blank", "app", "admin", "tools", "stats", "pg_catalog", "pg_temp_3", "information_schema"} {
		if name, err := s.Name(value); err == nil {
			t.Errorf("%q has the schema %q", value, name)
		}
		if d := p.TenantSchema(value); d != nil {
			t.Errorf("%q is a schema of %s", value, d.Name)
		}
	}
	if d := p.TenantSchema("acme"); d == nil || d.Name != "tenant" {
		t.Errorf("acme is a schema of %v", d)
	}
}

func TestTablesInSchemas(t *testing.T) {
	p := load(t, "schemas.yaml")
	for _, c := range []struct{ schema, name, in, at string }{
		{"", "invoice", "tenant", "t__template"},
		{"t_acme", "invoice", "tenant", "t__template"},
		{"t__template", "invoice", "tenant", "t__template"},
		{"public", "invoice", "", ""},
		{"", "line", "tenant", "t__template"},
		{"", "log_1", "tenant", "t__template"},
		{"t_acme", "log_1", "tenant", "t__template"},
		{"", "country", "", "public"},
		{"t_acme", "country", "", ""},
		{"a_7_x", "entry", "archive", "archive_template"},
		{"a_7_x", "invoice", "", ""},
	} {
		table := p.Table(c.schema, c.name)
		if c.at == "" {
			if table != nil {
				t.Errorf("%s.%s is %+v", c.schema, c.name, table)
			}
			continue
		}
		in := ""
		if table != nil && table.In != nil {
			in = table.In.Name
		}
		if table == nil || in != c.in || table.Schema != c.at {
			t.Errorf("%s.%s is %+v", c.schema, c.name, table)
		}
	}
	if to := p.Table("", "comment").Scopings[0].Path.Target; to != p.Table("", "post") {
		t.Errorf("the path of comment leads to %s.%s", to.Schema, to.Name)
	}
	if to := p.Table("", "page").Scopings[0].Path.Target; to.Schema != "public" {
		t.Errorf("the path of page leads to %s.%s", to.Schema, to.Name)
	}
}

func TestWhatElseLiesInSchemas(t *testing.T) {
	p := load(t, "schemas.yaml")
	for name, want := range map[string]bool{"ticket": true, "x_number": true, "invoice_id_seq": true, "other_id_seq": false, "invoice_id": false} {
		if got := p.TenantSequence(name) != nil; got != want {
			t.Errorf("sequence %s: %v", name, got)
		}
	}
	for name, want := range map[string]bool{"invoice_status": true, "invoice": true, "country": false, "text": false} {
		if got := p.TenantType(name) != nil; got != want {
			t.Errorf("type %s: %v", name, got)
		}
	}
	for name, want := range map[string]string{"next_number": "tenant", "calc_tax": "archive", "slugify": "", "": ""} {
		got := ""
		if d := p.TenantFunction(name); d != nil {
			got = d.Name
		}
		if got != want {
			t.Errorf("function %s: %q", name, got)
		}
	}
	for schema, want := range map[string]bool{"t_acme": true, "t__template": true, "": false, "public": false, "a_7_x": false} {
		if got := p.FunctionAllowed(schema, "next_number"); got != want {
			t.Errorf("%s.next_number: %v", schema, got)
		}
	}
}
