package rewrite_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/rewrite"
)

func columnsOfPost(schema, table string) []string {
	if table == "post" {
		return []string{"id", "Title"}
	}
	return nil
}

func TestParseCopy(t *testing.T) {
	for _, c := range []struct{ text, query, with string }{
		{"COPY (SELECT 1) TO STDOUT", "SELECT 1", "COPY (X) TO STDOUT"},
		{"/* a */ copy(\n-- )\nSELECT ')' FROM post -- x)\n)to stdout\twith (FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE (id))",
			"\n-- )\nSELECT ')' FROM post -- x)\n", "/* a */ copy(X)to stdout\twith (FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE (id))"},
		{"COPY ((SELECT 1) UNION (TABLE post)) TO STDOUT CSV;", "(SELECT 1) UNION (TABLE post)", "COPY (X) TO STDOUT CSV;"},
		{"COPY (WITH c AS (SELECT 1) SELECT * FROM c) TO STDOUT", "WITH c AS (SELECT 1) SELECT * FROM c", "COPY (X) TO STDOUT"},
		{"COPY post TO STDOUT", `SELECT id, "Title" FROM post`, "COPY (X) TO STDOUT"},
		{`COPY public . "post" (id, "Title", "select") TO STDOUT (FORMAT binary)`, `SELECT id, "Title", "select" FROM public . "post"`, "COPY (X) TO STDOUT (FORMAT binary)"},
		{`COPY U&"p!006fst" UESCAPE '!' (id) TO STDOUT`, `SELECT id FROM U&"p!006fst" UESCAPE '!'`, "COPY (X) TO STDOUT"},
	} {
		parsed, err := rewrite.ParseCopy(c.text, columnsOfPost)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if parsed.Query != c.query || parsed.Table == strings.HasPrefix(c.text, "COPY (") && !strings.Contains(c.text, "/*") {
			t.Errorf("%s: got %q", c.text, parsed.Query)
		}
		for _, query := range []string{"SELECT 2", "SELECT ')' FROM a WHERE b = '(' -- \n"} {
			if got, err := parsed.With(query); err != nil || got != strings.Replace(c.with, "X", query, 1) {
				t.Errorf("%s: got %q, %v", c.text, got, err)
			}
		}
		// What is no query of its own does not get in.
		for _, query := range []string{
			"SELECT 2) TO PROGRAM 'x' --", "SELECT 1) TO STDOUT; COPY (SELECT 2", "SELECT 2 --", "SELECT 2;", "", "SELECT 'x", "DELETE FROM post; SELECT 1",
		} {
			if got, err := parsed.With(query); err == nil {
				t.Errorf("%s: %q was accepted", c.text, got)
			}
		}
	}
}

func TestParseCopyRefuses(t *testing.T) {
	for text, code := range map[string]rewrite.Code{
		"":                                                             rewrite.CodeStatement,
		"SELECT 1":                                                     rewrite.CodeStatement,
		"COPY (SELECT 1) TO STDOUT; SELECT 2":                          rewrite.CodeStatement,
		"COPY (SELECT 1) TO '/tmp/x'":                                  rewrite.CodeStatement,
		"COPY (SELECT 1) TO PROGRAM 'sh'":                              rewrite.CodeStatement,
		"COPY post (id) FROM STDIN":                                    rewrite.CodeStatement,
		"COPY post (id) FROM '/etc/passwd'":                            rewrite.CodeStatement,
		"COPY post (id) TO '/tmp/x'":                                   rewrite.CodeStatement,
		"COPY comment TO STDOUT":                                       rewrite.CodeStatement, // its columns are not known
		"COPY BINARY post (id) TO STDOUT":                              rewrite.CodeStatement,
		"COPY post (id) TO STDOUT USING DELIMITERS ';'":                rewrite.CodeStatement,
		"COPY (DELETE FROM post RETURNING id) TO STDOUT":               rewrite.CodeStatement,
		"COPY (SELECT $1::int) TO STDOUT":                              rewrite.CodeStatement,
		"COPY (SELECT 1) TO STDOUT (FORMAT csv, FREEZE)":               rewrite.CodeStatement,
		"COPY (SELECT 1) TO STDOUT (nosuch)":                           rewrite.CodeStatement,
		"COPY (SELECT 1 TO STDOUT":                                     rewrite.CodeSyntax,
		"COPY (SELECT '\x00') TO STDOUT":                               rewrite.CodeSyntax,
		"COPY (SELECT 1" + strings.Repeat("+1", 25000) + ") TO STDOUT": rewrite.CodeLimit,
	} {
		_, err := rewrite.ParseCopy(text, columnsOfPost)
		var e *rewrite.Error
		if !errors.As(err, &e) || e.Code != code || e.Hint == "" {
			t.Errorf("%.60s: got %v, want code %s", text, err, code)
		}
	}
}

func TestCopyPosition(t *testing.T) {
	const text = "COPY (\nSELECT ä FROM nosuch) TO STDOUT"
	c, err := rewrite.ParseCopy(text, columnsOfPost)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Position(rewrite.PositionAt(c.Query, strings.Index(c.Query, "nosuch")))
	if got != rewrite.PositionAt(text, strings.Index(text, "nosuch")) || c.Before() != 6 {
		t.Errorf("got %+v", got)
	}
	if got := c.Position(rewrite.Position{}); got != (rewrite.Position{}) {
		t.Errorf("got %+v for none", got)
	}
}

// A single statement can be sent with literals too, unless it has parameters.
func TestLiteralsOfOneStatement(t *testing.T) {
	p := goldenPolicy(t)
	shape, _ := shapeOf(t, p, goldenScope)
	rw, err := rewrite.New("SELECT id FROM post WHERE title = 'ä' AND nosuch", p, shape)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := rw.WithLiterals([]any{int64(7)})
	if err != nil || len(literal.Args) != 0 || !strings.Contains(literal.SQL, "site_id = '7'::bigint") || len(rw.Args) != 1 {
		t.Fatalf("got %+v, %v", literal, err)
	}
	sent := len([]rune(literal.SQL[:strings.Index(literal.SQL, "nosuch")])) + 1
	if got := literal.UserPosition(sent); got != 43 {
		t.Errorf("got position %d", got)
	}
	rw, err = rewrite.New("SELECT id FROM post WHERE id = $1", p, shape)
	if err != nil {
		t.Fatal(err)
	}
	if literal, err := rw.WithLiterals([]any{int64(7)}); err == nil {
		t.Errorf("got %q", literal.SQL)
	}
}
