package rewrite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// hostileTexts would end the literal that they stand in, or be something else
// than text, where quoting is wrong.
var hostileTexts = []string{
	"", " ", "acme", "o'neill", "'", "''", "'''", `\`, `\\`, `\'`, `\\'`, `'\`, `\' OR true --`,
	"'; DROP TABLE doc; --", `\'; DROP TABLE doc; --`, `'); DELETE FROM doc; --`, "'::text OR true OR 'x' = '",
	"$1", "$1::bigint", "$$", "$a$", "$$; DROP TABLE doc; $$", "E'x'", "U&'x'", `\u0027`, `\x27`, `\047`, "&#39;",
	"--", "/*", "*/", ";", "\n", "a'\n'b", "\r\n", "\t", "\v\f\b", "\x01\x7f", "{", "}", "{a,b}", `{"a"}`, ",", `"`, `\"`, `","`,
	"NULL", "null", "ä", "ʼ", "＇", "‘’", "\u2028", "\ufeff", "\u0000a"[1:], "é\\", "例\\'", "🙂'", "a\u0301'", "\U0010ffff",
	strings.Repeat(`\'`, 1000),
}

const literalPolicy = `version: 1
dimensions:
  tenant: {type: text}
  site: {type: bigint}
  key: {type: uuid}
  small: {type: smallint}
search_path: [public]
tables:
  doc: {tenant: tenant}
  part: {tenant: doc_id -> doc, site: site_id}
  parcel: {key: key, small: small}
`

const severalForms = `INSERT INTO doc (id) VALUES (1), (2);
SELECT '$1', d.id FROM doc AS "$2" (a, b), doc d LEFT JOIN part p ON p.doc_id = d.id; -- $1
UPDATE part SET doc_id = 1 WHERE body::int > 0;
DECLARE c CURSOR FOR SELECT * FROM parcel; FETCH ALL IN c; TABLE doc`

// TestLiterals compares the tree of what is sent with the tree of what was
// certified: it differs in the values, which are constants, and in nothing else.
func TestLiterals(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(literalPolicy))
	if err != nil {
		t.Fatal(err)
	}
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	for _, text := range hostileTexts {
		for _, several := range []bool{false, true} {
			shape := Shape(0)
			for _, d := range p.Dimensions() {
				shape = shape.With(d, One)
			}
			values := map[string]any{"tenant": text, "site": int64(-42), "key": uuid, "small": int64(7)}
			form := severalForms
			if several { // there is no value to fill
				form = form[strings.Index(form, "\n")+1:]
				for _, d := range p.Dimensions() {
					shape = shape.With(d, Many)
				}
				values = map[string]any{
					"tenant": []string{text, "acme", text}, "site": []int64{-1, 2}, "key": []string{uuid, uuid}, "small": []int64{},
				}
			}
			r, err := New(form, p, shape)
			if err != nil {
				t.Fatal(err)
			}
			var args []any
			for _, d := range r.Args {
				args = append(args, values[d.Name])
			}
			literal, err := r.WithLiterals(args)
			if err != nil {
				t.Fatal(err)
			}
			if literal.Literal || len(literal.Args) > 0 || !r.Literal || len(r.Args) != 4 {
				t.Errorf("got %+v from %+v", literal, r)
			}
			want, err := pgparse.Parse(r.SQL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgparse.Parse(literal.SQL)
			if err != nil {
				t.Fatalf("%q: %v\n%s", text, err, literal.SQL)
			}
			for _, s := range want {
				inline(pgparse.Unwrap(s.Stmt), args)
			}
			if !sameStatements(want, got) {
				t.Errorf("%q: another tree:\n%s", text, literal.SQL)
			}
			for _, table := range literal.Tables {
				if tokens, err := pgparse.Scan(table.Guard); err != nil || slices.ContainsFunc(tokens, isParam) {
					t.Errorf("%q: guard %s, %v", text, table.Guard, err)
				}
			}
			for _, word := range []string{"ALL IN c", "body::int", "'$1'", "p.doc_id = d.id"} {
				sent, user := strings.LastIndex(literal.SQL, word), strings.LastIndex(form, word)
				if user < 0 || strings.Contains(text, word) || strings.Contains("'"+text+"'", word) {
					continue
				}
				if got, want := literal.UserPosition(len([]rune(literal.SQL[:sent]))+1), len([]rune(form[:user]))+1; got != want {
					t.Errorf("%q: position %d of %s, want %d", text, got, word, want)
				}
			}
		}
	}
}

