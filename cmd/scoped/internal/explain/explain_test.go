package explain_test

import (
	"bufio"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/explain"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

const source = `version: 1
dimensions:
  site: {type: bigint}
search_path: [app]
functions: {allow: [noted]}
tables:
  post:
    site: site_id
    where: deleted_at IS NULL
  comment: {site: post_id -> post}
  tag:
    site: {column: site_id, null: visible}
    references: {post_id: post}
  country: shared
  reply: {site: comment_id -> comment}
`

// In the database every row of another site makes body::int fail.
const schema = `
CREATE SCHEMA app;
SET search_path TO app;
CREATE TABLE post (id bigint PRIMARY KEY, site_id bigint, deleted_at date, body text);
CREATE INDEX ON post (site_id, body);
CREATE INDEX ON post (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE comment (id bigint PRIMARY KEY, post_id bigint, body text);
CREATE TABLE tag (site_id bigint, post_id bigint);
CREATE TABLE country (id bigint);
CREATE TABLE reply (comment_id bigint);
CREATE FUNCTION noted() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO country VALUES (1) RETURNING 1';
INSERT INTO post SELECT i, i % 50, NULL, CASE i % 50 WHEN 1 THEN '7' ELSE 'secret' END FROM generate_series(1, 5000) AS i;
INSERT INTO comment SELECT i, i, CASE i % 50 WHEN 1 THEN '7' ELSE 'secret' END FROM generate_series(1, 5000) AS i;
ANALYZE post, comment;
`

func report(t *testing.T, sql string, options ...string) *explain.Report {
	t.Helper()
	return reportUnder(t, source, sql, options...)
}

func reportUnder(t *testing.T, source, sql string, options ...string) *explain.Report {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	s, err := scope.New(p, options)
	if err != nil {
		t.Fatal(err)
	}
	r, err := explain.New(s, "policy.yaml", []byte(source), sql)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLines shows from which lines of the policy guards come.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		sql   string
		scope string
		want  []int // of the first table
		note  string
	}{
		{"SELECT 1 FROM post", "site=1", []int{7, 8, 9}, ""},
		{"SELECT 1 FROM comment", "site=1", []int{10, 7, 8, 9}, ""},
		{"SELECT 1 FROM tag", "site=1,2", []int{11, 12}, ""},
		{"INSERT INTO tag (post_id) VALUES (1)", "site=1", []int{11, 12, 13, 7, 8, 9}, ""},
		{"UPDATE tag SET site_id = site_id", "site=1", []int{11, 12}, ""},
		{"SELECT 1 FROM tag", "site=*", []int{11}, `the scope is unrestricted on "site"`},
		{"SELECT 1 FROM post", "site=*", []int{7, 9}, ""},
		{"SELECT 1 FROM country", "site=1", []int{14}, "it is shared"},
		{"SELECT 1 FROM pg_class", "site=1", nil, "it is PostgreSQL's own"},
	} {
		r := report(t, c.sql, c.scope)
		if r.Error != nil {
			t.Fatalf("%s: %+v", c.sql, r.Error)
		}
		var got []int
		for _, line := range r.Tables[0].Lines {
			got = append(got, line.Number)
		}
		if !slices.Equal(got, c.want) || r.Tables[0].Note != c.note {
			t.Errorf("%s under %s: lines %d %q, want %d %q", c.sql, c.scope, got, r.Tables[0].Note, c.want, c.note)
		}
	}
}

