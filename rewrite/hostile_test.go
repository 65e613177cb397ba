package rewrite_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/rewrite"
)

// TestHostileText gives the rewriter text that has killed, blinded or exhausted
// parsers. Every one must yield a rewrite or a typed error; the process lives.
func TestHostileText(t *testing.T) {
	p := goldenPolicy(t)
	shape, _ := shapeOf(t, p, goldenScope)
	repeat := strings.Repeat
	for _, test := range []struct {
		name, sql string
		code      rewrite.Code // empty where the text is to be accepted
		position  int          // in characters, where it is known
	}{
		{"25,000 operators", "SELECT 1" + repeat(" + 1", 25000), rewrite.CodeLimit, 0},
		{"25,000 operators behind labels that look like brackets", "SELECT 1 AS end, 1" + repeat(" + 1", 25000), rewrite.CodeLimit, 0},
		{"25,000 written-out operators", "SELECT 1" + repeat(" OPERATOR(pg_catalog.+) 1", 25000), rewrite.CodeLimit, 0},
		{"1,000 operators", "SELECT views" + repeat(" + 1", 1000) + " FROM post", "", 0},
		{"25,000 casts", "SELECT 1" + repeat("::int", 25000), rewrite.CodeLimit, 0},
		{"25,000 NOT", "SELECT " + repeat("NOT ", 25000) + "true", rewrite.CodeLimit, 0},
		{"25,000 minus signs", "SELECT " + repeat("- ", 25000) + "1", rewrite.CodeLimit, 0},
		{"25,000 joins", "SELECT FROM site" + repeat(" CROSS JOIN site", 25000), rewrite.CodeLimit, 0},
		{"10,000 unions", "SELECT 1" + repeat(" UNION SELECT 1", 10000), rewrite.CodeLimit, 0},
		{"1,000 unions", "SELECT id FROM post" + repeat(" UNION ALL SELECT id FROM post", 1000), "", 0},
		{"100,000 parentheses", "SELECT " + repeat("(", 100000) + "1" + repeat(")", 100000), rewrite.CodeLimit, 0},
		{"400 parentheses", "SELECT " + repeat("(", 400) + "views" + repeat(")", 400) + " FROM post", "", 0},
		{"100,000 opening parentheses", repeat("(", 100000), rewrite.CodeLimit, 0},
		{"100,000 closing parentheses", repeat(")", 100000), rewrite.CodeSyntax, 1},
		{"5,000 subqueries", "SELECT * FROM " + repeat("(SELECT * FROM ", 5000) + "post" + repeat(") s", 5000), rewrite.CodeLimit, 0},
		{"200 subqueries", "SELECT * FROM " + repeat("(SELECT * FROM ", 200) + "post" + repeat(") s", 200), "", 0},
		{"5,000 scalar subqueries with a label that closes nothing", "SELECT " + repeat("(SELECT 1 end, ", 5000) + "1" + repeat(")", 5000), rewrite.CodeLimit, 0},
		{"5,000 CASE", "SELECT " + repeat("CASE WHEN true THEN 1 ELSE ", 5000) + "1" + repeat(" END", 5000), rewrite.CodeLimit, 0},
		{"5,000 columns of one source", "UPDATE post SET (title" + repeat(", title", 5000) + ") = (1" + repeat(", 1", 5000) + ")", rewrite.CodeLimit, 0},
		{"200 sources in each other", "UPDATE post SET " + repeat("(title, body) = (WITH a AS (UPDATE post SET ", 200) + "title = ''" + repeat(") SELECT 1, 2)", 200), rewrite.CodeLimit, 0},
		{"100 columns of one source", "UPDATE post SET (title" + repeat(", body", 99) + ") = ROW (1" + repeat(", 1", 99) + ")", "", 0},
		{"20,000 pairs", "SELECT id FROM post WHERE (id, views) = (1, 2)" + repeat(" OR (id, views) = (1, 2)", 20000), "", 0},
		{"5,000 brackets", "SELECT " + repeat("ARRAY[", 5000) + repeat("]", 5000), rewrite.CodeLimit, 0},
		{"20,000 conditions", "SELECT id FROM post WHERE id = 1" + repeat(" OR id = 2", 20000), "", 0},
		{"20,000 list items", "SELECT id FROM post WHERE id IN (1" + repeat(", 2", 20000) + ")", "", 0},
		{"5,000 WHEN", "SELECT CASE" + repeat(" WHEN views = 1 THEN 2", 5000) + " END FROM post", "", 0},
		{"5,000 rows", "INSERT INTO post (title) VALUES ('x')" + repeat(", ('y' || 'z')", 5000), "", 0},
		{"1,000 WITH queries", "WITH a0 AS (SELECT id FROM post)" + withQueries(1000) + " SELECT * FROM a1000", "", 0},
		{"1,000 references", "SELECT 1 FROM post p0" + manyTables(1000), "", 0},
		{"65,535 parameters", "SELECT id FROM post WHERE id = $65535", "", 0},
		{"parameter 65,536", "SELECT id FROM post WHERE id = $65536", rewrite.CodeSyntax, 32},
		{"parameter 0", "SELECT $0", rewrite.CodeSyntax, 8},
		{"a parameter that wraps around", "SELECT $4294967297", rewrite.CodeSyntax, 8},
		{"17 MB", "SELECT '" + repeat("x", 17<<20) + "'", rewrite.CodeLimit, 0},
		{"10 MB", "SELECT '" + repeat("x", 10<<20) + "' FROM post", "", 0},
		{"a NUL byte", "SELECT é FROM post\x00 WHERE true", rewrite.CodeSyntax, 19},
		{"a NUL byte in a string", "SELECT 'a\x00' FROM post", rewrite.CodeSyntax, 10},
		{"invalid UTF-8", "SELECT 'é\xff'", rewrite.CodeSyntax, 10},
		{"half a character", "SELECT '\xc3'", rewrite.CodeSyntax, 9},
		{"an open string", "SELECT 'a", rewrite.CodeSyntax, 8},
		{"an open string behind other characters", "SELECT 'é é é é', 'abc", rewrite.CodeSyntax, 19},
		{"an open name", `SELECT "a`, rewrite.CodeSyntax, 8},
		{"an open comment", "SELECT 1 /* a /* b */", rewrite.CodeSyntax, 10},
		{"an open dollar quote", "SELECT $a$ b", rewrite.CodeSyntax, 8},
		{"a wrong escape", `SELECT U&'\00zz'`, rewrite.CodeSyntax, 0},
		{"an empty name", `SELECT "" FROM post`, rewrite.CodeSyntax, 8},
		{"a long name", "SELECT id FROM " + repeat("p", 100), rewrite.CodeTable, 16},
		{"nothing", "", "", 0},
		{"semicolons", ";;;", "", 0},
		{"a second statement behind a comment", "SELECT 1; -- x\n DELETE FROM secret", rewrite.CodeTable, 29},
		{"a second statement, and a parameter", "SELECT $1; -- x\n DELETE FROM post", rewrite.CodeStatement, 18},
		{"5,000 statements", repeat("DELETE FROM post; FETCH c;", 2500), "", 0},
		{"10,000 statements, the last refused", repeat("SELECT 1;", 10000) + "TRUNCATE post", rewrite.CodeStatement, 90001},
		{"1,000,000 statements", repeat("SELECT 1;", 1000000), rewrite.CodeLimit, 90009},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := rewrite.New(test.sql, p, shape)
			if test.code == "" {
				if err != nil {
					t.Fatalf("refused: %.300v", err)
				}
				return
			}
			var e *rewrite.Error
			if !errors.As(err, &e) || e.Code != test.code {
				t.Fatalf("want a refusal with code %q, got %.300v", test.code, err)
			}
			if e.Hint == "" || e.Message == "" {
				t.Errorf("no hint or message: %v", e)
			}
			if test.position != 0 && e.Position.Char != test.position {
				t.Errorf("position %d, want %d: %v", e.Position.Char, test.position, e)
			}
		})
	}
}

