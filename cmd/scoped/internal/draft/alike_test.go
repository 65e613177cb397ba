package draft_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// TestSchemas compares the policies of databases with a schema for each value with the
// files beside them.
func TestSchemas(t *testing.T) {
	for _, test := range []struct {
		name    string
		roots   []string
		example string            // which is renamed to be the template where there is none
		in      map[string]string // the schema of a value, by dimension
	}{
		{"schemas", nil, "", map[string]string{"tenant": "t_O'Neil"}},
		{"mixed", []string{"site"}, "north", map[string]string{"school": "w est"}},
		{"hostile_schemas", nil, `Ä "{# '$(x)` + "`no`: 1;--%_", map[string]string{"tenant": `Ä "{# '$(x)` + "`no`: 10;--%_"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, p, text := proposed(t, "testdata/"+test.name+".sql", test.name, test.roots...)
			for name := range test.in {
				if test.example != "" {
					rename := "ALTER SCHEMA " + pgx.Identifier{test.example}.Sanitize() + " RENAME TO " + pgx.Identifier{p.Dimension(name).Schemas.Template}.Sanitize()
					if _, err := conn.Exec(t.Context(), rename); err != nil {
						t.Fatal(err)
					}
				}
			}
			c, err := catalog.ReadFor(t.Context(), conn, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.Check(p) {
				if f.Fatal {
					t.Error(f)
				}
			}
			for _, table := range c.Tables() {
				if table.Kind != catalog.Type {
					if p.Table(table.Schema, table.Name) == nil {
						t.Errorf("%s.%s is not listed", table.Schema, table.Name)
						continue
					}
					prepare(t, conn, p, table, test.in)
				}
			}
			again, err := draft.Read(t.Context(), conn, p)
			if err != nil {
				t.Fatal(err)
			}
			if u, err := again.Update("policy.yaml", text, nil); err != nil || len(u.Added) > 0 || len(u.Vanished) > 0 {
				t.Errorf("an update changes something: %+v, %v", u, err)
			}
		})
	}
}

// TestNoSchemas has databases in which no schemas are those of values.
func TestNoSchemas(t *testing.T) {
	dsn := pgtest.DSN(t)
	const two = "CREATE SCHEMA t_acme; CREATE TABLE t_acme.invoice (id int, body text); CREATE SCHEMA t_globex; "
	for name, schema := range map[string]string{
		"rows":         file(t, "../../../../examples/blog/schema.sql"),
		"one":          "CREATE SCHEMA t_acme; CREATE TABLE t_acme.invoice (id int)",
		"no tables":    "CREATE SCHEMA t_acme; CREATE SCHEMA t_globex",
		"other tables": two + "CREATE TABLE t_globex.bill (id int, body text)",
		"other column": two + "CREATE TABLE t_globex.invoice (id int, text text)",
		"other types":  two + "CREATE TABLE t_globex.invoice (id int, body int)",
		"more":         two + "CREATE TABLE t_globex.invoice (id int, body text); CREATE TABLE t_globex.line (id int)",
		"a template and one that is named otherwise": "CREATE SCHEMA template; CREATE TABLE template.invoice (id int); CREATE SCHEMA acme; CREATE TABLE acme.invoice (id int)",
		"more that differ": two + `CREATE TABLE t_globex.invoice (id int, body text);
			CREATE SCHEMA t_a; CREATE TABLE t_a.invoice (id int); CREATE SCHEMA t_b; CREATE TABLE t_b.invoice (id text); CREATE SCHEMA t_c; CREATE TABLE t_c.invoice (a int)`,
		"in the search path": "CREATE TABLE invoice (id int); CREATE SCHEMA t_acme; CREATE TABLE t_acme.invoice (id int)",
	} {
		if db := readAfter(t, dsn, schema); db.HasSchemas() {
			text, err := db.Policy(nil)
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestNamings shows which pattern, registry and template are found.
func TestNamings(t *testing.T) {
	dsn := pgtest.DSN(t)
	create := func(schemas ...string) string {
		var b strings.Builder
		for _, s := range schemas {
			name := pgx.Identifier{s}.Sanitize()
			b.WriteString("CREATE SCHEMA " + name + "; CREATE TABLE " + name + ".invoice (id int); INSERT INTO " + name + ".invoice VALUES (1);\n")
		}
		return b.String()
	}
	for _, test := range []struct{ name, schema, want string }{
		{"prefix", create("t_acme", "t_apple"), "tenant: {schema: 't_{value}', template: t__template}"},
		{"suffix", create("acme_app", "globex_app"), "tenant: {schema: '{value}_app', template: _template_app}"},
		{"both", create("t_acme_x", "t_globex_x"), "tenant: {schema: 't_{value}_x', template: t__template_x}"},
		{"nothing in common", create("acme", "apple"), "tenant: {schema: '{value}', template: _template}"},
		{"a template of that name is there", create("acme", "apple") + "CREATE SCHEMA _template", "tenant: {schema: '{value}', template: __template}"},
		{"numbers", create("tenant10", "tenant11"), "tenant: {schema: 'tenant{value}', template: tenant_template}"},
		{"capitals", create("appAcme", "appApple"), "tenant: {schema: 'app{value}', template: app_template}"},
		{"a template", create("t_acme", "t_globex", "t_template"), "tenant: {schema: 't_{value}', template: t_template}"},
		{"a template that is named otherwise", create("t_acme", "t_globex", "template"), "tenant: {schema: 't_{value}', template: template}"},
		{"a template and one value", create("t_acme", "t__template"), "tenant: {schema: 't_{value}', template: t__template}"},
		{"a template that is ahead", create("t_acme", "t_globex") + "CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id int, due date)",
			"tenant: {schema: 't_{value}', template: t__template}"},
		{"the template says what is common", create("t_acme_co", "t_globex_co", "t__template"), "tenant: {schema: 't_{value}', template: t__template}"},
		{"an empty one", create("t_acme", "t_globex") + "CREATE SCHEMA t_none; CREATE TABLE t_none.invoice (id int)", "tenant: {schema: 't_{value}', template: t_none}"},
		{"an empty one, which is registered", create("t_acme", "t_globex") + `CREATE SCHEMA t_none; CREATE TABLE t_none.invoice (id int);
			CREATE TABLE shop (slug text PRIMARY KEY); INSERT INTO shop VALUES ('acme'), ('globex'), ('none')`,
			"shop: {schema: 't_{value}', template: t__template, registry: 'shop(slug)'}"},
		{"an empty one, which is not", create("t_acme", "t_globex", "t_none") + `TRUNCATE t_none.invoice; CREATE SCHEMA t_new;
			CREATE TABLE t_new.invoice (id int); CREATE TABLE shop (slug text PRIMARY KEY); INSERT INTO shop VALUES ('acme'), ('globex'), ('new')`,
			"shop: {schema: 't_{value}', template: t_none, registry: 'shop(slug)'}"},
		{"a registry says what is common", create("t_north_acme", "t_north_globex") +
			"CREATE TABLE client (name text PRIMARY KEY); INSERT INTO client VALUES ('north_acme'), ('north_globex')",
			"client: {schema: 't_{value}', template: t__template, registry: 'client(name)'}"},
		{"a registry of schemas", create("t_acme", "t_globex") + "CREATE TABLE client (schema_name varchar(63) UNIQUE NOT NULL); INSERT INTO client VALUES ('t_acme'), ('t_globex'), ('public')",
			"client: {schema: '{value}', template: _template, registry: 'client(schema_name)'}"},
		{"a registry with case", create("acme", "globex") + "CREATE TABLE client (id text PRIMARY KEY); INSERT INTO client VALUES ('Acme'), ('globex')",
			"tenant: {schema: '{value}', template: _template}"},
		{"a registry of numbers", create("t_1", "t_2") + "CREATE TABLE client (id bigint PRIMARY KEY); INSERT INTO client VALUES (1), (2), (3); CREATE TABLE post (id int PRIMARY KEY); INSERT INTO post VALUES (1), (2)",
			"client: {schema: 't_{value}', template: t__template, registry: client, type: bigint}"},
		{"names that end with numbers", create("t_shop1", "t_shop2") + "CREATE TABLE shop (id int PRIMARY KEY, slug text UNIQUE NOT NULL); INSERT INTO shop VALUES (2, 'shop1'), (1, 'shop2')",
			"shop: {schema: 't_{value}', template: t__template, registry: 'shop(slug)'}"},
		{"numbers of anything", create("t_1", "t_2") + "CREATE TABLE post (id int PRIMARY KEY); INSERT INTO post VALUES (1), (2), (3)",
			"tenant: {schema: 't_{value}', template: t__template}"},
		{"a registry of uuids", create("t_00000000-0000-0000-0000-000000000001", "t_00000000-0000-0000-0000-00000000000a") +
			"CREATE TABLE client (id uuid PRIMARY KEY); INSERT INTO client VALUES ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-00000000000a')",
			"client: {schema: 't_{value}', template: t__template, registry: client, type: uuid}"},
		{"what nearly has the tables is listed", create("acme", "globex") + `CREATE SCHEMA archive; CREATE TABLE archive.invoice (id int, at date);
			CREATE SCHEMA initech; CREATE TABLE initech.invoice (id text); CREATE SCHEMA new; CREATE SCHEMA tools;
			CREATE TABLE shop (slug text PRIMARY KEY); INSERT INTO shop VALUES ('acme'), ('globex'), ('initech'), ('new'), ('none')`,
			"# Not all have the tables of acme: initech has other columns in invoice."},
		{"two registries", create("t_a", "t_b") + "CREATE TABLE one (x text PRIMARY KEY); INSERT INTO one VALUES ('a'), ('b'); CREATE TABLE two (x text PRIMARY KEY); INSERT INTO two TABLE one",
			"tenant: {schema: 't_{value}', template: t__template}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := readAfter(t, dsn, test.schema).Policy(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, "\n  "+test.want+"\n") {
				t.Errorf("want %s, got\n%s", test.want, text)
			}
		})
	}
}

// TestTwoSets has schemas of two dimensions, one of which --root names after one of two
// tables that list its values.
func TestTwoSets(t *testing.T) {
	var schema strings.Builder
	for _, s := range []string{"t_acme", "t_globex", "t__template", "y_2025", "y_2026"} {
		schema.WriteString("CREATE SCHEMA " + s + "; CREATE TABLE " + s + ".post (id int PRIMARY KEY, " + s[:1] + " int);\n")
	}
	db := readAfter(t, pgtest.DSN(t), schema.String()+`
		CREATE TABLE one (name text PRIMARY KEY); INSERT INTO one VALUES ('acme'), ('globex');
		CREATE TABLE two (name text PRIMARY KEY); INSERT INTO two TABLE one`)
	for _, test := range []struct {
		roots []string
		want  []string
	}{
		{nil, []string{
			"# Several tables list the values: one(name), two(name). Name one with --root, or as registry:\n",
			"  tenant: {schema: 't_{value}', template: t__template}\n",
			"  tenant_2: {schema: 'y_{value}', template: y__template}\n",
			"  t__template.post: {tenant: schema} ",
			"  y__template.post: {tenant_2: schema} ",
		}},
		{[]string{"two=org"}, []string{
			"#   scoped init --root two=org\n",
			"  org: {schema: 't_{value}', template: t__template, registry: 'two(name)'}\n",
			"  two: {org: name}",
			"  tenant: {schema: 'y_{value}', template: y__template}\n",
		}},
	} {
		text, err := db.Policy(roots(t, test.roots...))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in\n%s", test.roots, want, text)
			}
		}
	}
}

