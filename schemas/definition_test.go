package schemas_test

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/schemas"
)

//go:embed testdata/shared.sql
var sharedSQL string

//go:embed testdata/template.sql
var templateSQL string

// template18 is what PostgreSQL 18 adds to the template.
const template18 = `SET search_path = t__template, public;
	ALTER TABLE customer ADD COLUMN initial text GENERATED ALWAYS AS (substr("the name", 1, 1)) VIRTUAL;
	ALTER TABLE customer ADD CONSTRAINT later CHECK (code <> 'ZZ') NOT ENFORCED;
	ALTER TABLE customer ADD CONSTRAINT has_colour NOT NULL colour NOT VALID;
	ALTER TABLE invoice ADD COLUMN room int4range, ADD CONSTRAINT lasting UNIQUE (room, during WITHOUT OVERLAPS);
	ALTER TABLE event_note ADD CONSTRAINT dated NOT NULL at NO INHERIT;
	COMMENT ON CONSTRAINT dated ON event_note IS 'always';
	ALTER TABLE event_note ADD FOREIGN KEY (kind) REFERENCES public.tenant NOT ENFORCED;
	RESET search_path`

// copied connects to a database with a template of every kind of object, and the
// schema t_acme made from it.
func copied(t *testing.T) (*pgx.Conn, *schemas.Manager) {
	t.Helper()
	conn := connect(t, pgtest.DSN(t, sharedSQL, templateSQL))
	if text(t, conn, "SELECT (current_setting('server_version_num')::int >= 180000)::text") == "true" {
		exec(t, conn, template18)
	}
	m := manager(t, conn, "tenant")
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	return conn, m
}

func read(t *testing.T, m *schemas.Manager, schema string) *schemas.Definition {
	t.Helper()
	d, err := m.Read(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestCreateThenDiff(t *testing.T) {
	conn, m := copied(t)
	d := read(t, m, "t__template")
	kinds := map[string]bool{}
	for _, o := range d.Objects() {
		kinds[o.Kind] = true
	}
	for _, kind := range strings.Fields("schema type domain sequence function procedure aggregate operator table view constraint index statistics trigger rule policy") {
		if !kinds[kind] {
			t.Errorf("the template has no %s", kind)
		}
	}
	for _, difference := range d.Diff(read(t, m, "t_acme")) {
		t.Error(show(difference))
	}
	if err := m.Create(t.Context(), "acme"); err == nil || !strings.Contains(err.Error(), `the schema "t_acme" of "acme" exists`) {
		t.Error(err)
	}
	// The new schema works, and is one of its own.
	exec(t, conn, `SET search_path = t_acme, public;
		INSERT INTO account (name) VALUES ('a');
		INSERT INTO customer (code) VALUES ('X') RETURNING id;
		INSERT INTO invoice (customer_id, total) VALUES (100, 5);
		INSERT INTO event (id, at, kind) VALUES (1, '2021-01-01', 'a');
		SET search_path = pg_catalog`)
	var number, loud, where string
	var total int
	err := conn.QueryRow(t.Context(), `SELECT number, loud, tableoid::regclass, (SELECT "sum of all" FROM t_acme.totals)::integer FROM t_acme.invoice`).Scan(&number, &loud, &where, &total)
	if err != nil || number != "I5" || loud != "XX" || total != 5 {
		t.Errorf("%q, %q in %s, %d, %v", number, loud, where, total, err)
	}
	var others int
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM t__template.invoice) + (SELECT count(*) FROM t__template.event) + (SELECT last_value FROM t__template.ticket) - 15").Scan(&others); err != nil || others != 0 {
		t.Errorf("the template has changed: %d, %v", others, err)
	}
}

func show(d schemas.Difference) string {
	text := d.Object().String()
	if d.Want != nil {
		text += "\nwant " + d.Want.SQL("S")
	}
	if d.Got != nil {
		text += "\ngot  " + d.Got.SQL("S")
	}
	return text
}

