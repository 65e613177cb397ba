package rewrite_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// poisoned holds 49 sites beside site 1, none of whose texts is a number or the
// name of a table: whatever evaluates a condition on their rows fails.
const poisoned = `
CREATE TABLE site (id bigint PRIMARY KEY);
CREATE TABLE post (id bigint PRIMARY KEY, site_id bigint, title text);
CREATE TABLE comment (id bigint PRIMARY KEY, post_id bigint, body text);
INSERT INTO site SELECT generate_series(1, 50);
INSERT INTO post SELECT g, g % 50 + 1, CASE WHEN g % 50 + 1 = 1 THEN 'post' ELSE 'secret' || g END FROM generate_series(1, 2000) g;
INSERT INTO comment SELECT g, g % 2000 + 1, CASE WHEN (g % 2000 + 1) % 50 + 1 = 1 THEN g::text ELSE 'secret' || g END FROM generate_series(1, 10000) g;
CREATE INDEX ON comment (post_id);
CREATE INDEX ON post (site_id);
ANALYZE`

const poisonedPolicy = `
version: 1
dimensions: {site: {type: bigint}}
tables: {site: {shared: read}, post: {site: site_id}, comment: {site: post_id -> post}}`

var conditionsThatFailOnPoison = []string{
	"SELECT count(*) FROM comment WHERE body::int > 0",
	"SELECT count(*) FROM post WHERE has_table_privilege(title,'select') OR true",
	"SELECT count(*) FROM post WHERE has_table_privilege(title,'select') IS NOT NULL AND title<>'post'",
	"SELECT count(*) FROM (SELECT body FROM comment) s WHERE s.body::int > 0",
	"SELECT count(*) FROM (SELECT body::int AS n FROM comment) s WHERE s.n > 0",
	"SELECT count(*) FROM (SELECT body::int AS n, count(*) FROM comment GROUP BY 1) s WHERE s.n > 0",
	"WITH s AS (SELECT body FROM comment) SELECT count(*) FROM s WHERE s.body::int > 0",
	"SELECT count(*) FROM site WHERE id IN (SELECT body::int FROM comment)",
	"SELECT count(*) FROM post p JOIN comment c ON c.post_id = p.id AND c.body::int > 3",
	"SELECT count(*) FROM site s LEFT JOIN comment c ON c.id = s.id AND c.body::int > 3 WHERE c.body::int IS NULL OR c.body::int > 0",
	"SELECT count(*) FROM comment c, LATERAL (SELECT c.body::int AS n) x WHERE n > 0",
	"SELECT count(*) FROM comment c, LATERAL (SELECT c.body::int AS n) x WHERE x.n > 0",
	"SELECT count(*) FROM site s JOIN LATERAL (SELECT c.body::int AS n FROM comment c WHERE c.id = s.id) x ON x.n > 0",
	"SELECT count(*) FROM comment c, generate_series(1, c.body::int % 3) g",
	"SELECT count(*) FROM comment c WHERE EXISTS (SELECT FROM site s WHERE s.id = c.body::int)",
	"SELECT count(*) FROM site s WHERE EXISTS (SELECT FROM comment c WHERE s.id = c.body::int)",
	"SELECT count(*) FROM site s WHERE NOT EXISTS (SELECT FROM comment WHERE id = s.id AND body::int = 4)",
	"SELECT body FROM comment GROUP BY body HAVING body::int > 9000",
	"SELECT count(*) FROM (SELECT body FROM comment UNION ALL SELECT body FROM comment) s WHERE s.body::int > 0",
	"SELECT count(*) FROM (SELECT body FROM comment UNION SELECT body FROM comment) s WHERE s.body::int > 0",
	"SELECT count(*) FROM comment WHERE CASE WHEN id > 0 THEN body::int END > 0",
	"SELECT max(body::int) FROM comment",
	"SELECT count(*) FILTER (WHERE body::int > 0) FROM comment",
	"SELECT DISTINCT ON (body::int) id FROM comment ORDER BY body::int LIMIT 1",
	"SELECT id FROM comment ORDER BY body::int LIMIT 1",
	"SELECT count(*) FROM comment a JOIN comment b ON a.body::int = b.id",
	"SELECT count(*) FROM comment a NATURAL JOIN comment b WHERE body::int > 0",
	"SELECT count(*) FROM (comment c JOIN post p ON p.id = c.post_id) AS j(a,b,body,d,e,f) WHERE body::int > 0",
	"UPDATE comment SET body = body WHERE body::int > 100000",
	"DELETE FROM comment WHERE body::int > 100000",
	"UPDATE comment SET body = (body::int + 1)::text WHERE id < 0",
	"DELETE FROM comment c USING post p WHERE p.id = c.post_id AND c.body::int > 100000",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret\\'",
	"SELECT count(*) FROM comment c WHERE (SELECT c.body::int) > 0",
	"SELECT count(*) FROM comment c WHERE c.id = ANY (ARRAY(SELECT c.body::int))",
	"SELECT count(*) FROM comment c WHERE c.id IN (SELECT s.id FROM site s WHERE s.id = c.body::int)",
	"SELECT count(*) FROM (SELECT c.*, row_number() OVER (PARTITION BY post_id ORDER BY id) rn FROM comment c) x WHERE x.rn = 1 AND x.body::int > 0",
	"SELECT count(*) FROM (SELECT * FROM (SELECT * FROM comment) a) b WHERE b.body::int > 0",
	"SELECT count(*) FROM site s JOIN (SELECT c.id, c.body::int AS n FROM comment c) x USING (id) WHERE n > 0",
	"SELECT count(*) FROM site s LEFT JOIN (SELECT c.id, c.body::int AS n FROM comment c) x USING (id)",
	"SELECT count(*) FROM comment WHERE post_id IN (SELECT id FROM post WHERE body::int > 0)",
	"SELECT count(*) FROM comment WHERE EXISTS (SELECT FROM site WHERE id = body::int)",
	"SELECT count(*) FROM comment WHERE post_id IN (SELECT post.id FROM post, (SELECT body::int AS n) s WHERE s.n > 0)",
	"SELECT count(*) FROM comment WHERE id IN (SELECT c.id FROM comment AS c (id, a, b) WHERE body::int > 0)",
	"WITH site AS (SELECT 1 AS other) SELECT count(*) FROM comment WHERE EXISTS (SELECT FROM site WHERE body::int > id)",
	"SELECT count(*) FROM site WHERE id IN (SELECT id FROM comment WHERE body::int > 0)",
	"SELECT count(*) FROM site WHERE EXISTS (SELECT FROM comment WHERE post_id = site.id AND body::int > 0)",
	"SELECT count(*) FROM post WHERE id IN (SELECT post_id FROM comment GROUP BY post_id HAVING sum(body::int) > 0)",
}