// TestRegistryRights reads as a role that may not read, or not without an error, two of
// three tables that list the values.
func TestRegistryRights(t *testing.T) {
	dsn := pgtest.DSN(t, `
		CREATE SCHEMA t_acme; CREATE TABLE t_acme.post (id int); CREATE SCHEMA t_globex; CREATE TABLE t_globex.post (id int);
		CREATE TABLE one (slug text PRIMARY KEY); INSERT INTO one VALUES ('acme'), ('globex');
		CREATE TABLE two (slug text PRIMARY KEY); INSERT INTO two TABLE one;
		CREATE TABLE three (slug text PRIMARY KEY); INSERT INTO three TABLE one;
		GRANT SELECT ON two, three TO PUBLIC;
		ALTER TABLE two ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON two USING (slug = current_setting('app.slug'))`)
	role := pgx.Identifier{"nobody " + rand.Text()}.Sanitize()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Exec(context.Background(), "RESET ROLE; DROP ROLE "+role)
		conn.Close(context.Background())
	})
	if _, err := conn.Exec(t.Context(), "CREATE ROLE "+role+"; SET ROLE "+role); err != nil {
		t.Fatal(err)
	}
	db, err := draft.Read(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := db.Policy(nil)
	if want := "  three: {schema: 't_{value}', template: t__template, registry: 'three(slug)'}\n"; err != nil || !strings.Contains(text, want) {
		t.Errorf("%v: no %s in\n%s", err, want, text)
	}
}

// readAfter reads a database that has nothing but what the statements make.
func readAfter(t *testing.T, dsn, statements string) *draft.Database {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
		DO $$
		DECLARE s text;
		BEGIN
		  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
		    EXECUTE format('DROP SCHEMA %I CASCADE', s);
		  END LOOP;
		END $$;
		CREATE SCHEMA public;`+statements)
	if err != nil {
		t.Fatal(err)
	}
	db, err := draft.Read(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}
