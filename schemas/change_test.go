package schemas_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/schemas"
)

// text asks for one text.
func text(t *testing.T, conn *pgx.Conn, sql string) (s string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&s); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// someRows fill t_acme so that each way to get a row or a type wrong shows.
const someRows = `SET search_path = t_acme, public;
	INSERT INTO account (name) VALUES ('a');
	INSERT INTO customer (code, address, colour, account_id) VALUES ('X', ROW('a "b", c', '12', 'green'), 'green', 1), ('Y', NULL, 'red', NULL);
	INSERT INTO invoice (number, customer_id, status, during, total, parent) SELECT 'n' || i, 100, 'it''s paid', daterange('2020-01-01'::date + i, '2020-01-02'::date + i)::text::period, i, 1 FROM generate_series(1, 20) i;
	UPDATE invoice SET parent = id - 1 WHERE id > 1;
	INSERT INTO invoice (customer_id) VALUES (100);
	INSERT INTO event (id, at, kind, customer_id) VALUES (1, '2021-01-01', 'a', 100), (2, '2019-01-01', 'k', NULL), (3, '2022-01-01', 'other', NULL);
	INSERT INTO event_note VALUES ('2021-01-01', 1, 'a');
	INSERT INTO base (by) VALUES ('us'); INSERT INTO derived (extra, note) VALUES (5, 'n');
	INSERT INTO empty DEFAULT VALUES; INSERT INTO empty DEFAULT VALUES;
	INSERT INTO cache (key, value) VALUES ('k', '{"a": [1]}');
	CREATE TABLE odd (lines t_acme.line[], codes code[], many periods, "ü ""q""" status, at timestamptz, f double precision);
	INSERT INTO odd VALUES (ARRAY[ROW(1, ARRAY['draft', 'it''s paid'], NULL)]::t_acme.line[], '{A,B}', '{[2020-01-01,2020-02-01)}', 'sent', now(), 1e-17 + 0.1);
	SET search_path = public`

func TestClone(t *testing.T) {
	conn, m := copied(t)
	exec(t, conn, someRows)
	for _, data := range []bool{false, true} {
		if err := m.Clone(t.Context(), "acme", "new", data); err != nil {
			t.Fatal(err)
		}
		if d := read(t, m, "t_acme").Diff(read(t, m, "t_new")); len(d) > 0 {
			t.Error(show(d[0]))
		}
		exec(t, conn, "REFRESH MATERIALIZED VIEW t_acme.counts")
		was, is := contents(t, conn, "t_acme"), contents(t, conn, "t_new")
		if data != (was == is) || !strings.Contains(was, `odd ("{""(1,\\""{draft,`) {
			t.Errorf("data %v:\n%s\nis\n%s", data, was, is)
		}
		if err := m.Drop(t.Context(), "new", false); err != nil {
			t.Error(err)
		}
	}
	exec(t, conn, "CREATE TABLE t_acme.meta (of regclass, n int)")
	if err := m.Clone(t.Context(), "acme", "new", true); err == nil || !strings.Contains(err.Error(), "meta.of") {
		t.Error(err)
	}
	if err := m.Clone(t.Context(), "acme", "new", false); err != nil {
		t.Error(err)
	}
	if err := m.Clone(t.Context(), "acme", "new", false); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Error(err)
	}
	if err := m.Clone(t.Context(), "nobody", "newer", true); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
}

func TestRename(t *testing.T) {
	conn, m := copied(t)
	exec(t, conn, someRows)
	before := read(t, m, "t_acme")
	to := `Globex "2"`
	if err := m.Rename(t.Context(), "acme", to); err != nil {
		t.Fatal(err)
	}
	if d := before.Diff(read(t, m, "t_"+to)); len(d) > 0 {
		t.Error(show(d[0]))
	}
	if got := text(t, conn, "SELECT string_agg(slug, ', ') FROM tenant"); got != to {
		t.Errorf("the registry has %s", got)
	}
	exec(t, conn, `INSERT INTO "t_Globex ""2""".invoice (customer_id) VALUES (100)`) // next_ticket finds its sequence
	if err := m.Rename(t.Context(), "acme", "x"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if err := m.Rename(t.Context(), "acme", to); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Error(err)
	}
	exec(t, conn, "CREATE FUNCTION t_acme.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t_acme.invoice'")
	if err := m.Rename(t.Context(), "acme", "x"); err == nil || !strings.Contains(err.Error(), "function f(): it spells") {
		t.Error(err)
	}
}

