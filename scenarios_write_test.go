package scoped_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped"
)

// The rows of scenarios_test.go that write.

func wantViolation(ctx context.Context, t *testing.T, db interface {
	queryer
	execer
}, table, query string, args ...any,
) {
	t.Helper()
	_, execErr := db.ExecContext(ctx, query, args...)
	_, queryErr := ids(ctx, db, query, args...)
	for _, err := range []error{execErr, queryErr} {
		if !errors.Is(err, scoped.ErrViolation) {
			t.Errorf("%s: got %v, want ErrViolation", query, err)
			continue
		}
		if e := wantError(t, err, scoped.CodeViolation); e.Table != table {
			t.Errorf("%s: the error names %q, want %q", query, e.Table, table)
		}
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "22P02" {
			t.Errorf("%s: the cause is %v, want PostgreSQL's error", query, errors.Unwrap(err))
		}
	}
}

func TestScenario26WriteByForeignID(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "comment")
	ctx := scoped.With(t.Context(), "site", 1)
	wantExec(ctx, t, b, 0, "UPDATE post SET title = 'x' WHERE id = $1", 2)
	wantExec(ctx, t, b, 0, "DELETE FROM post WHERE id = 2")
	wantExec(ctx, t, b, 0, "UPDATE comment SET body = 'x' WHERE id = $1 OR id = $1", 2)
	wantExec(ctx, t, b, 0, "DELETE FROM comment WHERE id = 2 RETURNING id")
	wantIDs(ctx, t, b, nil, "UPDATE post SET title = 'x' WHERE id = 2 RETURNING id")
	// The same statements do reach the site's own.
	wantIDs(ctx, t, b, []int64{1}, "UPDATE post SET title = title WHERE id IN (1, 2) RETURNING id")
	wantIDs(ctx, t, b, []int64{1}, "UPDATE comment SET body = body WHERE id IN (1, 2) RETURNING id")
}

func TestScenario27UpdateOfTheScope(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "comment")
	ctx := scoped.With(t.Context(), "site", 1)
	wantViolation(ctx, t, b, "public.post", "UPDATE post SET site_id = 2")
	wantViolation(ctx, t, b, "public.post", "UPDATE post SET site_id = $1 WHERE id = 1 RETURNING id", 2)
	wantViolation(ctx, t, b, "public.post", "UPDATE post SET (title, site_id) = (SELECT 'x', 2)")
	wantViolation(ctx, t, b, "public.comment", "UPDATE comment SET post_id = 2")
	wantExec(ctx, t, b, 1, "UPDATE post SET site_id = 1")
	wantExec(ctx, t, b, 1, "UPDATE comment SET post_id = $1 WHERE id = 1", 1)
}

func TestScenario28InsertOfAnotherScope(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post")
	ctx := scoped.With(t.Context(), "site", 1)
	wantViolation(ctx, t, b, "public.post", "INSERT INTO post (title, site_id) VALUES ('x', 2)")
	wantViolation(ctx, t, b, "public.post", "INSERT INTO post (title, site_id) VALUES ('x', $1) RETURNING id", 2)
	wantViolation(ctx, t, b, "public.post", "INSERT INTO post (title, site_id) VALUES ('x', 1), ('y', 2)")
	several := scoped.With(t.Context(), "site", scoped.AnyOf(1, 3))
	wantViolation(several, t, b, "public.post", "INSERT INTO post (title, site_id) VALUES ('x', 2)")
}

func TestScenario29InsertNamesTheScope(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantExec(ctx, t, b, 1, "INSERT INTO post (id, site_id, title) VALUES (10, 1, 'x')")
	wantIDs(ctx, t, b, []int64{11}, "INSERT INTO post (site_id, id) VALUES ($1, $2) RETURNING id", 1, 11)
	several := scoped.With(t.Context(), "site", scoped.AnyOf(1, 3))
	wantExec(several, t, b, 1, "INSERT INTO post (id, site_id) VALUES (12, 3)")
	b.truth([]int64{1, 1, 3}, "SELECT site_id FROM post WHERE id >= 10 ORDER BY id")
}

