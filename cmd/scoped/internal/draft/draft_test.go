package draft_test

import (
	"context"
	"crypto/rand"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

var update = flag.Bool("update", false, "write the golden files of testdata instead of comparing with them")

// TestGolden compares the policies of schemas with the files beside them, which
// load as they are and fit the database.
func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name, schema string
		roots        []string
	}{
		{"blog", "../../../../examples/blog/schema.sql", []string{"site", "account=user"}},
		{"blog_site", "../../../../examples/blog/schema.sql", []string{"site"}},
		{"rental", "testdata/rental.sql", []string{"store"}},
		{"music", "testdata/music.sql", []string{"Customer"}},
		{"shapes", "testdata/shapes.sql", []string{"org", "member=user"}},
		{"hostile", "testdata/hostile.sql", []string{"no"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, p, _ := proposed(t, test.schema, test.name, test.roots...)
			c, err := catalog.Read(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.Check(p) {
				if f.Fatal {
					t.Error(f)
				} else {
					t.Log(f)
				}
			}
			for _, table := range c.Tables() {
				if table.Kind == catalog.Type {
					continue
				}
				if p.Table(table.Schema, table.Name) == nil {
					t.Errorf("%s.%s is not listed", table.Schema, table.Name)
					continue
				}
				prepare(t, conn, p, table, nil)
			}
		})
	}
}

// proposed compares the policy for a schema with the file of that name, and returns it,
// its text, and a connection to the database.
func proposed(t *testing.T, schema, name string, names ...string) (*pgx.Conn, *policy.Policy, string) {
	t.Helper()
	db, conn := read(t, pgtest.DSN(t, file(t, schema)))
	text, err := db.Policy(roots(t, names...))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "testdata/"+name+".yaml", text)
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return conn, p, text
}

// TestDocumentation compares the policy that the documentation shows.
func TestDocumentation(t *testing.T) {
	const page = "../../../../docs/command.md"
	if !strings.Contains(file(t, page), "```yaml\n"+file(t, "testdata/blog.yaml")+"```\n") {
		t.Errorf("%s does not show testdata/blog.yaml", page)
	}
}

// TestReadWithoutRights reads as a role that can do nothing but connect. Views
// cannot be described then.
func TestReadWithoutRights(t *testing.T) {
	dsn := pgtest.DSN(t, file(t, "testdata/rental.sql"))
	role := pgx.Identifier{"nobody " + strings.TrimPrefix(t.Name(), "Test") + rand.Text()}.Sanitize()
	admin, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(conn *pgx.Conn, sql string) {
		t.Helper()
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(admin, "CREATE ROLE "+role+"; REVOKE ALL ON SCHEMA public FROM public")
	t.Cleanup(func() {
		exec(admin, "DROP ROLE "+role)
		admin.Close(context.Background())
	})
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	exec(conn, "SET ROLE "+role)
	db, err := draft.Read(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := db.Policy([]draft.Root{{Schema: "public", Table: "store"}})
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(file(t, "testdata/rental.yaml"), "  # Views")
	_, want, _ = strings.Cut(want, "# The roots.")
	if !strings.Contains(text, want) {
		t.Errorf("tables are not as the owner has them:\n%s", text)
	}
	if !strings.Contains(text, "sales_by_store:    denied  # a view: the server does not say what it shows (permission denied") {
		t.Errorf("the view is not denied:\n%s", text)
	}
}

// prepare has the server prepare statements on a table, as they are rewritten. Where
// values choose schemas, schemas has that of a value of each dimension.
func prepare(t *testing.T, conn *pgx.Conn, p *policy.Policy, table *catalog.Table, schemas map[string]string) {
	t.Helper()
	var shape rewrite.Shape
	for _, d := range p.Dimensions() {
		shape = shape.With(d, rewrite.One)
	}
	name := pgx.Identifier{table.Schema, table.Name}.Sanitize()
	if p.Template(table.Schema) != nil {
		name = pgx.Identifier{table.Name}.Sanitize()
	}
	statements := []string{"SELECT * FROM " + name}
	if table.Kind == catalog.Ordinary || table.Kind == catalog.Partitioned {
		statements = append(statements, "DELETE FROM "+name)
	}
	for _, c := range table.Columns {
		if table.Kind == catalog.Ordinary && c.Generated == "" && c.Identity == "" {
			column := pgx.Identifier{c.Name}.Sanitize()
			statements = append(statements, "UPDATE "+name+" SET "+column+" = "+column)
		}
	}
	access := p.Table(table.Schema, table.Name).Access
	for i, sql := range statements {
		r, err := rewrite.New(sql, p, shape)
		accepted := access == policy.Scoped || access == policy.SharedRead && i == 0
		if accepted != (err == nil) {
			t.Errorf("%s: %v", sql, err)
		}
		if err == nil && len(r.Schemas) > 0 {
			var in []string
			for _, d := range p.Dimensions() {
				in = append(in, schemas[d.Name])
			}
			r, err = r.In(in)
		}
		if err == nil {
			if _, err := conn.Prepare(t.Context(), "", r.SQL); err != nil {
				t.Errorf("%s: %v", r.SQL, err)
			}
		}
	}
}

func read(t *testing.T, dsn string) (*draft.Database, *pgx.Conn) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	db, err := draft.Read(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db, conn
}

func roots(t *testing.T, texts ...string) (roots []draft.Root) {
	t.Helper()
	for _, text := range texts {
		r, err := draft.ParseRoot(text)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, r)
	}
	return roots
}

func file(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := file(t, path); got != want {
		t.Errorf("%s differs; \"go test ./internal/draft -update\" rewrites it. Got:\n%s", path, got)
	}
}