// TestLineBreaks shows the same lines whatever breaks them in the file.
func TestLineBreaks(t *testing.T) {
	want := report(t, "SELECT 1 FROM comment", "site=1").Tables[0].Lines
	for _, lineBreak := range []string{"\r\n", "\r"} {
		r := reportUnder(t, strings.ReplaceAll(source, "\n", lineBreak), "SELECT 1 FROM comment", "site=1")
		if got := r.Tables[0].Lines; !slices.Equal(got, want) {
			t.Errorf("with %q: %v, want %v", lineBreak, got, want)
		}
	}
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t, schema))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// TestPlan shows which lines of a plan are marked, and which not.
func TestPlan(t *testing.T) {
	conn := connect(t)
	for _, c := range []struct {
		sql, scope string
		guards     []string // what marked lines contain
		own        []string // what other lines contain
		indexes    string
	}{
		{"SELECT id FROM post WHERE body = $1", "site=1",
			[]string{"post.site_id = $2"}, []string{" on app.post"}, "app.post(site_id): post_site_id_body_idx\n"},
		{"SELECT id FROM post WHERE id = $1", "site=1,2",
			[]string{"post.site_id = ANY ($2)", "post.deleted_at IS NULL"}, []string{"post.id = $1"}, "app.post(site_id): post_site_id_body_idx\n"},
		{"SELECT id FROM post WHERE id = $1", "site=*",
			[]string{"post.deleted_at IS NULL"}, []string{"post.id = $1"}, ""},
		{"SELECT c.id FROM comment AS c WHERE c.id = 5", "site=1",
			[]string{"app.post scoped_1", "scoped_1.site_id = $1"}, []string{"app.comment c", "c.id = 5"},
			"app.comment(post_id): \napp.post(id): post_pkey\napp.post(site_id): post_site_id_body_idx\n"},
		{"UPDATE comment SET body = 'x' WHERE id = 5 AND body::int = 7", "site=1",
			[]string{"SubPlan 1", "scoped_2.site_id = $1"}, []string{"comment.id = 5"},
			"app.comment(post_id): \napp.post(id): post_pkey\napp.post(site_id): post_site_id_body_idx\n"},
		{"INSERT INTO comment (post_id) VALUES (3)", "site=1",
			[]string{"SubPlan 1", "app.post scoped_"}, []string{"Insert on app.comment", "Result"}, "app.post(id): post_pkey\n"},
		{"INSERT INTO reply (comment_id) VALUES (3)", "site=1",
			[]string{"Nested Loop", "app.comment scoped_", "app.post scoped_"}, []string{"Insert on app.reply", "Result"},
			"app.comment(id): comment_pkey\napp.post(id): post_pkey\n"},
		{"DECLARE c CURSOR FOR SELECT id FROM post WHERE body = 'x'", "site=1",
			[]string{"post.site_id = '1'::bigint"}, []string{" on app.post"}, "app.post(site_id): post_site_id_body_idx\n"},
		// PostgreSQL 15 calls the subqueries $0 and $1.
		{"SELECT c.id FROM post, country AS c WHERE c.id = (SELECT min(id) FROM country) OR c.id = (SELECT max(id) FROM country)", "site=1",
			[]string{"post.site_id = $1"}, []string{"(c.id = "}, "app.post(site_id): post_site_id_body_idx\n"},
		{"SELECT id FROM country", "site=1", nil, []string{"Seq Scan on app.country"}, ""},
		{"BEGIN", "site=1", nil, []string{"Utility statements have no plan structure"}, ""},
	} {
		r := report(t, c.sql, c.scope)
		if err := r.Ask(t.Context(), conn, nil, false); err != nil || r.Error != nil {
			t.Fatalf("%s: %v, %+v", c.sql, err, r.Error)
		}
		shown := show(t, r)
		for _, guard := range []bool{true, false} {
			wanted := c.own
			if guard {
				wanted = c.guards
			}
			for _, want := range wanted {
				if !slices.ContainsFunc(r.Plan, func(l explain.PlanLine) bool { return l.Guard == guard && strings.Contains(l.Text, want) }) {
					t.Errorf("%s: no line with %q and guard %v:\n%s", c.sql, want, guard, shown)
				}
			}
		}
		if marked := slices.ContainsFunc(r.Plan, func(l explain.PlanLine) bool { return l.Guard }); marked != (len(c.guards) > 0) {
			t.Errorf("%s: lines are marked: %v\n%s", c.sql, marked, shown)
		}
		for _, line := range r.PlanWithout {
			if strings.Contains(line, "site_id =") || strings.Contains(line, "scoped_") {
				t.Errorf("%s: the plan without guards has one: %s", c.sql, line)
			}
		}
		indexes := ""
		for _, table := range r.Tables {
			for _, i := range table.Indexes {
				indexes += i.Table + "(" + i.Column + "): " + strings.Join(i.Indexes, ", ") + "\n"
			}
		}
		if indexes != c.indexes {
			t.Errorf("%s: indexes\n%swant\n%s", c.sql, indexes, c.indexes)
		}
	}
	r := report(t, "SELECT id FROM post WHERE body = $1", "site=1")
	if err := r.Ask(t.Context(), conn, nil, false); err != nil {
		t.Fatal(err)
	}
	if want := "app.post (site_id): post_site_id_body_idx (in the plan)\n"; !strings.Contains(show(t, r), want) {
		t.Errorf("%q is not in\n%s", want, show(t, r))
	}
}

