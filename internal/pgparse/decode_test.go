//go:build cgo && linux && !musl

package pgparse_test

import (
	"flag"
	"testing"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/proto"

	"github.com/scoped-pgx/scoped/internal/corpus"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/rewrite"
)

var every = flag.Int("every", 20, "compare what is read of every n-th text of the corpora")

// decodes compares what is read from the JSON of a text with what the parser's own
// package reads, and reports whether it was read from the JSON at all.
func decodes(t testing.TB, sql string) bool {
	t.Helper()
	want, err := pg_query.Parse(sql)
	json, jsonErr := pg_query.ParseToJSON(sql)
	if err != nil || jsonErr != nil {
		if err == nil || jsonErr == nil || err.Error() != jsonErr.Error() {
			t.Errorf("%s: one says %v, the other %v", sql, err, jsonErr)
		}
		return true
	}
	got, ok := pgparse.Decode(sql, json)
	if ok && !proto.Equal(&pg_query.ParseResult{Stmts: got, Version: want.Version}, want) {
		t.Errorf("%s\nis read as %v\n      not as %v", sql, got, want)
	}
	return ok
}

// What the JSON leaves out is known all the same, or read in the other form.
func TestDecode(t *testing.T) {
	for sql, fromJSON := range map[string]bool{
		"":                                      true,
		";;":                                    true,
		"SELECT 0, 1, 2147483647":               true,
		"SELECT '2024-01-01', 0, a->'b', 0":     true,
		"SELECT -1":                             false,
		"SELECT - 0":                            false,
		"SELECT - - 1":                          true,
		"SELECT - - -1":                         false,
		"SELECT a - 0, -1.5, 1e-3, -2147483648": true,
		"SELECT a -1":                           true,
		"SELECT 0x0, 0b0, 0o0, 1_000":           true,
		"SELECT NULL, true, false, b'01', x'ff', 1.50, ''":                         true,
		"SELECT 'é\u2028\"\\\b\f\n\r\t\x01\x7f</>', E'\\u0041', U&'\\0041' <> 'x'": true,
		`SELECT "a""b\c", U&"\0041"`:                                               true,
		"SELECT $1::bigint[], '{}'::text[][]":                                      true,
		"SELECT $1::int[3], $1::int ARRAY[2], $1::int ARRAY":                       true,
		"SELECT $1::int[0]":                                                        false,
		"SELECT $1::int[ 0]":                                                       false,
		"SELECT $1::int ARRAY[0]":                                                  false,
		"SELECT $1::int[/**/0]":                                                    false,
		"SELECT a[0], $1::int[]":                                                   false,
		"SELECT a[0], a[-1:]":                                                      false,
		"SELECT numeric(3, 0) '1', numeric(10, -2) '1'":                            false,
		"ALTER TABLE t ALTER a SET STATISTICS -1":                                  false,
		"CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)":                        false,
		"ALTER TABLE t ALTER a SET STATISTICS 0":                                   false,
		"SELECT interval '1' DAY, interval(0) '1', interval '1' SECOND(0)":         true,
		"FETCH BACKWARD 5 FROM c; FETCH ALL c; MOVE -3 c":                          true,
		"SELECT 1; SELECT 2":                                                       true,
		"SELECT FROM t LIMIT ALL":                                                  true,
		"SELECT xmlroot(x, version no value, standalone yes)":                      false,
		"SELECT * FROM XMLTABLE('/a' PASSING x COLUMNS a int PATH 'b' NOT NULL, n FOR ORDINALITY)":                                                               true,
		"SELECT JSON_OBJECT('a': 1 ABSENT ON NULL WITH UNIQUE KEYS), a IS JSON OBJECT":                                                                           true,
		"CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b int REFERENCES u ON DELETE CASCADE, c int GENERATED ALWAYS AS (a) STORED) PARTITION BY RANGE (a)": true,
		"SELECT sum(a) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WINDOW w AS (PARTITION BY b)":                                                    true,
		"SELECT (SELECT 1), ARRAY(SELECT 1), EXISTS (SELECT), a IN (SELECT 1), a = ANY (SELECT 1)":                                                               true,
		"INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING RETURNING *":                                                                                        true,
		"MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT DEFAULT VALUES":                                                      true,
		"SELEC 1": true, "SELECT 'a": true,
	} {
		if ok := decodes(t, sql); ok != fromJSON {
			t.Errorf("%s: read from the JSON: %t", sql, ok)
		}
	}
}

// The texts of the corpora, and what they are rewritten to, are read the same.
func TestDecodeCorpora(t *testing.T) {
	dir, err := corpus.Dir()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := corpus.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts = corpus.Every(texts, *every)
	all, fallen := 0, 0
	read := func(sql string) {
		all++
		if !decodes(t, sql) {
			fallen++
		}
	}
	for _, text := range texts {
		for _, s := range corpus.Split(text) {
			read(s.SQL)
		}
	}
	for _, scheme := range corpus.Schemes {
		samples, err := corpus.Samples(texts, scheme)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			if r, err := rewrite.New(s.SQL, s.Policy, s.Shape); err != nil {
				t.Error(err)
			} else if r.SQL != s.SQL {
				read(r.SQL)
			}
		}
	}
	t.Logf("of %d texts %d were read from protobuf", all, fallen)
	if fallen*50 > all {
		t.Errorf("of %d texts %d cannot be read from the JSON", all, fallen)
	}
}

// A text that no parser prints is not taken for a tree.
func TestDecodeFaults(t *testing.T) {
	for _, json := range []string{
		"", "{", "[]", `{"stmts"`, `{"stmts":`, `{"stmts":[`, `{"stmts":[{`, `{"stmts":[{"stmt"`, `{"stmts":[]`, `{"stmts":[]}}`,
		`{"stmts":[{"stmt":{"NoStmt":{}}}]}`, `{"stmts":[{"stmt":{"SelectStmt":{"none":1}}}]}`, `{"stmts":[{"stmt":{"SelectStmt":{"op":"NONE"}}}]}`,
		`{"stmts":[{"stmt":{"SelectStmt":{}}]}`, `{"stmts":[{"stmt":{"SelectStmt":{},"SelectStmt":{}}}]}`,
		`{"stmts":[{"stmt_len":x}]}`, `{"stmts":[{"stmt":{"String":{"sval":"a}}}]}`, `{"stmts":[{"stmt":{"String":{"sval":"\u00ff"}}}]}`,
		`{"stmts":[{"stmt":{"String":{"sval":"\`, `{"stmts":[{"stmt":{"String":{"sval":1}}}]}`, `{"stmts":[{"stmt":{"Boolean":{"boolval":1}}}]}`,
	} {
		if stmts, ok := pgparse.Decode("", json); ok {
			t.Errorf("%s is read as %v", json, stmts)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, sql := range []string{"SELECT -1, 0, a[0], $1::int[]", "INSERT INTO t VALUES ('\x01\"\\<')", "UPDATE t SET (a, b) = (1, - 0)"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		// What the rewriter does not bound, it does not parse.
		if len(sql) < 1000 && utf8.ValidString(sql) {
			decodes(t, sql)
		}
	})
}