// A change makes t_acme another.
type change struct {
	objects []string // that Diff names
	sql     string
}

// changes are statements that make t_acme another, by the object that Diff names.
var changes = []change{
	{[]string{"schema"}, "COMMENT ON SCHEMA t_acme IS 'other'"},
	{[]string{"schema"}, "REVOKE USAGE ON SCHEMA t_acme FROM scoped_clerk"},
	{[]string{"schema"}, "GRANT USAGE ON SCHEMA t_acme TO PUBLIC"},
	{[]string{"schema"}, "ALTER SCHEMA t_acme OWNER TO scoped_clerk"},
	{[]string{"default privileges tables of postgres"}, "ALTER DEFAULT PRIVILEGES IN SCHEMA t_acme GRANT INSERT ON TABLES TO scoped_clerk"},
	{[]string{"default privileges sequences of postgres"}, "ALTER DEFAULT PRIVILEGES IN SCHEMA t_acme REVOKE USAGE ON SEQUENCES FROM PUBLIC"},
	{[]string{"type status"}, "ALTER TYPE t_acme.status ADD VALUE 'late' BEFORE 'sent'"},
	{[]string{"type status"}, "ALTER TYPE t_acme.status RENAME VALUE 'it''s paid' TO 'paid'"},
	{[]string{"type address"}, "ALTER TYPE t_acme.address ADD ATTRIBUTE country text"},
	{[]string{"type address"}, "COMMENT ON COLUMN t_acme.address.street IS NULL"},
	{[]string{"type period"}, "ALTER TYPE t_acme.period OWNER TO scoped_clerk"},
	{[]string{"domain code"}, "ALTER DOMAIN t_acme.code DROP NOT NULL"},
	{[]string{"domain code"}, "ALTER DOMAIN t_acme.code DROP DEFAULT"},
	{[]string{"domain code"}, "ALTER DOMAIN t_acme.code DROP CONSTRAINT is_code"},
	{[]string{"domain code"}, "COMMENT ON CONSTRAINT is_code ON DOMAIN t_acme.code IS NULL"},
	{[]string{"domain amount"}, "ALTER DOMAIN t_acme.amount VALIDATE CONSTRAINT positive"},
	{[]string{"domain amount"}, "GRANT USAGE ON DOMAIN t_acme.amount TO PUBLIC"},
	{[]string{"sequence ticket"}, "ALTER SEQUENCE t_acme.ticket INCREMENT BY 6"},
	{[]string{"sequence ticket"}, "ALTER SEQUENCE t_acme.ticket NO CYCLE"},
	{[]string{"sequence ticket"}, "ALTER SEQUENCE t_acme.ticket OWNED BY t_acme.invoice.id"},
	{[]string{"sequence ticket"}, "REVOKE USAGE ON SEQUENCE t_acme.ticket FROM scoped_clerk"},
	{[]string{"sequence invoice_id_seq"}, "ALTER SEQUENCE t_acme.invoice_id_seq OWNED BY NONE"},
	{[]string{"sequence customer_id_seq"}, "GRANT USAGE ON SEQUENCE t_acme.customer_id_seq TO scoped_clerk"},
	{[]string{"function next_ticket(prefix text, VARIADIC rest integer[])"}, "ALTER FUNCTION t_acme.next_ticket COST 8"},
	{[]string{"function next_ticket(prefix text, VARIADIC rest integer[])"}, "ALTER FUNCTION t_acme.next_ticket SET search_path = t__template, pg_temp"},
	{[]string{"function next_ticket(prefix text, VARIADIC rest integer[])"}, "GRANT EXECUTE ON FUNCTION t_acme.next_ticket TO PUBLIC"},
	{[]string{"function days(date, date)"}, "CREATE OR REPLACE FUNCTION t_acme.days(date, date) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT 1.0 $$"},
	{[]string{"procedure tidy(INOUT n integer)"}, "DROP PROCEDURE t_acme.tidy"},
	{[]string{"aggregate total(amount)"}, "ALTER AGGREGATE t_acme.total(t_acme.amount) OWNER TO scoped_clerk"},
	{[]string{"aggregate product(integer)"}, "DROP AGGREGATE t_acme.product(integer)"},
	{[]string{"operator <<< (status, status)"}, "ALTER OPERATOR t_acme.<<< (t_acme.status, t_acme.status) SET (RESTRICT = NONE)"},
	{[]string{"operator <<< (status, status)"}, "COMMENT ON OPERATOR t_acme.<<< (t_acme.status, t_acme.status) IS NULL"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ADD COLUMN more text"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer DROP COLUMN born"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN born TYPE timestamp"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN born SET DEFAULT '2020-01-30'"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN born SET NOT NULL"},
	{[]string{"table event_note"}, `ALTER TABLE t_acme.event_note ALTER COLUMN kind TYPE text COLLATE "POSIX"`},
	{[]string{"table customer"}, `ALTER TABLE t_acme.customer ALTER COLUMN "the name" SET STORAGE MAIN`},
	{[]string{"table customer"}, `ALTER TABLE t_acme.customer ALTER COLUMN "the name" SET STATISTICS 8`},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN code SET (n_distinct = 6)"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN id SET GENERATED BY DEFAULT"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer ALTER COLUMN id SET CACHE 6"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer SET (fillfactor = 71)"},
	{[]string{"table customer"}, "ALTER TABLE t_acme.customer RESET (toast.autovacuum_enabled)"},
	{[]string{"table customer", "sequence customer_id_seq"}, "ALTER TABLE t_acme.customer OWNER TO postgres"},
	{[]string{"table customer"}, "REVOKE INSERT ON t_acme.customer FROM scoped_clerk"},
	{[]string{"table customer"}, "REVOKE UPDATE (born) ON t_acme.customer FROM scoped_clerk"},
	{[]string{"table customer"}, "COMMENT ON TABLE t_acme.customer IS NULL"},
	{[]string{"table customer"}, "COMMENT ON COLUMN t_acme.customer.born IS 'when'"},
	{[]string{"table invoice"}, "ALTER TABLE t_acme.invoice ALTER COLUMN number SET DEFAULT t_acme.next_ticket('J')"},
	{[]string{"table invoice"}, "ALTER TABLE t_acme.invoice ALTER COLUMN doubled DROP EXPRESSION"},
	{[]string{"table invoice"}, "ALTER TABLE t_acme.invoice ALTER COLUMN body SET COMPRESSION default"},
	{[]string{"table invoice"}, "ALTER TABLE t_acme.invoice DISABLE ROW LEVEL SECURITY"},
	{[]string{"table invoice"}, "ALTER TABLE t_acme.invoice NO FORCE ROW LEVEL SECURITY"},
	{[]string{"table cache"}, "ALTER TABLE t_acme.cache SET LOGGED"},
	{[]string{"table cache"}, "ALTER TABLE t_acme.cache REPLICA IDENTITY DEFAULT"},
	{[]string{"table event_old", `index "other name" on event_old`, "trigger each_event on event_old", "constraint event_old_pkey on event_old", "constraint event_customer_id_fkey on event_old", "constraint event_id_check on event_old"}, "ALTER TABLE t_acme.event DETACH PARTITION t_acme.event_old"},
	{[]string{"table derived"}, "ALTER TABLE t_acme.derived NO INHERIT public.base"},
	{[]string{"table derived"}, "ALTER TABLE t_acme.derived ALTER COLUMN note SET DEFAULT 'y'"},
	{[]string{"table empty", "rule keep on cache"}, "DROP TABLE t_acme.empty CASCADE"},
	{[]string{"view a_first"}, "DROP VIEW t_acme.a_first"},
	{[]string{"view a_first"}, "CREATE OR REPLACE VIEW t_acme.a_first AS SELECT * FROM t_acme.totals"},
	{[]string{"view totals"}, "ALTER VIEW t_acme.totals RESET (security_barrier)"},
	{[]string{"view totals", "view a_first"}, "ALTER VIEW t_acme.totals RENAME COLUMN customer TO client"},
	{[]string{"view drafts"}, "ALTER VIEW t_acme.drafts ALTER COLUMN status DROP DEFAULT"},
	{[]string{"view drafts"}, "CREATE OR REPLACE VIEW t_acme.drafts WITH (check_option = cascaded) AS SELECT id, number, status::text::t_acme.status AS status FROM t__template.invoice WHERE status = 'draft'"},
	{[]string{"materialized view counts"}, "REFRESH MATERIALIZED VIEW t_acme.counts WITH NO DATA"},
	{[]string{"materialized view counts"}, "ALTER MATERIALIZED VIEW t_acme.counts SET (fillfactor = 81)"},
	{[]string{"constraint customer_pkey on customer"}, "COMMENT ON INDEX t_acme.customer_pkey IS NULL"},
	{[]string{"constraint named on customer"}, "ALTER TABLE t_acme.customer DROP CONSTRAINT named"},
	{[]string{`constraint "customer_the name_code_key" on customer`}, `ALTER TABLE t_acme.customer DROP CONSTRAINT "customer_the name_code_key"`},
	{[]string{`constraint "invoice key" on invoice`}, `ALTER INDEX t_acme."invoice key" SET (fillfactor = 61)`},
	{[]string{`constraint "invoice key" on invoice`}, "ALTER TABLE t_acme.invoice SET WITHOUT CLUSTER"},
	{[]string{"constraint of_customer on invoice"}, "ALTER TABLE t_acme.invoice ALTER CONSTRAINT of_customer DEFERRABLE INITIALLY DEFERRED"},
	{[]string{"constraint of_customer on invoice", "constraint of_parent on invoice"}, "ALTER TABLE t_acme.invoice DISABLE TRIGGER ALL; ALTER TABLE t_acme.invoice ENABLE TRIGGER USER; ALTER TABLE t_acme.invoice DISABLE TRIGGER disabled"},
	{[]string{"constraint of_parent on invoice"}, "ALTER TABLE t_acme.invoice VALIDATE CONSTRAINT of_parent"},
	{[]string{"constraint small on invoice", "constraint little on invoice"}, "ALTER TABLE t_acme.invoice RENAME CONSTRAINT small TO little"},
	{[]string{"constraint apart on invoice"}, "ALTER TABLE t_acme.invoice DROP CONSTRAINT apart"},
	{[]string{"index invoice_number on invoice"}, "DROP INDEX t_acme.invoice_number"},
	{[]string{"index invoice_number on invoice"}, "ALTER INDEX t_acme.invoice_number RESET (fillfactor)"},
	{[]string{"index invoice_loud on invoice"}, "ALTER INDEX t_acme.invoice_loud ALTER COLUMN 1 SET STATISTICS 51"},
	{[]string{"index invoice_identity on invoice"}, "ALTER TABLE t_acme.invoice REPLICA IDENTITY DEFAULT"},
	{[]string{"index extra on invoice"}, "CREATE INDEX extra ON t_acme.invoice (body)"},
	{[]string{`index "other name" on event_old`, "index event_old_at on event_old"}, `ALTER INDEX t_acme."other name" RENAME TO event_old_at`},
	{[]string{"statistics together on invoice"}, "ALTER STATISTICS t_acme.together SET STATISTICS 31"},
	{[]string{"statistics together on invoice"}, "DROP STATISTICS t_acme.together"},
	{[]string{"trigger touch on invoice"}, "DROP TRIGGER touch ON t_acme.invoice"},
	{[]string{"trigger disabled on invoice"}, "ALTER TABLE t_acme.invoice ENABLE TRIGGER disabled"},
	{[]string{"trigger always on customer"}, "ALTER TABLE t_acme.customer ENABLE REPLICA TRIGGER always"},
	{[]string{"trigger each_event on event_old"}, "ALTER TABLE t_acme.event_old ENABLE TRIGGER each_event"},
	{[]string{"trigger instead on totals"}, "COMMENT ON TRIGGER instead ON t_acme.totals IS 'new'"},
	{[]string{"rule keep on cache"}, "DROP RULE keep ON t_acme.cache"},
	{[]string{"rule off on cache"}, "ALTER TABLE t_acme.cache ENABLE RULE off"},
	{[]string{"policy mine on invoice"}, "ALTER POLICY mine ON t_acme.invoice TO scoped_clerk"},
	{[]string{"policy mine on invoice"}, "ALTER POLICY mine ON t_acme.invoice USING (true)"},
	{[]string{"policy strict on invoice"}, "COMMENT ON POLICY strict ON t_acme.invoice IS NULL"},
	{[]string{"foreign table abroad"}, "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE t_acme.abroad () SERVER s"},
	{[]string{"collation german"}, "CREATE COLLATION t_acme.german (provider = icu, locale = 'de')"},
	{[]string{"text search configuration short"}, "CREATE TEXT SEARCH CONFIGURATION t_acme.short (COPY = simple)"},
}

