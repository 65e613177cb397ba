package rewrite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// What is certified is the text with the template's name. Whatever a value is, the
// text that is sent for it parses to the same tree, but for the name.
func TestInChangesOneName(t *testing.T) {
	const dir = "../testdata/rewrite/schemas/"
	p, err := policy.Load(dir + "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tenant := p.Dimension("tenant")
	shape := Shape(0).With(tenant, One).With(p.Dimension("site"), One)
	files, err := filepath.Glob(dir + "*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	compared := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(data), "```sql\n")[1:] {
			sql, _, _ := strings.Cut(block, "\n```")
			r, err := New(sql, p, shape)
			if err != nil || len(r.named) > 0 {
				continue
			}
			for _, value := range []string{"acme", `x"; DROP SCHEMA public --`, `'`, `''`, `"`, `"."`, "$1", "$$", "/*", "--", "u&", "Ü", "scoped_1", strings.Repeat("'", 61)} {
				name, err := tenant.Schemas.Name(value)
				if err != nil {
					t.Fatal(err)
				}
				schemas := make([]string, len(p.Dimensions()))
				schemas[tenant.Index] = name
				in, err := r.In(schemas)
				if err != nil {
					t.Fatalf("%s %d: %v", file, i, err)
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
					rename(got, name, tenant.Schemas.Template)
					return pgparse.Equal(got.Stmt, want.Stmt)
				}) {
					t.Errorf("%s\nis another statement than\n%s", in.SQL, r.SQL)
				}
				compared++
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d texts were compared", compared)
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
