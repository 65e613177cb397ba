package schemas_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/schemas"
)

// TestWhatCannotBeCopied shows that it is named, with what to do, and that nothing
// is made.
func TestWhatCannotBeCopied(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, "CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id int PRIMARY KEY, day date, paid boolean)"))
	for _, c := range []struct{ sql, object, reason string }{
		{"CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE abroad () SERVER s", "foreign table abroad", "foreign tables"},
		{"CREATE COLLATION german (provider = icu, locale = 'de')", "collation german", "not copied"},
		{"CREATE TEXT SEARCH CONFIGURATION short (COPY = simple)", "text search configuration short", "not copied"},
		{"CREATE OPERATOR FAMILY f USING btree", "operator family f", "not copied"},
		{"CREATE TYPE shell", "type shell", "not defined"},
		{"CREATE DOMAIN d AS int; CREATE FUNCTION f(d) RETURNS text LANGUAGE sql AS 'SELECT NULL'; CREATE CAST (d AS text) WITH FUNCTION f(d)", "cast (t__template.d AS pg_catalog.text)", "not copied"},
		{"CREATE TABLE public.parts (a int) PARTITION BY LIST (a); CREATE TABLE part PARTITION OF public.parts FOR VALUES IN (1)", "table part", "detach"},
		{"REVOKE USAGE ON TYPE invoice FROM PUBLIC", "table invoice", "row type"},
		{"CREATE TYPE row AS (a int); CREATE TABLE typed OF row", "table typed", "NOT OF"},
		{"CREATE TABLE base (a int); CREATE TABLE derived (b int) INHERITS (base); ALTER TABLE base ADD COLUMN c int", "table derived", "order"},
		{"ALTER TABLE invoice ADD COLUMN parent int REFERENCES invoice; ALTER TABLE invoice DISABLE TRIGGER ALL", "constraint invoice_parent_fkey on invoice", "ENABLE TRIGGER"},
		// What spells the name of its schema.
		{"CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t__template.invoice'", "function f()", "SET search_path"},
		{`CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM "t__template" . invoice); END'`, "function f()", "SET search_path"},
		{"CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN EXECUTE ''TABLE T__Template.invoice''; END'", "function f()", "SET search_path"},
		{"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET LOCAL search_path TO public, t__template; END'", "function f()", "SET search_path"},
		{"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 't__template,public', true); END $$", "function f()", "SET search_path"},
		{"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE '\n SET search_path TO ''t__template''\n'; END $$", "function f()", "SET search_path"},
		{"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS '' SET app.schema = 't__template'", "function f()", "SET search_path"},
		{"ALTER TABLE invoice ADD CONSTRAINT c CHECK (current_schema() = 't__template')", "constraint c on invoice", "leave that out"},
		{"ALTER TABLE invoice ALTER COLUMN id SET DEFAULT nextval('t__template.n'::text)", "table invoice", "leave that out"},
		{"CREATE VIEW v AS SELECT to_regclass('t__template.invoice')", "view v", "leave that out"},
		// Views that need each other.
		{"CREATE VIEW a AS SELECT 1 AS n; CREATE VIEW b AS SELECT n FROM a; CREATE OR REPLACE VIEW a AS SELECT n FROM b", "view a, view b", "circle"},
	} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		exec(t, conn, "SET LOCAL search_path = t__template; "+c.sql+"; SET LOCAL search_path = public")
		err = manager(t, tx, "tenant").Create(t.Context(), "acme")
		if err == nil || !strings.Contains(err.Error(), c.object+": ") && !strings.Contains(err.Error(), c.object+", ") || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v", c.sql, err)
		}
		var exists bool
		if err := tx.QueryRow(t.Context(), "SELECT to_regnamespace('t_acme') IS NOT NULL").Scan(&exists); err != nil || exists {
			t.Errorf("%s: the schema exists, %v", c.sql, err)
		}
		tx.Rollback(context.Background())
	}
}

// TestWhatOnlyLooksLikeTheName is copied.
func TestWhatOnlyLooksLikeTheName(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, `CREATE SCHEMA t__template; SET search_path = t__template;
		CREATE TYPE kind AS ENUM ('t__template');
		CREATE TABLE t__template (t__template int, kind kind);
		COMMENT ON TABLE t__template IS 'of t__template.t__template';
		CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT t__template /* not t__template.t__template */ FROM t__template -- 't__template' $$;
		CREATE FUNCTION at__template() RETURNS text LANGUAGE sql AS $$ SELECT 'at__template.x' $$`))
	m := manager(t, conn, "tenant")
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if d := read(t, m, "t__template").Diff(read(t, m, "t_acme")); len(d) > 0 {
		t.Error(show(d[0]))
	}
}