func isParam(t *pgparse.ScanToken) bool { return t.Token == pgparse.Token_PARAM }

// inline puts the values in the place of parameters, as constants of the text
// that PostgreSQL reads for them.
func inline(node any, values []any) {
	if cast, ok := node.(*pgparse.TypeCast); ok {
		if p := cast.Arg.GetParamRef(); p != nil {
			text := ""
			switch v := values[p.Number-1].(type) {
			case int64:
				text = fmt.Sprint(v)
			case string:
				text = v
			case []int64:
				text = "{" + strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ",") + "}"
			case []string:
				for i, s := range v {
					text += map[bool]string{true: `{"`, false: `,"`}[i == 0] +
						strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) + `"`
				}
				text += "}"
			}
			cast.Arg = literal(text)
		}
	}
	pgparse.Children(node, func(child any) { inline(child, values) })
}

// TestLiteralsOnServer reads every text back, alone and in an array, under each
// setting that changes how the server reads string constants.
func TestLiteralsOnServer(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, strict := range []string{"on", "off"} {
		for _, quotes := range []string{"on", "off", "safe_encoding"} {
			settings := "SET standard_conforming_strings = " + strict + "; SET backslash_quote = " + quotes
			if _, err := conn.Exec(ctx, settings); err != nil {
				t.Fatal(err)
			}
			for _, text := range hostileTexts {
				one, fault := quoteValue(text)
				many, manyFault := quoteValue([]string{text, "x", text})
				if fault+manyFault != "" {
					t.Fatalf("%q: %s %s", text, fault, manyFault)
				}
				results, err := conn.PgConn().Exec(ctx, "SELECT "+one+"::text, ("+many+"::text[])[1], cardinality("+many+"::text[])").ReadAll()
				if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
					t.Errorf("%s: %q: %v, %v", settings, text, results, err)
					continue
				}
				row := results[0].Rows[0]
				if string(row[0]) != text || string(row[1]) != text || string(row[2]) != "3" {
					t.Errorf("%s: %q became %q", settings, text, row)
				}
			}
		}
	}
}

func TestLiteralsRefuse(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(literalPolicy))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New("TABLE doc; TABLE doc", p, Shape(0).With(p.Dimension("tenant"), One))
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range [][]any{
		{}, {"a", "b"}, {nil}, {1}, {"a\x00b"}, {"\xff"}, {[]string{"a", "\x00"}}, {[]any{"a"}}, {true},
	} {
		var refusal *Error
		if got, err := r.WithLiterals(values); !errors.As(err, &refusal) || got != nil {
			t.Errorf("%q: got %v, %v", values, got, err)
		}
	}
}

// TestSlots demands that only what was inserted is taken for a parameter.
func TestSlots(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(literalPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Rewrite){
		"a parameter of the user's":    func(r *Rewrite) { r.SQL = strings.Replace(r.SQL, "title", "$1::x", 1) },
		"a parameter behind all edits": func(r *Rewrite) { r.SQL += " AND $1::text" },
		"a parameter without a value":  func(r *Rewrite) { r.Args = nil },
		"no type": func(r *Rewrite) {
			r.edits[len(r.edits)-1].text = strings.Replace(r.edits[len(r.edits)-1].text, "::", "  ", 1)
		},
	} {
		r, err := New("SELECT title FROM doc; SELECT title FROM doc", p, Shape(0).With(p.Dimension("tenant"), One))
		if err != nil {
			t.Fatal(err)
		}
		r.slots = nil
		change(r)
		var refusal *Error
		if err := r.findSlots(); !errors.As(err, &refusal) || refusal.Code != CodeCertificate {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
