//go:build !cgo || !linux || musl

package pgparse_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// TestBound gives the parser text that it would read twice at each level. Without
// the bound the test does not end.
func TestBound(t *testing.T) {
	repeat := strings.Repeat
	nested := func(n int, opening, middle, closing string) string {
		return "SELECT " + repeat(opening, n) + middle + repeat(closing, n)
	}
	for _, test := range []struct {
		name string
		sql  func(n int) string
	}{
		{"substring", func(n int) string { return nested(n, "substring(", "'x'", ", 1)") }},
		{"overlay", func(n int) string { return nested(n, "overlay(/* ( */", "'x'", ", 'y', 1)") }},
		{"json_object", func(n int) string { return nested(n, "JSON_OBJECT (", "'x'", ", 'y')") }},
		{"all of them", func(n int) string { return nested(n/2, "substring(json_object((SELECT ", "'x'", "), 'y'), 1)") }},
		{"subqueries in expressions", func(n int) string { return nested(n, "((SELECT ", "1", ") + 1)") }},
		{"subqueries in rows", func(n int) string { return nested(n, "( -- (\n(VALUES (", "1", ")), 1)") }},
		{"subqueries in lists", func(n int) string { return nested(n, "1 IN ((SELECT ", "1", "), 1)") }},
		{"subqueries in joins", func(n int) string {
			return "SELECT 1 FROM " + repeat("((SELECT 1 FROM ", n) + "t" + repeat(") a CROSS JOIN b)", n)
		}},
		{"subqueries in three brackets", func(n int) string { return nested(n, "(((SELECT ", "1", ") + 1) + 1)") }},
	} {
		var e *pgparse.Error
		if _, err := pgparse.Parse(test.sql(60)); !errors.As(err, &e) || !e.IsLimit || e.Offset < 0 {
			t.Errorf("%s, 60 levels: %v", test.name, err)
		}
		if _, err := pgparse.Parse(test.sql(8)); err != nil {
			t.Errorf("%s, 8 levels: %v", test.name, err)
		}
	}
	for name, sql := range map[string]string{
		"failures that each count what is before them": "SELECT 1" + repeat(", substring('x', 1)", 100000),
		"failures behind a long text":                  "SELECT '" + repeat("x", 10<<20) + "'" + repeat(", substring('x', 1)", 100),
	} {
		var e *pgparse.Error
		if _, err := pgparse.Parse(sql); !errors.As(err, &e) || !e.IsLimit {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, sql := range map[string]string{
		"a thousand calls":      "SELECT 1" + repeat(", substring('x', 1)", 1000),
		"a thousand subqueries": "SELECT 1" + repeat(", ((SELECT 1) + 1)", 1000),
		"a long text":           "SELECT substring('" + repeat("x", 10<<20) + "', 1)",
		"many brackets":         "SELECT " + repeat("(", 400) + "SELECT 1" + repeat(")", 400),
	} {
		if _, err := pgparse.Parse(sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSources checks that what the columns of SET (a, b) = (…) are assigned is
// not one node, because the certificate changes trees.
func TestSources(t *testing.T) {
	stmts, err := pgparse.Parse("UPDATE t SET (a, b, c) = (SELECT 1, 2, 3)")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[*pgparse.Node]bool{}
	for _, n := range stmts[0].Stmt.GetUpdateStmt().TargetList {
		source := n.GetResTarget().GetVal().GetMultiAssignRef().GetSource()
		if source == nil || seen[source] {
			t.Errorf("%v has no source of its own", n)
		}
		seen[source] = true
	}
}