// These cast by themselves, compare records, or compute what names no column, only
// for the rows of others.
var conditionsThatFailUnseen = []string{
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN 5000000000 ELSE 1 END = 1::oid",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END < 2::float8",
	"SELECT count(*) FROM comment WHERE 1::real < CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 2 END",
	"SELECT count(*) FROM comment WHERE greatest(CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 2 END, 3::float8) IS NOT NULL",
	"SELECT count(*) FROM comment WHERE coalesce(CASE WHEN body LIKE 'secret%' THEN '5874897-01-01'::date END, now()) IS NOT NULL",
	"SELECT count(*) FROM comment WHERE CASE CASE WHEN body LIKE 'secret%' THEN 5000000000 ELSE 1 END WHEN 1::oid THEN true END",
	"SELECT count(*) FROM comment c WHERE CASE WHEN body LIKE 'secret%' THEN -1::bigint ELSE 1 END IN (c.tableoid, 1)",
	"SELECT count(*) FROM comment c, pg_class k WHERE CASE WHEN c.body LIKE 'secret%' THEN -1::bigint END = k.oid",
	"SELECT count(*) FROM comment c, (VALUES (1::float8)) AS v (x) WHERE CASE WHEN c.body LIKE 'secret%' THEN 1e400 END < v.x",
	"SELECT count(*) FROM (SELECT CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END AS x FROM comment) s WHERE s.x < 2::float8",
	"SELECT count(*) FROM (SELECT CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END FROM comment) s WHERE s.case < 2::float8",
	"SELECT count(*) FROM (SELECT CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END AS x FROM comment) s JOIN (SELECT 2::float8 AS x) t USING (x)",
	"SELECT count(*) FROM (SELECT CASE WHEN body LIKE 'secret%' THEN 1e400 END AS x FROM comment UNION ALL SELECT 2::float8) s WHERE s.x IS NOT NULL",
	"WITH s AS (SELECT CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END AS x FROM comment) SELECT count(*) FROM s AS t (y) WHERE y < 2::float8",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END IN (SELECT 1::float8)",
	"SELECT count(*) FROM comment WHERE $1::float8 > 0 AND CASE WHEN body LIKE 'secret%' THEN 1e400 ELSE 1 END < $1",
	"SELECT count(*) FROM comment WHERE $1::oid > 0 AND CASE WHEN body LIKE 'secret%' THEN 5000000000 ELSE 1 END = $1",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN ROW(1) ELSE ROW(1, 2) END = ROW(1, 2)",
	"SELECT count(*) FROM comment c WHERE body LIKE 'secret%' AND c < ROW(1)",
	"SELECT count(*) FROM post p WHERE title LIKE 'secret%' AND p < ROW(1)",
	"SELECT count(*) FROM (SELECT CASE WHEN body LIKE 'secret%' THEN ROW(1) ELSE ROW(1, 2) END AS x FROM comment) s, (SELECT ROW(1, 2) AS y) t WHERE x = y",
	"SELECT count(*) FROM comment WHERE ARRAY[CASE WHEN body LIKE 'secret%' THEN ARRAY[1] ELSE ARRAY[1, 2] END, ARRAY[1, 2]] IS NOT NULL",
	"SELECT count(*) FROM comment WHERE (ARRAY[1])[CASE WHEN body LIKE 'secret%' THEN 5000000000 ELSE 1 END] = 1",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id = 1 / (SELECT 0)",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN 1 / (SELECT 0) ELSE 1 END = 1",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND body > (SELECT 'x' UNION ALL SELECT 'y')",
	"SELECT count(*) FROM post WHERE title LIKE 'secret%' AND title > (SELECT 'x' UNION ALL SELECT 'y')",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id < (SELECT id FROM site)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id IN (SELECT 1 / (id - id) FROM site)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id IN (SELECT id FROM site LIMIT (SELECT -1))",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id = (SELECT id FROM site LIMIT -1)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id = (SELECT 1 FROM site ORDER BY 1 FETCH FIRST 1 ROW WITH TIES)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id = (SELECT s.id FROM site s WHERE s.id = s.id)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND id = (SELECT s.id FROM site s WHERE s.id = 1 OR s.id = 2)",
	"SELECT count(*) FROM comment WHERE body LIKE 'secret%' AND body LIKE ANY (SELECT title || E'\\\\' FROM post)",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN now() - interval '178000000 years' ELSE now() END > now()",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN current_user::int ELSE 1 END = 1",
	"SELECT count(*) FROM comment WHERE CASE WHEN body LIKE 'secret%' THEN (-1)::information_schema.cardinal_number END IS NULL",
}