// hostile are values that are to be right or refused, and never executed.
var hostile = map[string]bool{ // whether they are right
	`x"; DROP SCHEMA public CASCADE; --`: true,
	`x'; DROP SCHEMA public CASCADE; --`: true,
	`"`:                                  true,
	`'`:                                  true,
	`$$`:                                 true,
	"{value}":                            true,
	"{schema}":                           true,
	":schema":                            true,
	"%s %I %1$s":                         true,
	"ACME":                               true,
	"größe 7":                            true,
	"pg_catalog":                         true, // t_pg_catalog is no system's
	strings.Repeat("x", 61):              true,
	strings.Repeat("x", 200):             false,
	"":                                   false,
	"a\x00b":                             false,
	"a\nb":                               false,
	`a\b`:                                false,
	"\xff":                               false,
	"_template":                          false,
}

func TestHostileValues(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, `CREATE TABLE account (); CREATE SCHEMA t__template; GRANT USAGE ON SCHEMA t__template TO PUBLIC;
		COMMENT ON SCHEMA t__template IS 'x'; ALTER DEFAULT PRIVILEGES IN SCHEMA t__template GRANT SELECT ON TABLES TO PUBLIC;
		CREATE TABLE t__template.invoice (id serial PRIMARY KEY);
		CREATE FUNCTION t__template.f() RETURNS int LANGUAGE sql SET search_path = t__template, public AS 'SELECT 1'`))
	m := manager(t, conn, "tenant")
	template, err := m.Template(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace, to_regclass('public.account') a WHERE a IS NOT NULL").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for value, right := range hostile {
		before := count()
		err := m.CreateFrom(t.Context(), template, value)
		switch {
		case right != (err == nil):
			t.Errorf("%q: %v", value, err)
		case !right && count() != before, right && count() != before+1:
			t.Errorf("%q has changed other schemas", value)
		case right:
			if d := template.Diff(read(t, m, "t_"+value)); len(d) > 0 {
				t.Errorf("%q: %s", value, show(d[0]))
			}
			list, err := m.List(t.Context())
			if err != nil || !slices.Contains(list, schemas.Schema{Value: value, Name: "t_" + value, Exists: true, Registered: true}) {
				t.Errorf("%q is not in %+v, %v", value, list, err)
			}
			details, err := m.Details(t.Context(), true)
			if err != nil || details["t_"+value].Tables != 1 {
				t.Errorf("%q: %+v, %v", value, details, err)
			}
			tables, err := m.Tables(t.Context(), value)
			if err != nil || len(tables) != 1 || tables[0].Name != "invoice" || tables[0].Rows != 0 {
				t.Errorf("%q: %+v, %v", value, tables, err)
			}
		}
	}
}

// TestRegistry shows what becomes of the registry's table.
func TestRegistry(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, "CREATE SCHEMA t__template"))
	for _, c := range []struct{ sql, fault string }{
		{"", ""}, // it is made
		{"CREATE TABLE tenant (slug varchar(20) UNIQUE, id serial)", ""},
		{"CREATE TABLE tenant (slug text)", ""},
		{"CREATE TABLE tenant (slug text, name text NOT NULL); INSERT INTO tenant VALUES ('acme', 'Acme')", ""},
		{"CREATE TABLE tenant (slug text, name text NOT NULL)", "insert its row first"},
		{"CREATE TABLE tenant (slug text CHECK (slug <> 'acme'))", "insert its row first"},
	} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		exec(t, conn, c.sql)
		m := manager(t, tx, "tenant")
		err = m.Create(t.Context(), "acme")
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", c.sql, err)
		}
		list, err := m.List(t.Context())
		switch {
		case err != nil:
			t.Error(err)
		case c.fault != "" && len(list) > 0:
			t.Errorf("%s: %+v", c.sql, list)
		case c.fault == "" && (len(list) != 1 || list[0] != schemas.Schema{Value: "acme", Name: "t_acme", Exists: true, Registered: true}):
			t.Errorf("%s: %+v", c.sql, list)
		}
		tx.Rollback(context.Background())
	}
}