// TestPlanInSchema shows the plans of what lies in the schema of the scope's value.
func TestPlanInSchema(t *testing.T) {
	const dir = "../../../../testdata/rewrite/schemas/"
	var texts [2]string
	for i, name := range []string{"policy.yaml", "schema.sql"} {
		data, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(data)
	}
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t, texts[1], `CREATE INDEX only_there ON "t_O'Neil".invoice_line (site_id)`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	for _, c := range []struct {
		scopes []string
		sql    string
		want   []string
	}{
		{[]string{"tenant=O'Neil", "site=1"}, "SELECT i.status = 'open'::invoice_status, next_number() FROM invoice i JOIN line_note USING (id) JOIN country ON true",
			[]string{`on "t_O'Neil".invoice i`, `plan without guards`, "t_O'Neil.invoice_line (site_id): only_there", "t_O'Neil.invoice_line (id): invoice_line_pkey"}},
		{[]string{"tenant=acme", "site=1"}, "SELECT id FROM invoice_line", []string{"on t_acme.invoice_line", "t_acme.invoice_line (site_id): none begins with it"}},
		{nil, "SELECT id FROM invoice WHERE false", []string{"One-Time Filter: false"}},
	} {
		r := reportUnder(t, texts[0], c.sql, c.scopes...)
		if err := r.Ask(t.Context(), conn, nil, false); err != nil || r.Error != nil {
			t.Fatalf("%s: %v, %+v", c.sql, err, r.Error)
		}
		for _, want := range c.want {
			if text := show(t, r); !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

func show(t *testing.T, r *explain.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&terminal.Printer{Writer: bufio.NewWriter(&b)}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAnalyze shows that what is sent is run, and neither the statement without
// guards, which would fail, nor anything that writes.
func TestAnalyze(t *testing.T) {
	conn := connect(t)
	r := report(t, "SELECT id FROM comment WHERE body::int = $1", "site=1")
	if err := r.Ask(t.Context(), conn, []string{"7"}, true); err != nil || r.Error != nil {
		t.Fatal(err, r.Error)
	}
	if text := show(t, r); !strings.Contains(text, "actual") || !strings.Contains(text, "rows=100") {
		t.Errorf("it did not run, or not in its scope:\n%s", text)
	}
	if slices.ContainsFunc(r.PlanWithout, func(line string) bool { return strings.Contains(line, "actual") }) {
		t.Error("the statement without guards was run")
	}

	for sql, want := range map[string]string{
		"UPDATE post SET body = ''":                  "writes to app.post",
		"INSERT INTO country VALUES (1)":             "writes to app.country",
		"WITH d AS (DELETE FROM tag) SELECT 1":       "writes to app.tag",
		"SELECT id FROM post WHERE id = $1":          "up to $1",
		"SELECT id FROM post WHERE id IN ($1, $2)":   "up to $2",
		"EXPLAIN ANALYZE DELETE FROM post":           "writes to app.post",
		"SELECT 1 FROM post; UPDATE post SET id = 1": "",
	} {
		r := report(t, sql, "site=1")
		err := r.Ask(t.Context(), conn, nil, true)
		if want == "" && r.Error == nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// What writes all the same is the server's to refuse.
	for _, sql := range []string{"SELECT noted()", "SELECT id FROM post FOR UPDATE"} {
		r := report(t, sql, "site=1")
		if err := r.Ask(t.Context(), conn, nil, true); err != nil || r.Error == nil || r.Error.Code != "25006" {
			t.Errorf("%s: %v, %+v", sql, err, r.Error)
		}
	}
	cursor := report(t, "DECLARE c CURSOR FOR SELECT id FROM comment WHERE id = $1", "site=1")
	if err := cursor.Ask(t.Context(), conn, nil, false); err == nil || !strings.Contains(err.Error(), "$1") {
		t.Error(err)
	}
	if err := cursor.Ask(t.Context(), conn, []string{"3"}, false); err != nil || !strings.Contains(show(t, cursor), "comment.id = '3'::bigint") {
		t.Error(err, show(t, cursor))
	}
	if err := report(t, "SELECT $1").Ask(t.Context(), conn, []string{"1", "2"}, false); err == nil {
		t.Error("more values than parameters are accepted")
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM app.country").Scan(&n); err != nil || n > 0 {
		t.Error(n, err)
	}
}

// TestServerRefuses shows that the server's errors point to the user's own text.
func TestServerRefuses(t *testing.T) {
	conn := connect(t)
	for sql, want := range map[string]string{
		"SELECT id\nFROM post WHERE nosuch = 1":             "refused: 42703, line 2, column 17\n",
		"SELECT id FROM comment WHERE id = 'é' OR post = 2": "refused: 22P02, line 1, column 35\n",
		"SELECT id FROM post WHERE nosuch(id)":              "refused: function",
	} {
		r := report(t, sql, "site=1")
		if err := r.Ask(t.Context(), conn, nil, false); err != nil || r.Plan != nil {
			t.Fatal(err, r.Plan)
		}
		if got := show(t, r); !strings.HasPrefix(got, want) || !strings.Contains(got, "^\n") {
			t.Errorf("%s:\n%s", sql, got)
		}
	}
}