func withQueries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", a%d AS (SELECT a.id FROM a%d a JOIN post USING (id))", i+1, i)
	}
	return b.String()
}

func manyTables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", post p%d", i+1)
	}
	return b.String()
}

// TestUserPosition checks that a position in the text that was sent is mapped to
// the same character of the user's text.
func TestUserPosition(t *testing.T) {
	p := goldenPolicy(t)
	shape, _ := shapeOf(t, p, goldenScope)
	for _, sql := range []string{
		"SELECT ä.nope FROM post ä, comment c WHERE ö = 1",
		"INSERT INTO post (title, nope) VALUES ('é', 1), ('ü', 2) RETURNING xx",
		"UPDATE post SET nope = 1 WHERE title = 'ß' AND xx",
		"TABLE post ORDER BY nope",
		"SELECT 1",
	} {
		r, err := rewrite.New(sql, p, shape)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"nope", "xx", "ö"} {
			sent, user := strings.Index(r.SQL, word), strings.Index(sql, word)
			if user < 0 {
				continue
			}
			if got, want := r.UserPosition(chars(r.SQL, sent)), chars(sql, user); got != want {
				t.Errorf("%s: %q: position %d, want %d", r.SQL, word, got, want)
			}
		}
		// What was inserted has the place of its insertion.
		if i := strings.Index(r.SQL, "scoped_1"); i >= 0 {
			if got := r.UserPosition(chars(r.SQL, i)); got < 1 || got > len([]rune(sql))+1 {
				t.Errorf("%s: position %d", r.SQL, got)
			}
		}
	}
}

func chars(s string, offset int) int { return len([]rune(s[:offset])) + 1 }
