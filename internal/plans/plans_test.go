// Package plans_test compares the plans of rewritten statements with those of
// the same statements with their filters written by hand, as an expert does.
package plans_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A mode is a way in which the server plans a prepared statement: once for all
// values, or each time for those of a site with few rows or of one with many.
type mode struct {
	name      string
	planCache string
	values    map[string]string // of a scope with one value
	lists     map[string]string // of a scope with several
}

var modes = []mode{
	{"generic", "force_generic_plan", map[string]string{"site": "500", "user": "77"}, map[string]string{"site": "'{500,600}'"}},
	{"small", "force_custom_plan", map[string]string{"site": "500", "user": "77"}, map[string]string{"site": "'{500,600}'"}},
	{"large", "force_custom_plan", map[string]string{"site": "1", "user": "77"}, map[string]string{"site": "'{1,2}'"}},
}

// A comparison is a statement as a program has it, and as an expert writes it by
// hand. There $site and $user stand for the values of the scope.
type comparison struct {
	name   string
	scope  string   // its dimensions, one value in each, or =many
	with   string   // the values of the statement's own parameters
	blocks []string // the two statements
	// differs is the known difference, explained in docs/plans.md, or empty.
	differs string
}

// readComparisons reads a file: for each comparison a heading, lines with a key,
// and the two statements.
func readComparisons(t *testing.T, file string) []*comparison {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*comparison
	var c *comparison
	inside := false
	for _, line := range strings.Split(string(data), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = !inside; inside {
				c.blocks = append(c.blocks, "")
			}
		case inside:
			c.blocks[len(c.blocks)-1] += line + "\n"
		case strings.HasPrefix(line, "## "):
			c = &comparison{name: line[3:], scope: "site"}
			all = append(all, c)
		case key == "Scope":
			c.scope = value
		case key == "With":
			c.with = value
		case key == "Differs":
			c.differs = value
		}
	}
	for _, c := range all {
		if len(c.blocks) != 2 {
			t.Fatalf("%s: %s: %d statements", file, c.name, len(c.blocks))
		}
	}
	return all
}

// shape returns the shape of a scope such as "site, user" or "site=many".
func shape(t *testing.T, p *policy.Policy, scope string) (s rewrite.Shape) {
	t.Helper()
	for _, name := range strings.Split(scope, ", ") {
		presence := rewrite.One
		name, many := strings.CutSuffix(name, "=many")
		if many {
			presence = rewrite.Many
		}
		d := p.Dimension(name)
		if d == nil {
			t.Fatalf("scope %q", scope)
		}
		s = s.With(d, presence)
	}
	return s
}

var placeholder = regexp.MustCompile(`\$(site|user)\b`)

// numbered replaces the names of the scope's values by parameters behind the
// statement's own, and returns the dimensions in that order.
func numbered(sql string, params int) (string, []string) {
	var dimensions []string
	sql = placeholder.ReplaceAllStringFunc(sql, func(name string) string {
		i := slices.Index(dimensions, name[1:])
		if i < 0 {
			i = len(dimensions)
			dimensions = append(dimensions, name[1:])
		}
		return fmt.Sprintf("$%d", params+1+i)
	})
	return sql, dimensions
}

// bind gives a statement its values in a mode; those of the scope are bound to
// the parameters behind its own.
func (c *comparison) bind(sql string, m mode, params int, dimensions []string) execution {
	var values, names []string
	if c.with != "" {
		values = append(values, c.with)
	}
	for i, d := range dimensions {
		if strings.Contains(c.scope, d+"=many") {
			values = append(values, m.lists[d])
		} else {
			values = append(values, m.values[d])
		}
		names = append(names, fmt.Sprintf("$%d", params+1+i), "$"+d)
	}
	e := execution{sql: sql, parameters: strings.NewReplacer(names...)}
	if len(values) > 0 {
		e.values = "(" + strings.Join(values, ", ") + ")"
	}
	return e
}

func TestPlans(t *testing.T) {
	data, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	db := load(t)
	read, err := catalog.Read(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	w := rewrite.Rewriter{Policy: p, Catalog: read}
	files, err := filepath.Glob("testdata/*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/plans.md")
	if err != nil {
		t.Fatal(err)
	}
	compared, differences := 0, ""
	seen := map[string]bool{}
	for _, file := range files {
		for _, c := range readComparisons(t, file) {
			compared++
			if c.differs != "" && !strings.Contains(string(docs), "| **"+c.differs+"** |") {
				t.Errorf("docs/plans.md does not explain %s", c.differs)
			}
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				differences += c.compare(t, db, w, seen)
			})
		}
	}
	t.Logf("%d statements; estimated costs, rewritten and by hand, where plans differ:\n%s", compared, differences)
	if compared < 80 {
		t.Errorf("only %d statements are compared", compared)
	}
	// That a guard keeps these is shown only where they are seen.
	for _, kind := range []string{"Index Only Scan", "Bitmap Heap Scan", "Gather", "Hash Join", "Semi", "Anti", "Subplans Removed", "Presorted Key"} {
		if !seen[kind] {
			t.Errorf("no plan has %s", kind)
		}
	}
}

// compare compares the plans in every mode, and the results in one. It returns
// lines about the differences.
func (c *comparison) compare(t *testing.T, db database, w rewrite.Rewriter, seen map[string]bool) (differences string) {
	r, err := w.Rewrite(c.blocks[0], shape(t, w.Policy, c.scope))
	if err != nil {
		t.Fatal(err)
	}
	var dimensions []string
	for _, a := range r.Args {
		dimensions = append(dimensions, a.Name)
	}
	byHand, dimensionsByHand := numbered(c.blocks[1], r.Params)
	for _, m := range modes {
		db.exec(t, "SET plan_cache_mode = "+m.planCache)
		ours, theirs := c.bind(r.SQL, m, r.Params, dimensions), c.bind(byHand, m, r.Params, dimensionsByHand)
		got, want := db.explain(t, ours), db.explain(t, theirs)
		got.see(seen)
		most := 1
		switch isMany := strings.Contains(c.scope, "=many"); {
		case isMany && m.name == "generic": // PostgreSQL prunes by no array that it does not know
			most = 16
		case isMany:
			most = 2
		}
		if n := got.partitions(); n > most {
			t.Errorf("%s: %d partitions are scanned", m.name, n)
		}
		gotText, wantText := texts(got, want, ours, theirs)
		if gotText != wantText {
			differences += fmt.Sprintf("%-50s %-8s %10v %10v\n", c.name, m.name, got.properties["Total Cost"], want.properties["Total Cost"])
			if c.differs == "" {
				t.Errorf("%s: the plan of\n%s\n\n%s\nis by hand\n\n%s", m.name, r.SQL, gotText, wantText)
			}
		}
		if m.name == "small" {
			if got, want := db.results(t, ours, r), db.results(t, theirs, nil); !slices.Equal(got, want) {
				t.Errorf("the results differ:\n%.300q\n%.300q", got, want)
			}
		}
	}
	if differences == "" && c.differs != "" {
		t.Errorf("the plans do not differ any more: %s", c.differs)
	}
	return differences
}