func TestDiffNamesEveryChange(t *testing.T) {
	conn, m := copied(t)
	want := read(t, m, "t__template")
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	m = manager(t, tx, "tenant")
	names := func() (names []string) {
		t.Helper()
		for _, d := range want.Diff(read(t, m, "t_acme")) {
			names = append(names, d.Object().String())
		}
		slices.Sort(names)
		return names
	}
	if got := names(); len(got) > 0 {
		t.Errorf("without a change it names %q", got)
	}

	// One change of each object at a time.
	for left := changes; len(left) > 0; {
		var sql string
		var changed []string
		var next []change
		exec(t, conn, "SAVEPOINT before")
		for _, c := range left {
			if slices.ContainsFunc(c.objects, func(o string) bool { return slices.Contains(changed, o) }) {
				next = append(next, c)
				continue
			}
			exec(t, conn, c.sql)
			sql += c.sql + "\n"
			changed = append(changed, c.objects...)
		}
		slices.Sort(changed)
		if got := names(); !slices.Equal(got, changed) {
			t.Errorf("%s\nit names %q\n   not %q", sql, got, changed)
		}
		exec(t, conn, "ROLLBACK TO before")
		left = next
	}

	// All objects of a kind dropped.
	byKind := map[string][]*schemas.Object{}
	for _, o := range read(t, m, "t_acme").Objects() {
		byKind[o.Kind] = append(byKind[o.Kind], o)
	}
	delete(byKind, "schema")
	delete(byKind, "default privileges")
	for kind, objects := range byKind {
		exec(t, conn, "SAVEPOINT before; SET LOCAL search_path = t_acme, pg_catalog")
		for _, o := range objects {
			drop := "DROP " + kind + " IF EXISTS " + o.Name
			switch {
			case o.Name == "customer_id_seq":
				drop = "ALTER TABLE customer ALTER COLUMN id DROP IDENTITY"
			case o.Name == "cache_n_seq":
				drop = "ALTER TABLE cache ALTER COLUMN n DROP IDENTITY"
			case o.Table == "event_old", strings.HasPrefix(o.Table, "event_new") && o.Name != "own_check" && o.Name != "event_new_only":
				continue // goes with that of the partitioned table
			case kind == "constraint":
				drop = "ALTER TABLE " + o.Table + " DROP CONSTRAINT IF EXISTS " + o.Name
			case kind == "trigger", kind == "rule", kind == "policy":
				drop += " ON " + o.Table
			}
			if !strings.HasSuffix(drop, "IDENTITY") {
				drop += " CASCADE"
			}
			exec(t, conn, drop)
		}
		got := names()
		for _, o := range objects {
			if !slices.Contains(got, o.String()) {
				t.Errorf("%s was dropped, and is not named", o)
			}
		}
		exec(t, conn, "ROLLBACK TO before")
	}
}
