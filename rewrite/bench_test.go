package rewrite_test

import (
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/rewrite"
)

var benchStatements = []struct{ name, sql string }{
	{"point", "SELECT id, title, body FROM post WHERE id = $1"},
	{"joins", "SELECT p.id, p.title, count(c.id) FROM post p JOIN site s ON s.id = p.site_id LEFT JOIN comment c ON c.post_id = p.id WHERE p.views > $1 AND s.name LIKE $2 GROUP BY p.id ORDER BY p.created_at DESC LIMIT 20"},
	{"insert", "INSERT INTO comment (post_id, body) VALUES ($1, $2) RETURNING id"},
	{"update", "UPDATE post SET title = $1, views = views + 1 WHERE id = $2 AND title <> $1"},
}

// BenchmarkNew measures the cold path, a statement that was not seen before;
// BenchmarkParse what the parser alone takes of it.
func BenchmarkNew(b *testing.B) {
	p := goldenPolicy(b)
	shape, _ := shapeOf(b, p, goldenScope)
	for _, s := range benchStatements {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rewrite.New(s.sql, p, shape); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, s := range benchStatements {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pgparse.Parse(s.sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
