package draft_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// grown is the blog after a year.
const grown = `
CREATE TABLE tag (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES site);
CREATE TABLE post_tag (post_id bigint REFERENCES post, tag_id bigint REFERENCES tag, PRIMARY KEY (post_id, tag_id));
CREATE TABLE attachment (id bigint PRIMARY KEY, comment_id bigint NOT NULL REFERENCES comment);
CREATE TABLE reader (id bigint PRIMARY KEY, user_id bigint NOT NULL);
CREATE TABLE banner (id bigint PRIMARY KEY, secret_id bigint NOT NULL);
CREATE TABLE log_2027 (line text);
CREATE TABLE visit (id bigint NOT NULL, site_id bigint NOT NULL REFERENCES site, n int) PARTITION BY LIST (n);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES IN (1);
CREATE TABLE visit_2 PARTITION OF visit FOR VALUES IN (2);
CREATE TABLE secret (id bigint PRIMARY KEY);
ALTER TABLE banner ADD FOREIGN KEY (secret_id) REFERENCES secret;
CREATE VIEW tags AS SELECT site_id, count(*) FROM tag GROUP BY site_id;
`

const edited = `# Ours. Do not touch.
version: 1
search_path: [public]   # as the servers have it
dimensions: {user: {type: bigint}, site: {type: bigint}}
"tables": # one line each
      # sites see themselves
      site:    {site: id}
      post:    {site: site_id, where: "slug <> ''"}   # tables:
      comment:
            site: post_id ->   post
      bookmark:   {site: post_id -> post, user: user_id}
      account: {user: id}
      old: {site: site_id}
      country: shared
      secret: denied
      "log_*": {site: site_id}

      visit: {site: {column: site_id, null: read}, where: {condition: n > 0, check: false}}
      visit_1: denied
functions:
  allow: [tables]
`

func TestUpdate(t *testing.T) {
	db, _ := read(t, pgtest.DSN(t, file(t, "../../../../examples/blog/schema.sql"), grown))
	for _, test := range []struct{ name, text string }{
		{"lines", edited},
		{"carriage returns", strings.ReplaceAll(edited, "\n", "\r\n")},
		{"old carriage returns", strings.ReplaceAll(edited, "\n", "\r")},
		{"byte order mark", "\ufeff" + edited},
		{"document", "---\n" + edited + "...\n"},
		{"no last newline", strings.TrimSuffix(edited, "\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, err := db.Update("policy.yaml", test.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.name == "lines" {
				compare(t, "testdata/update.yaml", u.Text)
			}
			// What was added is one piece, without which the text is what it was.
			start := strings.Index(u.Text, "      # Added by")
			length := len(u.Text) - len(test.text)
			if start < 0 || u.Text[:start]+u.Text[start+length:] != test.text {
				t.Fatalf("the text is not what it was:\n%s", u.Text)
			}
			if strings.Contains(test.text, "\r") && strings.Contains(strings.ReplaceAll(u.Text[start:start+length], "\r\n", ""), "\n") {
				t.Errorf("the lines that were added end otherwise:\n%q", u.Text[start:start+length])
			}
			p, err := policy.Parse("policy.yaml", []byte(u.Text))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range u.Added {
				if p.Table("", name) == nil {
					t.Errorf("%s is not in the policy", name)
				}
			}
			if got := strings.Join(u.Added, " "); got != "reader tag visit_2 attachment post_tag tags banner" {
				t.Errorf("added %s", got)
			}
			if len(u.Vanished) != 1 || u.Vanished[0].Table != "old" {
				t.Errorf("vanished: %v", u.Vanished)
			}
			again, err := db.Update("policy.yaml", u.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if again.Text != u.Text || len(again.Added) != 0 {
				t.Errorf("a second update changes something:\n%s", again.Text)
			}
		})
	}
}

