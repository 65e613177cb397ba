package rewrite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

const schemasDir = "../testdata/rewrite/schemas/"

// schemaCases returns the policy of the cases about schemas, and their texts: what
// is sent as well as what the user wrote.
func schemaCases(t testing.TB) (p *policy.Policy, texts []string) {
	t.Helper()
	p, err := policy.Load(schemasDir + "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(schemasDir + "*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(data), "```sql\n")[1:] {
			text, _, _ := strings.Cut(block, "\n```")
			texts = append(texts, text)
		}
	}
	return p, texts
}

// hostileValues have schemas nevertheless.
var hostileValues = []string{"acme", `x"; DROP SCHEMA public --`, `'`, `''`, `"`, `"."`, "$1", "$$", "/*", "--", "u&", "Ü", "scoped_1", strings.Repeat("'", 61)}

// What is certified is the text with the template's name. Whatever a value is, the
// text that is sent for it parses to the same tree, but for the name.
func TestInChangesOneName(t *testing.T) {
	p, texts := schemaCases(t)
	compared := 0
	for _, text := range texts {
		r, err := New(text, p, oneEach(p))
		if err != nil || len(r.named) > 0 {
			continue
		}
		for _, value := range hostileValues {
			changesOneName(t, p, r, value)
			compared++
		}
	}
	if compared < 500 {
		t.Errorf("only %d texts were compared", compared)
	}
}

// FuzzSchemas looks for text of which the rewrite for a value is another statement
// than the certified one, or names anything in the schema of another value.
func FuzzSchemas(f *testing.F) {
	p, texts := schemaCases(f)
	for _, text := range texts {
		f.Add(text, "acme")
	}
	for _, value := range hostileValues {
		f.Add(texts[0], value)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if _, err := p.Dimension("tenant").Schemas.Name(value); err != nil {
			return
		}
		r, err := New(text, p, oneEach(p))
		var refusal *Error
		if errors.As(err, &refusal) && refusal.Code == CodeCertificate {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil {
			changesOneName(t, p, r, value)
		}
	})
}

// oneEach is the shape of one value on every dimension.
func oneEach(p *policy.Policy) Shape {
	var shape Shape
	for _, d := range p.Dimensions() {
		shape = shape.With(d, One)
	}
	return shape
}

func changesOneName(t *testing.T, p *policy.Policy, r *Rewrite, value string) {
	t.Helper()
	tenant := p.Dimension("tenant")
	name, err := tenant.Schemas.Name(value)
	if err != nil {
		t.Fatal(err)
	}
	schemas := make([]string, len(p.Dimensions()))
	schemas[tenant.Index] = name
	in, err := r.In(schemas)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Code == CodeTable && len(r.named) > 0 {
		return // another value's is named
	}
	if err != nil {
		t.Fatalf("%s: %v", r.SQL, err)
	}
	got, err := pgparse.Parse(in.SQL)
	if err != nil {
		t.Fatalf("%s: %v", in.SQL, err)
	}
	want, err := pgparse.Parse(r.SQL)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, func(got, want *pgparse.RawStmt) bool {
		demandSchema(t, p, got, name)
		rename(got, name, tenant.Schemas.Template)
		rename(want, name, tenant.Schemas.Template) // where the text names it
		return pgparse.Equal(got.Stmt, want.Stmt)
	}) {
		t.Errorf("%s\nis another statement than\n%s", in.SQL, r.SQL)
	}
}

// demandSchema demands that a tree names nothing in another schema of a value, and
// nothing in the template.
func demandSchema(t *testing.T, p *policy.Policy, node any, own string) {
	t.Helper()
	var names []*pgparse.Node
	schema := ""
	switch n := node.(type) {
	case *pgparse.RangeVar:
		schema = n.Schemaname
	case *pgparse.FuncCall:
		names = n.Funcname
	case *pgparse.TypeName:
		names = n.Names
	case *pgparse.A_Expr:
		names = n.Name
	case *pgparse.CollateClause:
		names = n.Collname
	}
	if len(names) == 2 {
		schema = names[0].GetString_().GetSval()
	}
	if schema != own && p.InSchemas(schema) {
		t.Errorf("%T in the schema %q", node, schema)
	}
	pgparse.Children(node, func(child any) { demandSchema(t, p, child, own) })
}

