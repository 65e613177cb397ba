package script_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		text string
		want []string // line:column name|text
	}{
		{"", nil},
		{" \n;;\n", nil},
		{"SELECT 1", []string{"1:1 |SELECT 1"}},
		{" SELECT 1 ;\n\n  SELECT 2;", []string{"1:2 |SELECT 1", "3:3 |SELECT 2"}},
		{"SELECT ';'; SELECT \";\"; SELECT $a$;$a$; SELECT E'\\';' -- ;\n, 1", []string{
			"1:1 |SELECT ';'", "1:13 |SELECT \";\"", "1:25 |SELECT $a$;$a$", "1:41 |SELECT E'\\';' -- ;\n, 1"}},
		{"SELECT 'éé'; SELECT 2", []string{"1:1 |SELECT 'éé'", "1:14 |SELECT 2"}},
		{"-- name: A :one\nSELECT 1; -- trailing\n-- name: B\nSELECT 2; -- end", []string{
			"1:1 A|-- name: A :one\nSELECT 1", "3:1 B|-- name: B\nSELECT 2"}},
		{"-- name: A\n/* name: B */ SELECT 1 -- name: C", []string{"1:1 B|-- name: A\n/* name: B */ SELECT 1 -- name: C"}},
		{"SELECT 1; /* hint */ SELECT 2", []string{"1:1 |SELECT 1", "1:11 |/* hint */ SELECT 2"}},
		{"BEGIN; SELECT CASE WHEN true THEN 1 END; END; SELECT 1", []string{
			"1:1 |BEGIN", "1:8 |SELECT CASE WHEN true THEN 1 END", "1:42 |END", "1:47 |SELECT 1"}},
		{"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 2", []string{
			"1:1 |CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END", "1:61 |SELECT 2"}},
		{"SELECT (1; SELECT 2", []string{"1:1 |SELECT (1; SELECT 2"}},
		{"SELECT 1); SELECT 2", []string{"1:1 |SELECT 1)", "1:12 |SELECT 2"}},
		{"SELECT 1; SELECT 'open; SELECT 2", []string{"1:1 |SELECT 1", "1:11 |SELECT 'open; SELECT 2"}},
		{"SELECT 1;\n'open", []string{"1:1 |SELECT 1", "2:1 |'open"}},
		{"SELECT 1; /* open", []string{"1:1 |SELECT 1", "1:11 |/* open"}},
		{"SELECT 1\x00; SELECT 2", []string{"1:1 |SELECT 1\x00", "1:12 |SELECT 2"}},
	}
	for _, test := range tests {
		var got []string
		for _, s := range script.Split(test.text) {
			got = append(got, fmt.Sprintf("%d:%d %s|%s", s.Line, s.Column, s.Name, s.Text))
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) {
			t.Errorf("%q:\ngot  %q\nwant %q", test.text, got, test.want)
		}
	}
}

// FuzzSplit shows that no text makes split fail, and that every statement
// stands in the text where Split says it does.
func FuzzSplit(f *testing.F) {
	f.Add("-- name: A\nSELECT 'é;' ; CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END;\x00")
	f.Add("SELECT 1;\n'open")
	f.Add("SELECT 1; E'\\xff'")
	f.Fuzz(func(t *testing.T, text string) {
		rest, line, column := text, 1, 1
		for _, s := range script.Split(text) {
			for rest != "" && (line < s.Line || line == s.Line && column < s.Column) {
				r, size := utf8.DecodeRuneInString(rest)
				rest = rest[size:]
				column++
				if r == '\n' {
					line, column = line+1, 1
				}
			}
			if s.Text == "" || !strings.HasPrefix(rest, s.Text) {
				t.Fatalf("%q is not at %d:%d of %q", s.Text, s.Line, s.Column, text)
			}
		}
	})
}