func TestScenario30SeveralRows(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantExec(ctx, t, b, 3, "INSERT INTO post (id, title) VALUES (10, 'a'), (11, DEFAULT), (DEFAULT, $1)", "c")
	b.truth([]int64{1, 1, 1}, "SELECT site_id FROM post WHERE id >= 10")
	wantExec(ctx, t, b, 2, "INSERT INTO comment (id, post_id) VALUES (20, 1), (21, 10)")
	b.unchanged("post", "comment")
	wantViolation(ctx, t, b, "public.comment", "INSERT INTO comment (post_id) VALUES (1), (2)")
	// A row of nobody is in nobody's scope.
	b.unchanged("page")
	wantViolation(scoped.With(ctx, "realm", "acme"), t, b, "public.page",
		"INSERT INTO page (path, realm) VALUES ('/x', 'acme'), ('/y', NULL)")
}

func TestScenario31InsertSelect(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantExec(ctx, t, b, 1, "INSERT INTO tag (id, name) SELECT id + 100, title FROM post")
	wantExec(ctx, t, b, 2, "INSERT INTO tag (id, weight) SELECT id + 200, 1 FROM post UNION SELECT id + 300, 2 FROM comment")
	b.truth([]int64{101, 201, 301}, "SELECT id FROM tag WHERE id > 100 ORDER BY id")
	wantExec(ctx, t, b, 2, "INSERT INTO post (id, title) SELECT 30, 'a' UNION ALL SELECT 31, 'b'")
	b.truth([]int64{1, 1}, "SELECT site_id FROM post WHERE id >= 30")
}

func TestScenario33UpsertOntoAnotherScope(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "comment")
	ctx := scoped.With(t.Context(), "site", 1)
	const upsert = "INSERT INTO post (id, title) VALUES ($1, 'I was stabbed') ON CONFLICT (id) DO UPDATE SET title = excluded.title"
	wantViolation(ctx, t, b, "public.post", upsert, 2)
	wantViolation(ctx, t, b, "public.post", upsert+" WHERE post.title <> 'x' RETURNING id", 2)
	wantViolation(ctx, t, b, "public.comment",
		"INSERT INTO comment (id, post_id) VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET post_id = 1")
	wantExec(ctx, t, b, 1, upsert, 1)
	wantExec(ctx, t, b, 0, "INSERT INTO post (id) VALUES (2) ON CONFLICT DO NOTHING")
}

func TestScenario36UsingTheSameTable(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantIDs(ctx, t, b, []int64{1}, "UPDATE post SET title = o.title FROM post AS o WHERE o.id = post.id RETURNING post.id")
	b.unchanged("post", "comment")
	wantExec(ctx, t, b, 0, "UPDATE post SET title = o.title FROM post AS o WHERE o.id = 2")
	wantExec(ctx, t, b, 0, "DELETE FROM post USING post AS o WHERE o.id = 2")
	wantExec(ctx, t, b, 0, "DELETE FROM comment c USING post p, comment o WHERE c.post_id = p.id AND p.id = 2")
}

func TestScenario37DeleteOnASharedTable(t *testing.T) {
	b := newBlog(t)
	wantExec(scoped.With(t.Context(), "site", 1), t, b, 1, "DELETE FROM site WHERE id = 3")
	b.truth([]int64{1, 2}, "SELECT id FROM site ORDER BY id")
}

func TestScenario38CommentUnderAForeignPost(t *testing.T) {
	b := newBlog(t)
	b.unchanged("comment", "bookmark")
	ctx := scoped.With(t.Context(), "site", 1)
	wantViolation(ctx, t, b, "public.comment", "INSERT INTO comment (post_id, body) VALUES (2, 'x')")
	wantViolation(ctx, t, b, "public.comment", "INSERT INTO comment (post_id, body) VALUES ($1, 'x') RETURNING id", 2)
	wantViolation(scoped.With(ctx, "user", 1), t, b, "public.bookmark", "INSERT INTO bookmark (post_id) VALUES (2)")
	wantViolation(scoped.With(ctx, "user", 1), t, b, "public.bookmark", "INSERT INTO bookmark (post_id, user_id) VALUES (1, 2)")
}
