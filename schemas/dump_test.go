package schemas_test

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/schemas"
)

func dump(t *testing.T, m *schemas.Manager, value string) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	if err := m.Dump(t.Context(), value, &b); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func load(t *testing.T, m *schemas.Manager, value string, file *bytes.Reader) error {
	t.Helper()
	return m.Load(t.Context(), value, file, file.Size())
}

// contents returns every row of a schema's tables and views, and its sequences.
func contents(t *testing.T, conn *pgx.Conn, schema string) string {
	t.Helper()
	exec(t, conn, "SET search_path = "+pgx.Identifier{schema}.Sanitize()+", public")
	defer exec(t, conn, "RESET search_path")
	rows, err := conn.Query(t.Context(), `SELECT format(CASE relkind WHEN 'S' THEN 'SELECT %L, last_value, is_called FROM %1$I' ELSE 'SELECT %L, r::text FROM %1$I AS r ORDER BY 2' END, relname) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND relispopulated ORDER BY 1`,
		pgx.Identifier{schema}.Sanitize())
	if err != nil {
		t.Fatal(err)
	}
	queries, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, query := range queries {
		results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range results[0].Rows {
			b.Write(append(bytes.Join(row, []byte(" ")), '\n'))
		}
	}
	return b.String()
}

// TestDump loads a schema of every kind of object, with rows, as that of another
// value.
func TestDump(t *testing.T) {
	conn, m := copied(t)
	exec(t, conn, `SET search_path = t_acme, public;
		INSERT INTO account (name) VALUES ('a'), (E'tab\tand\\backslash\nline');
		INSERT INTO customer (code) VALUES ('X'), ('Y');
		INSERT INTO invoice (customer_id, total) VALUES (100, 5), (100, 6);
		INSERT INTO event (id, at, kind) VALUES (1, '2021-01-01', 'a');
		CREATE TABLE number (double float8, reference regclass, bytes bytea, "odd ""name" text[], twice float8 GENERATED ALWAYS AS (double * 2) STORED);
		INSERT INTO number VALUES (1/3::float8, 'invoice', '\xff00', ARRAY[NULL, '', '}']), ('NaN', NULL, NULL, NULL);
		INSERT INTO empty SELECT FROM generate_series(1, 3);
		CREATE SEQUENCE untouched; CREATE SEQUENCE down INCREMENT -3 MAXVALUE 9 START 7; SELECT nextval('down'), nextval('down');
		REFRESH MATERIALIZED VIEW counts;
		RESET search_path`)
	record := schemas.RecordOf(m.Dimension())
	if err := record.Create(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := record.Done(t.Context(), conn, "t_acme", schemas.Migration{Name: "1.sql", Checksum: "x"}); err != nil {
		t.Fatal(err)
	}
	file := dump(t, m, "acme")
	const value = `x"; DROP SCHEMA public --`
	const schema = "t_" + value
	if err := load(t, m, value, file); err != nil {
		t.Fatal(err)
	}
	for _, difference := range read(t, m, "t_acme").Diff(read(t, m, schema)) {
		t.Error(show(difference))
	}
	if got, want := contents(t, conn, schema), contents(t, conn, "t_acme"); got != want || !strings.Contains(want, "0.3333333333333333") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	var next int
	var reference string
	if err := conn.QueryRow(t.Context(), `SELECT nextval($1::text::regclass), (SELECT reference::oid::regclass::text FROM `+pgx.Identifier{schema, "number"}.Sanitize()+` LIMIT 1)`,
		pgx.Identifier{schema, "down"}.Sanitize()).Scan(&next, &reference); err != nil || next != 1 || !strings.Contains(reference, "DROP SCHEMA") {
		t.Errorf("the sequence goes on with %d, the reference is to %s, %v", next, reference, err)
	}
	if applied, err := record.Applied(t.Context(), conn, schema); err != nil || len(applied) != 1 || applied[0].Name != "1.sql" {
		t.Errorf("the record has %v, %v", applied, err)
	}

	// Into another database, which lacks what the schema refers to, then has it.
	other := connect(t, pgtest.DSN(t))
	n := manager(t, other, "tenant")
	if err := load(t, n, "acme", file); err == nil {
		t.Error("the schema is loaded without what it refers to")
	}
	if list, err := n.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("a failed load leaves %v, %v", list, err)
	}
	exec(t, other, sharedSQL+`; INSERT INTO account (name) VALUES ('a'), ('b')`)
	if err := load(t, n, "acme", file); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, other, "t_acme"), contents(t, conn, "t_acme"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if list, err := n.List(t.Context()); err != nil || len(list) != 1 || !list[0].Registered {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestDumpRefused(t *testing.T) {
	conn, m := copied(t)
	file := dump(t, m, "acme")
	for value, want := range map[string]string{
		"_template": "is the template",
		"acme":      "exists",
		"":          "empty",
	} {
		if err := load(t, m, value, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("loading as %q: %v", value, err)
		}
	}
	for _, value := range []string{"_template", "nobody"} {
		var b bytes.Buffer
		if err := m.Dump(t.Context(), value, &b); err == nil {
			t.Errorf("%q is dumped", value)
		}
	}
	if err := load(t, m, "globex", bytes.NewReader([]byte("no zip"))); err == nil || !strings.Contains(err.Error(), "no dump") {
		t.Error(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	head, err := w.Create("schema.json")
	if err == nil {
		_, err = head.Write([]byte(`{"Format": 2}`))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if err := load(t, m, "globex", bytes.NewReader(b.Bytes())); err == nil || !strings.Contains(err.Error(), "its format is 2") {
		t.Error(err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	inside, err := schemas.New(tx, m.Dimension())
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Dump(t.Context(), "acme", &b); err == nil || !strings.Contains(err.Error(), "of its own") {
		t.Error(err)
	}
}

// whenWritten calls a function when the first bytes are written.
type whenWritten struct {
	bytes.Buffer
	do func()
}

func (w *whenWritten) Write(p []byte) (int, error) {
	if w.Len() == 0 {
		w.do()
	}
	return w.Buffer.Write(p)
}

// TestDumpSnapshot shows that a dump is of one time, and is refused where a migration
// came between.
func TestDumpSnapshot(t *testing.T) {
	dsn := pgtest.DSN(t, `CREATE SCHEMA t__template; CREATE TABLE t__template.a (text text); CREATE TABLE t__template.b (text text)`)
	m, other := manager(t, connect(t, dsn), "tenant"), connect(t, dsn)
	if err := m.Create(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	// What cannot be compressed, so that it is written before the next table is read.
	exec(t, other, `INSERT INTO t_acme.a SELECT md5(i::text) FROM generate_series(1, 20000) AS i`)
	w := whenWritten{do: func() { exec(t, other, `INSERT INTO t_acme.b VALUES ('later')`) }}
	if err := m.Dump(t.Context(), "acme", &w); err != nil {
		t.Fatal(err)
	}
	if err := load(t, m, "globex", bytes.NewReader(w.Bytes())); err != nil {
		t.Fatal(err)
	}
	var a, b int
	err := other.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM t_globex.a), (SELECT count(*) FROM t_globex.b)").Scan(&a, &b)
	if err != nil || a != 20000 || b != 0 {
		t.Errorf("%d and %d rows, %v", a, b, err)
	}

	record := schemas.RecordOf(m.Dimension())
	if err := record.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w = whenWritten{do: func() {
		if err := record.Done(t.Context(), other, "t_acme", schemas.Migration{Name: "1.sql"}); err != nil {
			t.Error(err)
		}
	}}
	if err := m.Dump(t.Context(), "acme", &w); err == nil || !strings.Contains(err.Error(), "migrated meanwhile") {
		t.Errorf("got %v", err)
	}
}