// TestCreateAtOnce makes several schemas at a time, the first of which make the
// registry.
func TestCreateAtOnce(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t, "CREATE TABLE account (id int PRIMARY KEY); CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id int REFERENCES account)"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	m := manager(t, pool, "tenant")
	var tenants sync.WaitGroup
	const twice = 2
	faults := make(chan error, 8*twice)
	for i := range 8 * twice {
		tenants.Go(func() { faults <- m.Create(t.Context(), fmt.Sprint(i/twice)) })
	}
	tenants.Wait()
	close(faults)
	made := 0
	for err := range faults {
		switch {
		case err == nil:
			made++
		case !regexp.MustCompile(`t_\d.* exists`).MatchString(err.Error()):
			t.Error(err)
		}
	}
	list, err := m.List(t.Context())
	if err != nil || len(list) != 8 || made != 8 {
		t.Errorf("%d were made: %+v, %v", made, list, err)
	}
}

// TestCreateInATransaction makes a schema together with what else a program does
// when somebody signs up, and leaves the transaction's settings as they were.
func TestCreateInATransaction(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, sharedSQL, templateSQL, "ALTER TABLE public.tenant ADD COLUMN name text NOT NULL"))
	for _, commit := range []bool{false, true} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		exec(t, conn, "SET LOCAL search_path = public, pg_temp; SET LOCAL DateStyle = 'SQL, DMY'; INSERT INTO tenant VALUES ('acme', 'Acme')")
		if err := manager(t, tx, "tenant").Create(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		var path, style string
		if err := tx.QueryRow(t.Context(), "SELECT current_setting('search_path'), current_setting('DateStyle')").Scan(&path, &style); err != nil || path != "public, pg_temp" || style != "SQL, DMY" {
			t.Error(path, style, err)
		}
		if commit {
			err = tx.Commit(t.Context())
		} else {
			err = tx.Rollback(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		var exists bool
		if err := conn.QueryRow(t.Context(), "SELECT to_regnamespace('t_acme') IS NOT NULL").Scan(&exists); err != nil || exists != commit {
			t.Errorf("committed %v, and the schema's being there is %v, %v", commit, exists, err)
		}
	}
}

// TestDefaultPrivileges shows that rights which whoever makes the schema gives by
// default do not add to those of the template.
func TestDefaultPrivileges(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, sharedSQL, templateSQL))
	exec(t, conn, `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO scoped_clerk; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO scoped_clerk;
		ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO scoped_clerk`)
	m := manager(t, conn, "tenant")
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for _, d := range read(t, m, "t__template").Diff(read(t, m, "t_acme")) {
		t.Error(show(d))
	}
}

// TestOwner makes a schema as the owner of the template, who is no superuser.
func TestOwner(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, `DO $$ BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scoped_owner') THEN CREATE ROLE scoped_owner; END IF;
		END $$;
		DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO scoped_owner', current_database()); END $$;
		CREATE TABLE public.tenant (slug text PRIMARY KEY); GRANT ALL ON public.tenant TO scoped_owner;
		SET ROLE scoped_owner;
		CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id serial PRIMARY KEY); CREATE VIEW t__template.v AS TABLE t__template.invoice;
		CREATE FUNCTION t__template.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`))
	exec(t, conn, "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO scoped_owner', current_database()); END $$; SET ROLE scoped_owner")
	m := manager(t, conn, "tenant")
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for _, d := range read(t, m, "t__template").Diff(read(t, m, "t_acme")) {
		t.Error(show(d))
	}
}

// TestMigrations shows that what ran in the template is recorded for what is made of
// it, and that a template which was migrated meanwhile makes none.
func TestMigrations(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, "CREATE SCHEMA t__template"))
	m := manager(t, conn, "tenant")
	record := schemas.RecordOf(m.Dimension())
	done := func(name string) {
		t.Helper()
		if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			return record.Done(t.Context(), tx, "t__template", schemas.Migration{Name: name})
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := record.Create(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	done("1.sql")
	template, err := m.Template(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CreateFrom(t.Context(), template, "acme"); err != nil {
		t.Fatal(err)
	}
	if ran, err := record.Applied(t.Context(), conn, "t_acme"); err != nil || len(ran) != 1 || ran[0].Name != "1.sql" {
		t.Errorf("%v, %v", ran, err)
	}
	done("2.sql")
	if err := m.CreateFrom(t.Context(), template, "globex"); err != schemas.ErrMigrated {
		t.Error(err)
	}
	details, err := m.Details(t.Context(), true)
	if err != nil || len(details) != 1 || details["t_acme"].Pending != 1 {
		t.Errorf("%+v, %v", details, err)
	}
}
