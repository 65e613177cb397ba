package scoped_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/scoped-pgx/scoped"
)

// A locking clause locks the rows that the statement returns and no others: not
// those of the tables that a path leads over, which django-scopes locks too, and
// none of another scope. The comments of site 1 are 1, 3 and 4.
func TestScenario47LocksOnlyTheTablesOfTheStatement(t *testing.T) {
	b := newBlog(t)
	if _, err := b.plain.ExecContext(t.Context(), "INSERT INTO comment (id, post_id, body) VALUES (3, 1, '3'), (4, 1, '4')"); err != nil {
		t.Fatal(err)
	}
	tables := []string{"site", "post", "comment", "bookmark"}
	for _, c := range []struct {
		query  string
		locked map[string][]int64
	}{
		{"SELECT id FROM comment FOR UPDATE", map[string][]int64{"comment": {1, 3, 4}}},
		{"SELECT id FROM comment WHERE id > 1 FOR UPDATE NOWAIT", map[string][]int64{"comment": {3, 4}}},
		{"SELECT id FROM comment WHERE id > 1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", map[string][]int64{"comment": {3}}},
		{"SELECT id FROM comment WHERE length(body) = 1 AND body::int > 3 FOR UPDATE", map[string][]int64{"comment": {4}}}, // gated
		{"SELECT i FROM comment AS c (i, p) FOR UPDATE OF c", map[string][]int64{"comment": {1, 3, 4}}},                    // in a subquery
		{"SELECT c.id FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = 1 FOR UPDATE OF c", map[string][]int64{"comment": {1}}},
		{"SELECT c.id FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = 1 FOR UPDATE", map[string][]int64{"comment": {1}, "post": {1}}},
		{"SELECT id FROM bookmark FOR NO KEY UPDATE", map[string][]int64{"bookmark": {1}}},
		{"SELECT id FROM post WHERE id IN (SELECT post_id FROM comment) FOR SHARE", map[string][]int64{"post": {1}}},
		{"SELECT id FROM site WHERE EXISTS (SELECT FROM post WHERE site_id = site.id) FOR KEY SHARE", map[string][]int64{"site": {1}}},
		{"WITH c AS (SELECT id FROM comment WHERE id = 3 FOR UPDATE) SELECT id FROM c", map[string][]int64{"comment": {3}}},
	} {
		// KEY SHARE conflicts with FOR UPDATE alone, so that is what tells.
		locked := func() map[string][]int64 {
			left := map[string][]int64{}
			for _, table := range tables {
				query := fmt.Sprintf("SELECT id FROM %s ORDER BY id", table)
				all, err := ids(t.Context(), b.plain, query)
				if err != nil {
					t.Fatal(err)
				}
				free, err := ids(t.Context(), b.plain, query+" FOR UPDATE SKIP LOCKED")
				if err != nil {
					t.Fatal(err)
				}
				all = slices.DeleteFunc(all, func(id int64) bool { return slices.Contains(free, id) })
				if len(all) > 0 {
					left[table] = all
				}
			}
			return left
		}
		tx, err := b.BeginTx(scoped.With(scoped.With(t.Context(), "site", 1), "user", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ids(t.Context(), tx, c.query); err != nil {
			t.Errorf("%s: %v", c.query, err)
		}
		if got := locked(); fmt.Sprint(got) != fmt.Sprint(c.locked) {
			t.Errorf("%s: locked are %v, want %v", c.query, got, c.locked)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := locked(); len(got) > 0 {
			t.Fatalf("%s: still locked are %v", c.query, got)
		}
	}
}
