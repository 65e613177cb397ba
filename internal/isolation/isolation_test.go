package isolation_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/isolation"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

func create(t *testing.T) isolation.CreateDatabase {
	return func(_ context.Context, scripts ...string) (string, error) {
		return pgtest.DSN(t, scripts...), nil
	}
}

// TestStatements runs the fixed part of the oracle's statements.
func TestStatements(t *testing.T) {
	for _, s := range isolation.Scopes() {
		t.Run(s.Name, func(t *testing.T) {
			o := isolation.Options{Selects: 1500, Writes: 400, Seed: 1, Scope: s, Workers: 2}
			if s.Name != "one" {
				o.Selects, o.Writes = 300, 100
			}
			report, err := isolation.Run(t.Context(), create(t), o)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			report.Write(&b, false)
			t.Log(b.String())
			for _, f := range report.Differences {
				t.Errorf("%s, plan %d: %s\n%s", f.Name, f.Plan, f.Detail, f.SQL)
			}
			for _, f := range report.Order {
				t.Errorf("%s, plan %d: %s\n%s", f.Name, f.Plan, f.Detail, f.SQL)
			}
		})
	}
}

// TestRegressions asks of every saved statement under every plan. Those in the
// folder known are of faults that are still open, and expected to fail.
func TestRegressions(t *testing.T) {
	for _, s := range isolation.Scopes() {
		oracle, err := isolation.NewOracle(t.Context(), create(t), s, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(oracle.Close)
		for dir, expected := range map[string]isolation.Verdict{
			"testdata/regressions":       "",
			"testdata/regressions/known": isolation.Different,
		} {
			regressions, err := isolation.Regressions(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range regressions {
				if r.Scope == s.Name {
					t.Run(filepath.Base(r.File), func(t *testing.T) { regression(t, oracle, r, expected) })
				}
			}
		}
	}
}

func regression(t *testing.T, oracle *isolation.Oracle, r isolation.Regression, expected isolation.Verdict) {
	if r.Before > 0 && oracle.Version() >= r.Before {
		expected = ""
	}
	for plan := range isolation.Plans {
		result := ask(t, oracle, r.SQL, plan)
		switch {
		case result.Verdict == isolation.Rejected:
			t.Errorf("the server rejects the case: %s", result.Detail)
		case expected != "" && (result.Verdict == expected || result.Verdict == isolation.Order):
			return
		case result.Verdict == isolation.Different, result.Verdict == isolation.Leak, result.Verdict == isolation.Order:
			t.Errorf("%s, plan %d: %s: %s\n%s", r.File, plan, result.Verdict, result.Detail, r.SQL)
		}
	}
	if expected != "" {
		t.Errorf("%s is right now: move it to the folder above", r.File)
	}
}

// TestGenerateIsDeterministic guards the meaning of a seed.
func TestGenerateIsDeterministic(t *testing.T) {
	for i := range uint64(200) {
		for _, write := range []bool{false, true} {
			a, b := isolation.Generate(1, i, write, false), isolation.Generate(1, i, write, false)
			if a != b {
				t.Fatalf("statement %d differs from run to run:\n%s\n%s", i, a, b)
			}
			if a == isolation.Generate(2, i, write, false) && len(a) > 60 {
				t.Errorf("statement %d is the same for seeds 1 and 2: %s", i, a)
			}
		}
	}
}

// TestOracleSeesLeaks makes sure that the oracle is able to fail: statements that
// are sent unscoped are told from those of the tenant's own database.
func TestOracleSeesLeaks(t *testing.T) {
	scope := isolation.Scopes()[0]
	oracle, err := isolation.NewOracle(t.Context(), create(t), scope, false)
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close()
	oracle.Unscoped()
	for statement, verdict := range map[string]isolation.Verdict{
		"SELECT count(*) FROM site":                                        isolation.Same,
		"SELECT count(*) FROM post":                                        isolation.Different,
		"SELECT title FROM post LIMIT 1":                                   isolation.Leak,
		"SELECT id FROM comment ORDER BY 1":                                isolation.Different,
		"SELECT title FROM post WHERE id > 1000000":                        isolation.Leak,
		"SELECT 1 FROM award WHERE amount::integer = -1":                   isolation.Leak,
		"SELECT count(*) > 0 FROM post WHERE 10 / n > 0":                   isolation.Order,
		"UPDATE post SET n = 3 WHERE id = 1":                               isolation.Same,
		"UPDATE post SET n = 3 WHERE id = 1000001":                         isolation.Leak,
		"DELETE FROM note":                                                 isolation.Leak,
		"WITH d AS (DELETE FROM note RETURNING id) SELECT 1":               isolation.Leak,
		"UPDATE post SET site_id = 2 WHERE id = 1":                         isolation.Different,
		"INSERT INTO stock (shop_id) VALUES (1000001)":                     isolation.Leak,
		"INSERT INTO setting (site_id, key) VALUES (2, 'new')":             isolation.Different,
		"DELETE FROM event WHERE site_id = 2":                              isolation.Leak,
		"SELECT max(id) FROM event UNION SELECT count(*) FROM log_access":  isolation.Different,
		"SELECT FROM nothing":                                              isolation.Rejected,
		"SELECT row_number() OVER (), id FROM post WHERE id < 100":         isolation.Undetermined,
		"SELECT id FROM post WHERE id < 100 ORDER BY id DESC":              isolation.Same,
		"INSERT INTO note (account_id, body) VALUES (7, 'x') RETURNING id": isolation.Same,
	} {
		if result := ask(t, oracle, statement, 0); result.Verdict != verdict {
			t.Errorf("%s: %s %s, want %s", statement, result.Verdict, result.Detail, verdict)
		}
	}
	// That an answer is open excuses no row of others.
	for _, statement := range open {
		if result := ask(t, oracle, statement, 0); result.Verdict != isolation.Leak && result.Verdict != isolation.Different {
			t.Errorf("%s: %s %s", statement, result.Verdict, result.Detail)
		}
	}
}

// TestOracleSeesFaults makes sure that generated statements find faults of the
// rewriter, of each kind that it could have.
func TestOracleSeesFaults(t *testing.T) {
	oracle, err := isolation.NewOracle(t.Context(), create(t), isolation.Scopes()[0], false)
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close()
	replace := func(pattern, by string) func(string) string {
		re := regexp.MustCompile(pattern)
		return func(sql string) string { return re.ReplaceAllString(sql, by) }
	}
	for name, fault := range map[string]func(string) string{
		"a guard that admits a site more":     replace(`site_id = (\$\d)::bigint`, `site_id IN ($1::bigint, 2)`),
		"a guard that hides a row":            replace(`site_id = (\$\d)::bigint`, `site_id = $1::bigint AND random() < 0.9`),
		"a path that is not followed":         replace(`IN \(SELECT (scoped\w+\.id FROM public.post AS \w+) WHERE [^()]*\)`, `IN (SELECT $1)`),
		"one of two ways to a row":            replace(`\.sender_id = \$\d::bigint OR `, `.sender_id = 0 OR `),
		"a condition that is left out":        replace(`\(\w+\.deleted_at IS NULL\)`, `(true)`),
		"a gate that lets everything through": replace(`CASE WHEN .*? THEN \(`, `CASE WHEN true THEN (`),
		"no fence":                            replace(` OFFSET 0\)`, `)`),
		"a check that does not fail":          replace(`ELSE \('scoped-pgx:[^)]*\)::(int|bool)`, `ELSE NULL::$1`),
		"another's value filled in":           replace(`(VALUES .*)\$\d::bigint\)`, `${1}2)`),
	} {
		t.Run(name, func(t *testing.T) {
			oracle.Corrupt(fault)
			for i := range uint64(3000) {
				sql := isolation.Generate(1, i/2, i%2 == 1, false)
				switch result := ask(t, oracle, sql, int(i)%isolation.Plans); result.Verdict {
				case isolation.Leak, isolation.Different, isolation.Order:
					t.Logf("statement %d: %s: %s: %s", i, sql, result.Verdict, result.Detail)
					return
				}
			}
			t.Error("not found")
		})
	}
}

// TestOracleSeesSchemas makes sure that a name which leads out of the scope's schema
// is found, whether it is read or written.
func TestOracleSeesSchemas(t *testing.T) {
	scopes := isolation.Scopes()
	oracle, err := isolation.NewOracle(t.Context(), create(t), scopes[len(scopes)-1], false)
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close()
	for _, statement := range []string{
		"SELECT count(*) FROM post", "SELECT count(*) FROM site", "SELECT count(*) FROM comment WHERE id < 100",
		"UPDATE post SET n = 3 WHERE id < 2000000", "DELETE FROM note", "INSERT INTO site (id, name) VALUES (77, 'x')",
	} {
		oracle.Corrupt(func(sql string) string { return sql })
		if result := ask(t, oracle, statement, 0); result.Verdict != isolation.Same {
			t.Errorf("%s: %s %s", statement, result.Verdict, result.Detail)
		}
		oracle.Corrupt(func(sql string) string { return strings.Replace(sql, `"t_mine".`, "public.", 1) })
		if result := ask(t, oracle, statement, 0); result.Verdict != isolation.Leak && result.Verdict != isolation.Different {
			t.Errorf("%s in public: %s %s", statement, result.Verdict, result.Detail)
		}
	}
}

// open are statements whose answer PostgreSQL leaves open.
var open = []string{
	"SELECT id FROM post LIMIT 1",
	"SELECT id FROM post OFFSET 7",
	"SELECT n FROM post ORDER BY n % 2 FETCH FIRST 3 ROWS ONLY",
	"SELECT DISTINCT ON (n) id FROM post",
	"SELECT max(id) FROM (SELECT id FROM comment LIMIT 3) AS c",
	"WITH c AS (SELECT id, score FROM comment LIMIT 4) SELECT sum(score) FROM c",
	"SELECT id, row_number() OVER (ORDER BY n) FROM post",
	"SELECT array_agg(id) FROM comment",
	"SELECT string_agg(body, ',') FROM comment WHERE score > 1",
	"DELETE FROM stock WHERE id IN (SELECT id FROM stock LIMIT 2)",
	"UPDATE task SET n = 1 WHERE id = (SELECT id FROM task LIMIT 1) RETURNING id",
	"SELECT p.n FROM post p JOIN comment c ON c.post_id = p.id LIMIT 5",
	"UPDATE shop SET name = t.name, n = s.qty FROM stock s LEFT JOIN shop t ON t.id = s.shop_id WHERE s.shop_id = shop.id",
	"INSERT INTO task (project_id, name) SELECT p.id, t.name FROM project p, task t",
	"SELECT * FROM comment WHERE pat < (SELECT min(name) FROM task WHERE score > days) OFFSET 1",
}

// TestUndetermined makes sure that statements whose answer is open are told, on
// whatever plan, and are not taken for wrong.
func TestUndetermined(t *testing.T) {
	for _, s := range isolation.Scopes() {
		oracle, err := isolation.NewOracle(t.Context(), create(t), s, false)
		if err != nil {
			t.Fatal(err)
		}
		defer oracle.Close()
		for _, statement := range open {
			for plan := range isolation.Plans {
				result := ask(t, oracle, statement, plan)
				if result.Verdict != isolation.Undetermined && result.Verdict != isolation.Same {
					t.Errorf("%s, plan %d: %s %s", statement, plan, result.Verdict, result.Detail)
				}
			}
		}
	}
}

func ask(t *testing.T, oracle *isolation.Oracle, statement string, plan int) isolation.Result {
	t.Helper()
	result, err := oracle.Ask(t.Context(), statement, plan)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestDriver runs some statements through database/sql, where the rewriter and
// the scope's values meet as in a program.
func TestDriver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	policy, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.TrimSpace(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	scope := isolation.Scopes()[0]
	full, err := sql.Open("scoped-pgx", pgtest.DSN(t, isolation.Schema())+"&scope_policy="+file)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	own, err := sql.Open("pgx", pgtest.DSN(t, isolation.Schema(), isolation.OwnSchema(scope)))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	ctx := t.Context()
	for dimension, value := range map[string]any{"site": 1, "user": 7, "org": "00000000-0000-0000-0000-00000000000a", "region": "north", "team": 5} {
		ctx = scoped.With(ctx, dimension, value)
	}
	for _, table := range isolation.Tables() {
		var got, want string
		query := "SELECT count(*)::text || coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM " + table + " t"
		if err := full.QueryRowContext(ctx, query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if err := own.QueryRowContext(ctx, query).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if got != want || strings.HasPrefix(want, "0") {
			t.Errorf("%s: got %s, want %s", table, got, want)
		}
	}
}
