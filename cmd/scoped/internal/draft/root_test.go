package draft_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/draft"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

func TestParseRoot(t *testing.T) {
	for text, want := range map[string]draft.Root{
		"site":                    {Table: "site"},
		"Site Two=site":           {Table: "Site Two", Dimension: "site"},
		"app.site":                {Schema: "app", Table: "site"},
		"app.site=tenant":         {Schema: "app", Table: "site", Dimension: "tenant"},
		`"a.b"."c=""d"`:           {Schema: "a.b", Table: `c="d`},
		`app."Größe"=größe`:       {Schema: "app", Table: "Größe", Dimension: "größe"},
		"":                        {},
		"=site":                   {},
		"site=":                   {},
		"a.b.c":                   {},
		`"open`:                   {},
		`""`:                      {},
		"site=user=tenant":        {},
		`"site"x`:                 {},
		"post_id -> post . x = 1": {Schema: "post_id -> post ", Table: " x ", Dimension: " 1"},
	} {
		got, err := draft.ParseRoot(text)
		if got != want || (err != nil) != (want == draft.Root{}) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

func TestRootFaults(t *testing.T) {
	db, _ := read(t, pgtest.DSN(t, file(t, "testdata/shapes.sql"), `
		CREATE TABLE amount (id numeric PRIMARY KEY);
		CREATE TABLE "where" (id bigint PRIMARY KEY);
		CREATE TABLE "Two Words" (id bigint PRIMARY KEY);
		CREATE TABLE "Org" (id bigint);`))
	for _, test := range []struct {
		roots []string
		fault string
	}{
		{nil, "no root is named"},
		{[]string{"company"}, "there is no table company in the schema public; scoped init without --root lists candidates"},
		{[]string{"ORG"}, "did you mean --root Org or --root org?"},
		{[]string{"invoice"}, "did you mean --root app.invoice?"},
		{[]string{"nowhere.org"}, "in the schema nowhere; did you mean --root Org or --root org?"},
		{[]string{"org", "org=other"}, "org is the root of org already"},
		{[]string{"org", "member=org"}, "two roots for the dimension org"},
		{[]string{"numbered"}, "cannot be a root"},
		{[]string{"amount"}, "cannot be a root"},
		{[]string{"view_of_key"}, "cannot be a root"},
		{[]string{"where"}, `"where" cannot be a dimension's name; name the dimension behind the table, such as --root where=tenant`},
		{[]string{"Two Words"}, `such as --root 'Two Words=tenant'`},
		{[]string{"org=Org"}, `"Org" cannot be a dimension's name`},
	} {
		_, err := db.Policy(roots(t, test.roots...))
		if err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%v: %v, want %s", test.roots, err, test.fault)
		}
	}
}

func TestCandidates(t *testing.T) {
	for _, test := range []struct {
		schema string
		want   string
	}{
		{"../../../../examples/blog/schema.sql", `
--root site 3 tables refer to it, 1 directly; it is named as tenants are
--root account 1 table refers to it; it is named as tenants are
--root country 4 tables refer to it, 1 directly
--root post 2 tables refer to it, 2 directly
`},
		{"testdata/hostile.sql", `
--root no 14 tables refer to it, 1 directly
--root null 13 tables refer to it, 1 directly
--root true 12 tables refer to it, 1 directly
--root 123=tenant 11 tables refer to it, 1 directly
--root '# comment=tenant' 10 tables refer to it, 1 directly
--root '""""=tenant' 9 tables refer to it, 1 directly
--root 'it'\''s=tenant' 8 tables refer to it, 1 directly
--root 'Order Line=tenant' 7 tables refer to it, 1 directly
--root 'order line=tenant' 6 tables refer to it, 1 directly
`},
	} {
		db, _ := read(t, pgtest.DSN(t, file(t, test.schema)))
		var got strings.Builder
		for i, c := range db.Candidates() {
			if i < strings.Count(test.want, "\n")-1 {
				fmt.Fprintf(&got, "%s %s\n", c.Flag(), c)
			}
			if _, err := db.Policy(roots(t, c.Root+"=tenant")); err != nil {
				t.Errorf("%s: %v", c.Root, err)
			}
		}
		if got.String() != test.want[1:] {
			t.Errorf("%s:\n%s", test.schema, &got)
		}
	}
}

// TestManyTables has 1,000 tables in layers, each of which refers to two of the
// layer above it, and finds the same policy twice.
func TestManyTables(t *testing.T) {
	const layers, breadth = 20, 50
	var ddl strings.Builder
	ddl.WriteString("CREATE TABLE site (id bigint PRIMARY KEY);\n")
	for layer := range layers {
		for i := range breadth {
			fmt.Fprintf(&ddl, "CREATE TABLE t_%d_%d (id bigint PRIMARY KEY", layer, i)
			if layer == 0 {
				ddl.WriteString(", site_id bigint NOT NULL REFERENCES site")
			} else {
				fmt.Fprintf(&ddl, ", a bigint NOT NULL REFERENCES t_%d_%d, b bigint REFERENCES t_%d_%d", layer-1, i, layer-1, (i+1)%breadth)
			}
			ddl.WriteString(");\n")
		}
	}
	dsn := pgtest.DSN(t, ddl.String())
	start := time.Now()
	var texts [2]string
	for i := range texts {
		db, _ := read(t, dsn)
		var err error
		if texts[i], err = db.Policy(roots(t, "site")); err != nil {
			t.Fatal(err)
		}
		if candidates := db.Candidates(); candidates[0].All != layers*breadth {
			t.Errorf("%s", candidates[0])
		}
	}
	t.Logf("%.2f s each", time.Since(start).Seconds()/2)
	if texts[0] != texts[1] {
		t.Error("two policies of the same database differ")
	}
	p, err := policy.Parse("policy.yaml", []byte(texts[0]))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Tables()); n != 1+layers*breadth {
		t.Errorf("%d tables", n)
	}
	if !strings.Contains(texts[0], "t_19_7:  {site: a -> t_18_7, references: {b: t_18_8}}") {
		t.Errorf("t_19_7 is not as it should be in\n%s", texts[0])
	}
}