func TestDrop(t *testing.T) {
	conn, m := copied(t)
	if err := m.Create(t.Context(), "globex"); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE FUNCTION public.as_number(t_acme.status) RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE VIEW public.overview AS SELECT number FROM t_acme.invoice;
		CREATE TABLE public.history (status t_acme.status, n int DEFAULT nextval('t_acme.ticket'), customer bigint REFERENCES t_acme.customer);
		CREATE TRIGGER touch BEFORE INSERT ON public.history FOR EACH ROW EXECUTE FUNCTION t_acme.touch();
		CREATE TABLE t_globex.child () INHERITS (t_acme.base);
		CREATE POLICY mine ON public.history USING (t_acme.twice(n) > 1);
		CREATE TABLE public.part PARTITION OF t_acme.event_new FOR VALUES IN ('b');
		CREATE CAST (t_acme.status AS int) WITH FUNCTION public.as_number(t_acme.status)`)
	err := m.Drop(t.Context(), "acme", false)
	want := `what is not in the schema "t_acme" of "acme" depends on it; drop that first:
  cast from t_acme.status to integer
  column status of table public.history
  constraint history_customer_fkey on table public.history
  default value for column n of table public.history
  function public.as_number(t_acme.status)
  policy mine on table public.history
  table public.part
  table t_globex.child
  trigger touch on table public.history
  view public.overview`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nis not\n%s", err, want)
	}
}

func TestDropTakesAll(t *testing.T) {
	conn, m := copied(t)
	exec(t, conn, someRows+`; CREATE TABLE t_acme.deep (a int) PARTITION BY LIST (a); CREATE VIEW t_acme.self AS SELECT * FROM public.account;
		CREATE PUBLICATION p FOR TABLE t_acme.invoice, t__template.invoice; CREATE TYPE public.other AS (a int)`)
	if err := m.Drop(t.Context(), "acme", false); err != nil {
		t.Fatal(err)
	}
	if got := text(t, conn, "SELECT (SELECT count(*) FROM tenant) || ' ' || (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%')"); got != "0 1" {
		t.Error(got)
	}
	if err := m.Drop(t.Context(), "acme", false); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	// A row to which others refer is said, or kept.
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "CREATE TABLE bill (tenant text REFERENCES tenant); INSERT INTO bill VALUES ('acme')")
	if err := m.Drop(t.Context(), "acme", false); err == nil || !strings.Contains(err.Error(), `the row of "acme" in the registry`) {
		t.Error(err)
	}
	if err := m.Drop(t.Context(), "acme", true); err != nil {
		t.Fatal(err)
	}
	list, err := m.List(t.Context())
	if err != nil || len(list) != 1 || list[0] != (schemas.Schema{Value: "acme", Name: "t_acme", Registered: true}) {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestChangesOfHostileValues drops, renames and copies schemas of hostile values.
func TestChangesOfHostileValues(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, `CREATE TABLE account (); CREATE TABLE tenant (slug text); CREATE SCHEMA t__template; CREATE TYPE t__template.e AS ENUM ('a');
		CREATE TABLE t__template.invoice (id serial PRIMARY KEY, e t__template.e DEFAULT 'a', es t__template.e[]);
		CREATE FUNCTION t__template.f() RETURNS int LANGUAGE sql SET search_path = t__template, public AS 'SELECT 1'`))
	m := manager(t, conn, "tenant")
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "INSERT INTO t_acme.invoice (es) VALUES ('{a,NULL}')")
	state := func() string {
		return text(t, conn, `SELECT (SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace) || (SELECT string_agg(slug, ' ' ORDER BY 1) FROM tenant)
			|| to_regclass('public.account') || (SELECT count(*) FROM t_acme.invoice)`)
	}
	before := state()
	for value, right := range hostile {
		steps := []func(context.Context) error{
			func(ctx context.Context) error { return m.Clone(ctx, "acme", value, true) },
			func(ctx context.Context) error { return m.Clone(ctx, value, "copy", true) },
			func(ctx context.Context) error { return m.Drop(ctx, "copy", false) },
			func(ctx context.Context) error { return m.Rename(ctx, value, "renamed") },
			func(ctx context.Context) error { return m.Rename(ctx, "renamed", value) },
			func(ctx context.Context) error { return m.Drop(ctx, value, false) },
		}
		for i, step := range steps {
			if err := step(t.Context()); right != (err == nil) {
				t.Errorf("%q, step %d: %v", value, i, err)
			}
		}
		if after := state(); after != before {
			t.Fatalf("%q: %s", value, after)
		}
	}
}