// TestUpdateSchemas updates policies whose values choose schemas: the tables of the
// template are added, and those of the values, which are the same, are not.
func TestUpdateSchemas(t *testing.T) {
	const dir = "../../../../testdata/rewrite/schemas/"
	dsn := pgtest.DSN(t, file(t, dir+"schema.sql"), `
		CREATE TABLE t__template.payment (id bigint PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES t__template.invoice);
		CREATE TABLE t_acme.payment (id bigint PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES t_acme.invoice);
		CREATE TABLE t__template.visit (n int) PARTITION BY LIST (n);
		CREATE TABLE t__template.visit_1 PARTITION OF t__template.visit FOR VALUES IN (1);
		CREATE VIEW t__template.paid AS SELECT i.id, country FROM t__template.invoice i JOIN t__template.payment ON invoice_id = i.id;
		CREATE VIEW paid AS SELECT id FROM t_acme.payment;
		CREATE TABLE contract (id bigint PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant);
		CREATE TABLE astray (id bigint PRIMARY KEY, line_id bigint NOT NULL REFERENCES t__template.invoice_line);`)
	for _, test := range []struct{ name, text string }{
		{"update_schemas", file(t, dir+"policy.yaml")},
		{"update_schemas_alone", `version: 1
dimensions: {tenant: {schema: "t_{value}", template: t__template, registry: tenant}}
tables:
  tenant: {tenant: id}
  invoice: {tenant: schema}
  paid_invoice: {tenant: schema, view: true}
  t__template.secret: denied
  gone: {tenant: schema}
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			given, err := policy.Parse("policy.yaml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			db, err := draft.Read(t.Context(), conn, given)
			if err != nil {
				t.Fatal(err)
			}
			u, err := db.Update("policy.yaml", test.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "testdata/"+test.name+".yaml", u.Text)
			if gone := len(u.Vanished) == 1 && u.Vanished[0].Table == "gone"; gone != strings.Contains(test.text, "gone") {
				t.Errorf("vanished: %v", u.Vanished)
			}
			again, err := db.Update("policy.yaml", u.Text, nil)
			if err != nil || again.Text != u.Text {
				t.Errorf("a second update changes something: %v\n%s", err, again.Text)
			}
		})
	}
}

// TestUpdateFollowsThePolicy shows what follows from the entries that are there.
func TestUpdateFollowsThePolicy(t *testing.T) {
	db, _ := read(t, pgtest.DSN(t, file(t, "../../../../examples/blog/schema.sql"), `
		CREATE TABLE tag (id bigint PRIMARY KEY, of bigint NOT NULL REFERENCES site);
		CREATE TABLE mail (id bigint PRIMARY KEY, "from" bigint NOT NULL REFERENCES account);
		CREATE TABLE post_vote (id bigint PRIMARY KEY, post_id bigint NOT NULL REFERENCES post, user_id bigint REFERENCES account);`))
	const head = "version: 1\ndimensions: {site: {type: bigint}, user: {type: bigint, optional: true}}\ntables:\n" +
		"  country: shared\n  comment: denied\n  account: shared\n"
	for _, test := range []struct{ name, tables, want string }{
		{
			"a root that is shared", "  site: shared\n  post: {site: site_id}\n  bookmark: {site: post_id -> post, user: user_id}\n",
			`
tag: {site: of}
mail: denied
post_vote: {site: post_id -> post, user: user_id}`,
		},
		{
			"a table that only a pattern lists", "  site: {site: id}\n  '*st': {site: site_id}\n  bookmark: denied\n",
			`
tag: {site: of}
mail: denied
post_vote: denied`,
		},
		{
			"a table that is denied", "  site: {site: id}\n  post: denied\n  bookmark: denied\n",
			`
tag: {site: of}
mail: denied
post_vote: denied`,
		},
	} {
		u, err := db.Update("policy.yaml", head+test.tables, nil)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for _, entry := range strings.Split(test.want[1:], "\n") {
			name, value, _ := strings.Cut(entry, ": ")
			found := false
			for line := range strings.Lines(u.Text) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
				key, has, _ := strings.Cut(line, ":")
				found = found || key == name && strings.TrimSpace(has) == value
			}
			if !found {
				t.Errorf("%s: no %s in\n%s", test.name, entry, u.Text)
			}
		}
	}
}

// TestUpdateProposesAgain removes the entries of golden policies one by one, and
// each is proposed as it was.
func TestUpdateProposesAgain(t *testing.T) {
	db, _ := read(t, pgtest.DSN(t, file(t, "testdata/music.sql")))
	text := file(t, "testdata/music.yaml")
	for _, entry := range []string{"Review:", "PlaylistTrack:", "Refund:", "Track:", "RecentInvoice:", "Newsletter:", "Employee:"} {
		var before, line string
		for l := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(l), entry) {
				line = l
				continue
			}
			before += l
		}
		u, err := db.Update("policy.yaml", before, nil)
		if err != nil {
			t.Fatal(err)
		}
		value := func(line string) string {
			value, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), entry)), "  #")
			return strings.TrimSpace(value)
		}
		found := false
		for l := range strings.Lines(u.Text) {
			if strings.HasPrefix(strings.TrimSpace(l), entry) {
				found = value(l) == value(line)
			}
		}
		if !found || len(u.Added) != 1 {
			t.Errorf("%s: added %v:\n%s", strings.TrimSpace(line), u.Added, u.Text)
		}
	}
}

func TestUpdateFaults(t *testing.T) {
	db, _ := read(t, pgtest.DSN(t, file(t, "../../../../examples/blog/schema.sql")))
	for _, test := range []struct {
		text  string
		root  string
		fault string
	}{
		{"version: 1\ndimensions: {site: {type: bigint}}\ntables: {site: {site: id}}\n", "", "without braces"},
		{"version: 1\ndimensions: {site: {type: bigint}}\ntables:\n  {site: {site: id}}\n", "", "without braces"},
		{"{version: 1, dimensions: {site: {type: bigint}}, tables: {site: {site: id}}}\n", "", "without braces"},
		{"version: 1\ndimensions: {site: {type: bigint}}\n", "", "has no tables"},
		{"version: 1\ndimensions: {site: {type: bigint}}\ntables:\n  site: {site: id}\n", "account=user", "no dimension user"},
		{"version: 1\ndimensions: {site: {type: bigint}}\ntables:\n  site: {site: id}\n", "blog=site", "no table blog"},
	} {
		var names []string
		if test.root != "" {
			names = []string{test.root}
		}
		_, err := db.Update("policy.yaml", test.text, roots(t, names...))
		if err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%q: %v, want %s", test.text, err, test.fault)
		}
	}
	_, err := db.Update("policy.yaml", "version: 2\n", nil)
	var mistakes policy.Errors
	if !errors.As(err, &mistakes) {
		t.Errorf("got %v, want the policy's mistakes", err)
	}
}
