package shell

import (
	"slices"
	"testing"
)

func TestBuffer(t *testing.T) {
	tests := []struct {
		name       string
		text       string
		statements []string
		left       string
		end        inside
	}{
		{"nothing", " \n\t", nil, "", nothing},
		{"one", "SELECT 1;", []string{"SELECT 1"}, "", nothing},
		{"two, and the beginning of another", "SELECT 1; SELECT 2;\nSELECT", []string{"SELECT 1", "SELECT 2"}, "\nSELECT", statement},
		{"only semicolons", ";; ;", nil, "", nothing},
		{"a comment belongs to what follows", "-- one;\nSELECT 1;", []string{"-- one;\nSELECT 1"}, "", nothing},
		{"only comments", "/* ; */ -- ;\n;", nil, "", nothing},
		{"a quote", "SELECT 'a;''b", nil, "SELECT 'a;''b", quote},
		{"an escape string", `SELECT E'\';`, nil, `SELECT E'\';`, quote},
		{"no escape string", `SELECT '\'; SELECT 1`, []string{`SELECT '\'`}, " SELECT 1", statement},
		{"a bit string", "SELECT b'1;", nil, "SELECT b'1;", quote},
		{"an identifier", `SELECT "a;""b`, nil, `SELECT "a;""b`, identifier},
		{"a dollar quote", "SELECT $a$ ; $$ ; $b$", nil, "SELECT $a$ ; $$ ; $b$", dollarQuote},
		{"a dollar quote that is closed", "SELECT $a$ ; $$ $a$;", []string{"SELECT $a$ ; $$ $a$"}, "", nothing},
		{"comments in comments", "SELECT /* /* ; */ ;", nil, "SELECT /* /* ; */ ;", comment},
		{"a comment to the end of the line", "SELECT 1 -- it's ;\n;", []string{"SELECT 1 -- it's ;"}, "", nothing},
		{"brackets", "SELECT (1;", nil, "SELECT (1;", brackets},
		{"a bracket too many", "SELECT 1); SELECT 2;", []string{"SELECT 1)", "SELECT 2"}, "", nothing},
		{"a body of SQL", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT CASE WHEN true THEN 1 END; END; SELECT 1;",
			[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT CASE WHEN true THEN 1 END; END", "SELECT 1"}, "", nothing},
		{"a transaction", "BEGIN; END;", []string{"BEGIN", "END"}, "", nothing},
		{"what the scanner does not understand", "SELECT 12abc; SELECT 1;", []string{"SELECT 12abc", "SELECT 1"}, "", nothing},
		{"a NUL byte", "SELECT '\x00;'; SELECT 1;", []string{"SELECT '\x00;'", "SELECT 1"}, "", nothing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := buffer{test.text}
			if got := b.cut(); !slices.Equal(got, test.statements) {
				t.Errorf("the statements are %q, want %q", got, test.statements)
			}
			if b.text != test.left {
				t.Errorf("%q is left, want %q", b.text, test.left)
			}
			if got := b.end(); got != test.end {
				t.Errorf("the end is inside of %c, want %c", got, test.end)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct{ name, schema, table string }{
		{"post", "", "post"},
		{"Post", "", "post"},
		{`"Post"`, "", "Post"},
		{"public.post", "public", "post"},
		{`"My schema"."a.b"`, "My schema", "a.b"},
		{`blog.public.post`, "public", "post"},
		{"", "", ""},
	} {
		if schema, table := splitName(test.name); schema != test.schema || table != test.table {
			t.Errorf("%s is %q, %q; want %q, %q", test.name, schema, table, test.schema, test.table)
		}
	}
}
