package rewrite_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/rewrite"
)

// spies are functions that fail when SQL calls them, in whatever form.
const spies = `
CREATE FUNCTION spy(post) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a spy'; END $$;
CREATE FUNCTION spy_record(record) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a spy'; END $$;
CREATE FUNCTION spy_any(anyelement, integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a spy'; END $$;
CREATE FUNCTION spy_text(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a spy'; END $$;
CREATE FUNCTION spy_spot(spot) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a spy'; END $$;
`

// TestCallsOnServer puts names behind dots of everything that can stand in FROM
// and asks the server what they are. Where it calls a function, the statement
// must be refused; where it answers, it must be accepted.
func TestCallsOnServer(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, script(t, "schema.sql"), spies))
	c, err := catalog.Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	p := goldenPolicy(t)
	shape, _ := shapeOf(t, p, goldenScope)
	w := rewrite.Rewriter{Policy: p, Catalog: c}

	froms := []string{
		"post AS x", "post AS x(a, b)", "ONLY post x", "post x TABLESAMPLE system (100)", "place x", "event x", "public.log_access x",
		"comment p, post x", "post x, comment p", "post x JOIN comment p ON true", "post p JOIN post AS x USING (id)",
		"post p JOIN site USING (id) AS x", "(post p JOIN site USING (id)) AS x", "(post p CROSS JOIN site s) AS x(a, b, c)",
		"(SELECT * FROM post) AS x", "(SELECT p, p.title FROM post p) AS x", "(SELECT p FROM post p) AS x(p)", "(SELECT p.* FROM post p) AS x",
		"(SELECT at AS spot FROM place) AS x", "(SELECT title AS spy, id FROM post) AS x", "(SELECT id, title FROM post) AS x(spy, id)",
		"(SELECT 1 AS id UNION SELECT 2) AS x", "(VALUES (1, 'a')) AS x(id, title)", "(VALUES (1, 'a')) AS x",
		"named AS x", "named x(spy_any)", "moved x", "unnest(ARRAY(SELECT p FROM post p)) AS x", "unnest(ARRAY['a']) AS x",
		"unnest(ARRAY['a']) AS x(title)", "generate_series(1, 2) AS x", "jsonb_each('{\"a\": 1}') AS x", "slugify('A b') AS x",
		"jsonb_to_record('{}') AS x(id int, spy text)", "ROWS FROM (generate_series(1, 2), slugify('A')) AS x(id, title)",
		"post p, LATERAL (SELECT p.title) AS x", "post p, LATERAL (SELECT p) AS x", "post p CROSS JOIN LATERAL unnest(ARRAY[p]) AS x",
		"comment x, (SELECT 1 AS one) AS y", "post",
	}
	refs := []string{
		"x.id", "x.title", "x.a", "x.p", "x.key", "x.at", "x.spot", "x.spy", "x.spy_record", "x.spy_any", "x.spy_text", "x.spy_spot", "x.headline", "x.slugify", "x.ctid",
		"x.tableoid", "x.row_to_json", "x.x", "x.ordinality", "x.column1", "x.value",
		"(x).id", "(x).title", "(x).spy", "(x).spy_record", "(x).spy_any", "(x).headline", "(x.*).title", "(x.*).spy", "(x).at",
		"(x.p).title", "(x.p).spy", "(x.p).spy_any", "(x.title).spy_text", "(x.at).x", "(x.at).spy_spot", "(x.spot).y", "(x.spot).spy_any",
		"post.spy", "post.title", "public.post.spy", "public.post.title", "(post).spy", "(title).slugify",
		"(SELECT x.spy)", "(SELECT x.title FROM comment y)", "(SELECT x.spy FROM comment y)", "(SELECT x.body FROM comment x LIMIT 1)",
		"(SELECT y.t FROM (SELECT x.spy) AS y(t))", "(SELECT y.t FROM (SELECT x.title) AS y(t))", "(SELECT y.t FROM comment x, (SELECT x.title) AS y(t) LIMIT 1)",
		"(SELECT y.t FROM post x, (SELECT x.spy) AS y(t) LIMIT 1)", "(SELECT y.t FROM comment x, LATERAL (SELECT x.body) AS y(t) LIMIT 1)",
		"(SELECT y.t FROM post x, LATERAL (SELECT x.spy) AS y(t) LIMIT 1)", "(WITH x AS (SELECT 1 AS spy) SELECT x.spy FROM x)",
		"(WITH x AS (SELECT * FROM post) SELECT x.spy_record FROM x LIMIT 1)",
		"array_agg(x.spy)", "EXISTS (SELECT 1 FROM comment y JOIN post z ON z.spy = '' AND y.id > 0)",
		"EXISTS (SELECT 1 FROM comment y JOIN post z ON z.id = x.id)", "(SELECT 1 FROM post y ORDER BY y.spy LIMIT 1)", "count(*) FILTER (WHERE x.spy_any = '')",
	}
	calls, answers, refusals := 0, 0, 0
	for _, from := range froms {
		for _, ref := range refs {
			sql := "WITH named AS (SELECT title, at, p FROM post p LEFT JOIN place ON true), moved AS (SELECT id FROM post) SELECT " + ref + " FROM " + from
			_, refused := w.Rewrite(sql, shape)
			var e *rewrite.Error
			if from == "post AS x(a, b)" && errors.As(refused, &e) && e.Code == rewrite.CodeConstruct {
				continue // a table with a column alias list has no system columns, and no row type
			}
			if refused != nil && (!errors.As(refused, &e) || e.Code != rewrite.CodeFunction) {
				t.Fatalf("%s: %v", sql, refused)
			}
			if refused != nil {
				refusals++
			}
			_, err := conn.Exec(context.Background(), sql)
			var pgErr *pgconn.PgError
			switch {
			case err == nil:
				// In parentheses the name of such a function is refused, whatever it is.
				isField := strings.HasPrefix(ref, "(x") && strings.Contains(ref, ").spy")
				if answers++; refused != nil && !isField {
					t.Errorf("%s\nis refused, and the server answers: %v", sql, refused)
				}
			case errors.As(err, &pgErr) && strings.Contains(pgErr.Message, "a spy"):
				if calls++; refused == nil {
					t.Errorf("%s\ncalls a function", sql)
				}
			}
		}
	}
	if calls < 100 || answers < 300 {
		t.Errorf("only %d calls and %d answers", calls, answers)
	}
	t.Logf("%d calls, %d answers, %d refusals of %d statements", calls, answers, refusals, len(froms)*len(refs))
}