// Without a scope the certificate admits the template where rows are read, behind a
// guard that is false, and nowhere else.
func TestCertificateWithoutSchema(t *testing.T) {
	p, err := policy.Load("../testdata/rewrite/schemas/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const (
		read    = "SELECT id FROM invoice WHERE false"
		guarded = "SELECT id FROM (t__template.invoice JOIN (SELECT) AS scoped_1 ON false) WHERE false"
	)
	absent := Shape(0).With(p.Dimension("site"), One)
	for _, c := range []struct {
		shape          Shape
		sql, rewritten string
		certified      bool
	}{
		{absent, read, guarded, true},
		{absent, read, strings.Replace(guarded, "ON false", "ON true", 1), false},
		{absent, read, strings.Replace(guarded, "t__template", "t_acme", 1), false},
		{absent, read, strings.Replace(guarded, "t__template", "public", 1), false},
		{absent, read, "SELECT id FROM t__template.invoice WHERE false", false},
		{absent, "SELECT id FROM t__template.invoice WHERE false", guarded, false},
		{absent, "SELECT id FROM t_acme.invoice WHERE false", strings.Replace(guarded, "t__template", "t_acme", 1), false},
		{absent, "SELECT 'paid'::invoice_status LIMIT 0", "SELECT 'paid'::t__template.invoice_status LIMIT 0", false},
		{absent, "SELECT next_number() LIMIT 0", "SELECT t__template.next_number() LIMIT 0", false},
		{absent, "SELECT nextval('ticket_number') LIMIT 0", "SELECT nextval('t__template.ticket_number') LIMIT 0", false},
		{absent, "DELETE FROM invoice WHERE false", "DELETE FROM t__template.invoice WHERE (false) AND (false)", false},
		{absent, "INSERT INTO invoice DEFAULT VALUES", "INSERT INTO t__template.invoice DEFAULT VALUES", false},
		{absent.With(p.Dimension("tenant"), Many), read, guarded, false},
		{absent.With(p.Dimension("tenant"), All), read, guarded, false},
		{Shape(0).With(p.Dimension("tenant"), Many), "SELECT id FROM invoice_line WHERE false", strings.ReplaceAll(guarded, "invoice", "invoice_line"), false},
	} {
		s, original, err := parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if err := certify(&Rewrite{SQL: c.rewritten}, s, original, p, nil, c.shape); (err == nil) != c.certified {
			t.Errorf("%s\nas\n%s: %v", c.sql, c.rewritten, err)
		}
	}
}

// A template that In would leave in its place is not certified, be it a table's, a
// guard's, a type's, a function's or a sequence's.
func TestCertificateDemandsMarks(t *testing.T) {
	p, texts := schemaCases(t)
	forged := 0
	for _, text := range texts {
		r, err := New(text, p, oneEach(p))
		if err != nil {
			continue
		}
		for i, e := range r.marked {
			for at, c := range []byte(e.text) {
				if c != 0 || e.text[at+1] == asName {
					continue
				}
				wrong := *r
				wrong.marked = slices.Clone(r.marked)
				wrong.marked[i].text = e.text[:at] + unmark(e.text[at:at+markLength], r.templates) + e.text[at+markLength:]
				s, original, err := parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if err := certify(&wrong, s, original, p, nil, oneEach(p)); err == nil {
					t.Errorf("certified with a template in %q:\n%s", wrong.marked[i].text, wrong.SQL)
				}
				forged++
			}
		}
	}
	if forged < 50 {
		t.Errorf("only %d were forged", forged)
	}
}

// rename writes one schema for another wherever a tree names it.
func rename(node any, from, to string) {
	switch n := node.(type) {
	case *pgparse.RangeVar:
		if n.Schemaname == from {
			n.Schemaname = to
		}
	case *pgparse.String:
		if n.Sval == from {
			n.Sval = to
		}
	case *pgparse.A_Const:
		if s := n.GetSval(); s != nil {
			s.Sval = strings.Replace(s.Sval, quoteSchema(from), quoteSchema(to), 1)
		}
	}
	pgparse.Children(node, func(child any) { rename(child, from, to) })
}
