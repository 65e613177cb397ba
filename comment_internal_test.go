package scoped

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

var commented = map[string]string{ // the comment that is cut off
	"SELECT 1":                                   "",
	"SELECT 1 /*traceparent='00-5bd-01'*/":       "/*traceparent='00-5bd-01'*/",
	"/*a*/ SELECT 1 /*b*//*c*/":                  "/*c*/",
	"SELECT * FROM post WHERE site_id = 1/**/":   "/**/",
	"SELECT 1 /*/":                               "",
	"SELECT 1 /* a /* b */ */":                   "",
	"SELECT 1 /* a /* b */":                      "/* b */", // and the rest is refused
	"SELECT '/* a */":                            "/* a */", // and so is this one
	"SELECT 1 -- x /* y */":                      "/* y */",
	"SELECT 1 -- x /*\nDELETE FROM post */":      "",
	"SELECT 1 -- x /*\rDELETE FROM post */":      "",
	"SELECT $1 /* $1 */":                         "",
	"SELECT 1 /* \x00 */":                        "",
	"SELECT 1 /* \xff */":                        "",
	"/*only*/":                                   "/*only*/",
	"SELECT 1; SELECT 2 /*x*/":                   "/*x*/",
	"SELECT U&\"\\0061\" /*x*/":                  "/*x*/",
	"SELECT $$ /* a */ $$ /*x*/":                 "/*x*/",
	"SELECT E'\\' /*x*/":                         "/*x*/", // and so is this one
	"SELECT 1 /* not the end */ FROM post":       "",
	"SELECT */* c */":                            "/* c */",
	"SELECT 1 OPERATOR(pg_catalog.-) 2 /*+ h */": "/*+ h */",
}

func TestSplitComment(t *testing.T) {
	for text, want := range commented {
		if statement, comment := splitComment(text); comment != want || statement+comment != text {
			t.Errorf("%q: the comment is %q, want %q", text, comment, want)
		}
		compareWithoutComment(t, text)
	}
}

// A comment that changes with every call makes no new entry, and is sent.
func TestCacheKnowsCommentedStatements(t *testing.T) {
	e := newEngine(cachePolicy(t), nil)
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	s, r := &session{engine: e}, e.rules.Load()
	b := (&scope{dimension: "site", elements: []element{{kind: number, number: 1}}}).bind(r)
	for i := range 100 {
		comment := fmt.Sprintf("/*traceparent='00-%d'*/", i)
		c, err := s.plan(b, "SELECT id FROM post "+comment, 0, forQuery, false)
		if err != nil || !strings.HasSuffix(c.sql, "post.site_id = $1::bigint) "+comment) {
			t.Fatalf("%q, %v", c.sql, err)
		}
	}
	r.cache.entries.CleanUp()
	if n := r.cache.entries.EstimatedSize(); n != 1 {
		t.Errorf("there are %d entries", n)
	}
}

// FuzzSplitComment demands that a text which is a statement without its comment
// is the same one with it.
func FuzzSplitComment(f *testing.F) {
	for text := range commented {
		f.Add(text)
	}
	f.Fuzz(compareWithoutComment)
}

func compareWithoutComment(t *testing.T, text string) {
	statement, comment := splitComment(text)
	if len(text) > 1000 || comment == "" {
		return
	}
	without, err := pgparse.Parse(statement)
	if err != nil {
		return
	}
	with, err := pgparse.Parse(text)
	if err != nil || len(with) != len(without) {
		t.Fatalf("%q is %d statements without its comment, and with it %d: %v", text, len(without), len(with), err)
	}
	for i := range with {
		if !pgparse.Equal(pgparse.Unwrap(with[i].Stmt), pgparse.Unwrap(without[i].Stmt)) {
			t.Errorf("%q means something else without its comment", text)
		}
	}
}
