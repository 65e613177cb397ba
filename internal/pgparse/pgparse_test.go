package pgparse_test

import (
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

func TestScanEnds(t *testing.T) {
	for text, want := range map[string][]string{
		`SELECT U&"\0070ost" , U&'\0061' UESCAPE '!'`: {"SELECT", `U&"\0070ost"`, ",", `U&'\0061'`, "UESCAPE", "'!'"},
		"a'b' -- c\n/* d */ x'1F' ":                   {"a", "'b'", "-- c", "/* d */", "x'1F'"},
		"'a'\n  'b' $1::int":                          {"'a'\n  'b'", "$1", "::", "int"},
		"E'\\'' $x$ $ $x$;":                           {"E'\\''", "$x$ $ $x$", ";"},
	} {
		tokens, err := pgparse.Scan(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, token := range tokens {
			got = append(got, text[token.Start:token.End])
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestQuoteIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"post": "post", "post_2": "post_2", "2post": `"2post"`, "Post": `"Post"`, "": `""`,
		"user": `"user"`, "select": `"select"`, `a"b`: `"a""b"`, "naïve": `"naïve"`, "text": "text", "left": `"left"`,
	} {
		if got := pgparse.QuoteIdentifier(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// TestEqual checks that no field but a location is left out of the comparison.
func TestEqual(t *testing.T) {
	parse := func(sql string) *pgparse.RawStmt {
		stmts, err := pgparse.Parse(sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		return stmts[0]
	}
	const statement = "SELECT DISTINCT a, b.c AS d FROM ONLY x AS y JOIN z USING (k) WHERE e = $1 AND NOT f OR g IS NULL GROUP BY 1 HAVING true ORDER BY 2 DESC NULLS LAST LIMIT 3 FOR UPDATE OF y SKIP LOCKED"
	if !pgparse.Equal(parse(statement), parse("/* moved */  "+strings.ReplaceAll(statement, " ", "\n  "))) {
		t.Error("locations are compared")
	}
	for _, change := range []struct{ from, to string }{
		{"DISTINCT ", ""}, {" a,", " a2,"}, {"b.c", "c"}, {" AS d", ""}, {"ONLY ", ""}, {" AS y", " AS w"}, {"JOIN", "LEFT JOIN"},
		{"(k)", "(l)"}, {"= $1", "<> $1"}, {"$1", "$2"}, {"NOT ", ""}, {"OR", "AND"}, {"IS NULL", "IS NOT NULL"}, {"BY 1", "BY 2"},
		{"true", "false"}, {"DESC", "ASC"}, {"LAST", "FIRST"}, {"LIMIT 3", "LIMIT 4"}, {"LIMIT 3", "OFFSET 3"}, {"FOR UPDATE", "FOR SHARE"},
		{"OF y", ""}, {"SKIP LOCKED", "NOWAIT"}, {"x", "s.x"},
	} {
		if pgparse.Equal(parse(statement), parse(strings.Replace(statement, change.from, change.to, 1))) {
			t.Errorf("%q and %q are taken to be equal", change.from, change.to)
		}
	}
}