// TestOrderOfEvaluation runs conditions that fail on other sites' rows, under
// several plans, with one value and with several, rewritten with a catalogue and
// without. None may fail.
func TestOrderOfEvaluation(t *testing.T) {
	ctx := context.Background()
	p, err := policy.Parse("policy.yaml", []byte(poisonedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, pgtest.DSN(t, poisoned))
	read, err := catalog.Read(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	site := p.Dimension("site")
	scopes := map[string]struct {
		shape rewrite.Shape
		value any
	}{
		"one":  {rewrite.Shape(0).With(site, rewrite.One), int64(1)},
		"many": {rewrite.Shape(0).With(site, rewrite.Many), []int64{1, 51}},
	}
	ungated := "SELECT count(*) FROM (comment c JOIN (SELECT) AS s ON c.post_id IN (SELECT id FROM post WHERE site_id = 1)) WHERE c.body::int > 0"
	if _, err := conn.Exec(ctx, ungated); err == nil {
		t.Error("the poison does not show where there is no gate")
	}
	for _, setting := range []string{"enable_hashjoin = on", "enable_hashjoin = off", "enable_nestloop = off", "enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, "SET LOCAL "+setting); err != nil {
			t.Fatal(err)
		}
		for _, sql := range slices.Concat(conditionsThatFailOnPoison, conditionsThatFailUnseen) {
			for name, scope := range scopes {
				without := ""
				for _, w := range []rewrite.Rewriter{{Policy: p}, {Policy: p, Catalog: read}} {
					r, err := w.Rewrite(sql, scope.shape)
					if err != nil {
						t.Fatalf("%s: %v", sql, err)
					}
					if r.SQL == without {
						continue
					}
					without = r.SQL
					err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
						args := []any{scope.value}
						if strings.Contains(sql, "$1") {
							args = []any{2, scope.value}
						}
						_, err := tx.Exec(ctx, r.SQL, args...)
						return err
					})
					if err != nil {
						t.Errorf("%s, %s: %s\n%v", setting, name, r.SQL, err)
					}
				}
			}
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
