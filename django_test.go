package scoped_test

import (
	"context"
	"errors"
	"testing"

	"github.com/scoped-pgx/scoped"
)

// The tests of django-scopes, in its order and under its names. What a query
// set is there is a statement here.

const (
	allPosts     = "SELECT id FROM post ORDER BY id"
	allComments  = "SELECT id FROM comment ORDER BY id"
	allBookmarks = "SELECT id FROM bookmark ORDER BY id"
)

func wantScopeRequired(ctx context.Context, t *testing.T, db interface {
	queryer
	execer
}, dimension, table, query string, args ...any,
) {
	t.Helper()
	_, queryErr := ids(ctx, db, query, args...)
	_, execErr := db.ExecContext(ctx, query, args...)
	for _, err := range []error{queryErr, execErr} {
		if !errors.Is(err, scoped.ErrScopeRequired) {
			t.Errorf("%s: got %v, want ErrScopeRequired", query, err)
			continue
		}
		if e := wantError(t, err, scoped.CodeScopeRequired); e.Dimension != dimension || e.Table != table {
			t.Errorf("%s: the error names %q and %q, want %q and %q", query, e.Dimension, e.Table, dimension, table)
		}
	}
}

func TestDjangoAllowUnaffectedModels(t *testing.T) {
	b := newBlog(t)
	wantIDs(t.Context(), t, b, []int64{1, 2, 3}, "SELECT id FROM site ORDER BY id")
	wantExec(t.Context(), t, b, 1, "INSERT INTO site (id, name) VALUES (4, 'Galba''s blog')")
	wantExec(t.Context(), t, b, 1, "UPDATE site SET name = 'Otho''s blog' WHERE id = 4")
	wantExec(t.Context(), t, b, 1, "DELETE FROM site WHERE id = $1", 4)
}

func TestDjangoRequireScope(t *testing.T) {
	b := newBlog(t)
	b.unchanged("post", "comment")
	for _, query := range []string{
		"SELECT count(*) FROM post",
		allPosts,
		"SELECT EXISTS (SELECT FROM post)",
		"SELECT max(id) FROM post",
		"INSERT INTO post (title) VALUES ('x')",
		"INSERT INTO post (title, site_id) VALUES ('x', 1)",
		"UPDATE post SET title = 'x'",
		"UPDATE post SET title = 'x' WHERE id = 1",
		"DELETE FROM post",
		"DELETE FROM post WHERE id = 1",
		"SELECT id FROM post FOR UPDATE",
	} {
		wantScopeRequired(t.Context(), t, b, "site", "public.post", query)
	}
	for _, query := range []string{
		allComments,
		"INSERT INTO comment (post_id) VALUES (1)",
		"UPDATE comment SET body = 'x'",
		"DELETE FROM comment",
	} {
		wantScopeRequired(t.Context(), t, b, "site", "public.comment", query)
	}
}

func TestDjangoNoneWorks(t *testing.T) {
	b := newBlog(t)
	for _, query := range []string{
		"SELECT id FROM post WHERE false",
		"SELECT id FROM post WHERE id = 1 AND false",
		"SELECT id FROM post LIMIT 0",
		"SELECT id FROM comment WHERE false ORDER BY id",
	} {
		wantIDs(t.Context(), t, b, nil, query)
	}
	// Nothing here says that there are no rows.
	wantScopeRequired(t.Context(), t, b, "site", "public.post", "SELECT count(*) FROM post WHERE id = -1")
}

func TestDjangoRequireScopeSurviveClone(t *testing.T) {
	b := newBlog(t)
	conn, err := b.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The scope belongs to the context, not to the connection that saw it.
	wantIDs(scoped.With(t.Context(), "site", 1), t, conn, []int64{1}, allPosts)
	wantScopeRequired(t.Context(), t, conn, "site", "public.post", allPosts)
	wantScopeRequired(t.Context(), t, conn, "site", "public.post", "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM post) a) b")
}

func TestDjangoRequireScopeIterate(t *testing.T) {
	b := newBlog(t)
	stmt, err := b.PrepareContext(t.Context(), allPosts)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if _, err := stmt.QueryContext(t.Context()); !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("got %v, want ErrScopeRequired", err)
	}
}

// In django-scopes a query set keeps the scope of its making. A statement here
// has the scope in which it runs, wherever it was prepared.
func TestDjangoRequireScopeAtEvaluationNotDefinition(t *testing.T) {
	b := newBlog(t)
	stmt, err := b.PrepareContext(scoped.With(t.Context(), "site", 2), allPosts)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	rows, err := stmt.QueryContext(scoped.With(t.Context(), "site", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := collect(rows); err != nil || len(got) != 1 || got[0] != 1 {
		t.Errorf("got %v, %v, want post 1", got, err)
	}
	if _, err := stmt.QueryContext(t.Context()); !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("got %v, want ErrScopeRequired", err)
	}
}

func TestDjangoScopeAddFilter(t *testing.T) {
	b := newBlog(t)
	site1, site2 := scoped.With(t.Context(), "site", 1), scoped.With(t.Context(), "site", 2)
	wantIDs(site1, t, b, []int64{1}, allPosts)
	wantIDs(site2, t, b, []int64{2}, allPosts)
	wantIDs(scoped.With(t.Context(), "site", 3), t, b, nil, allPosts)

	// get
	wantIDs(site1, t, b, []int64{1}, "SELECT id FROM post WHERE id = $1", 1)
	wantIDs(site1, t, b, nil, "SELECT id FROM post WHERE id = $1", 2)

	// create, without naming the site
	var id, site int64
	err := b.QueryRowContext(site2, "INSERT INTO post (title) VALUES ($1) RETURNING id, site_id", "Et tu").Scan(&id, &site)
	if err != nil || site != 2 {
		t.Errorf("got a post of site %d, %v, want one of site 2", site, err)
	}
	b.truth([]int64{2}, "SELECT site_id FROM post WHERE id = $1", id)

	// delete
	wantExec(site1, t, b, 0, "DELETE FROM post WHERE id = $1", id)
	b.truth([]int64{1, 2, id}, allPosts)
	wantExec(site2, t, b, 2, "DELETE FROM post")
	b.truth([]int64{1}, allPosts)
}

func TestDjangoScopeKeepFilter(t *testing.T) {
	b := newBlog(t)
	const annotated = "SELECT DISTINCT id, 3 AS c FROM post WHERE title <> $1"
	const filtered = "SELECT id FROM post WHERE title LIKE 'I%' AND id < $1"
	for site := int64(1); site <= 2; site++ {
		ctx := scoped.With(t.Context(), "site", site)
		var id, c int64
		if err := b.QueryRowContext(ctx, annotated, "x").Scan(&id, &c); err != nil || id != site || c != 3 {
			t.Errorf("site %d: got post %d, c %d, %v", site, id, c, err)
		}
		wantIDs(ctx, t, b, []int64{site}, filtered, 10)
		wantIDs(ctx, t, b, nil, filtered, site)
	}
}

func TestDjangoScopeAdvancedLookup(t *testing.T) {
	b := newBlog(t)
	wantIDs(scoped.With(t.Context(), "site", 1), t, b, []int64{1}, allComments)
	wantIDs(scoped.With(t.Context(), "site", 2), t, b, []int64{2}, allComments)
}

func TestDjangoScopeNested(t *testing.T) {
	b := newBlog(t)
	outer := scoped.With(t.Context(), "site", 1)
	wantIDs(outer, t, b, []int64{1}, allComments)
	inner := scoped.With(outer, "site", 2)
	wantIDs(inner, t, b, []int64{2}, allComments)
	wantIDs(outer, t, b, []int64{1}, allComments)
}

func TestDjangoScopeMultisite(t *testing.T) {
	b := newBlog(t)
	wantIDs(scoped.With(t.Context(), "site", scoped.AnyOf(1)), t, b, []int64{1}, allComments)
	both := scoped.With(t.Context(), "site", scoped.AnyOf(1, 2, 3))
	wantIDs(both, t, b, []int64{1, 2}, allComments)
	wantIDs(both, t, b, []int64{1, 2}, allPosts)
	wantIDs(scoped.With(t.Context(), "site", scoped.AnyOf([]int64{2, 3})), t, b, []int64{2}, allPosts)
}

// A manager of one's own is a filter in SQL: it stays in force.
func TestDjangoScopeUsesManagerClass(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	wantExec(ctx, t, b, 1, "INSERT INTO post (id, title) VALUES (9, 'deleted')")
	wantIDs(ctx, t, b, []int64{1}, "SELECT id FROM (SELECT * FROM post WHERE title <> 'deleted') AS visible")
}

func TestDjangoScopeAsDecorator(t *testing.T) {
	b := newBlog(t)
	inner := func(ctx context.Context) { wantIDs(ctx, t, b, []int64{1}, allComments) }
	inner(scoped.With(t.Context(), "site", 1))
}

func TestDjangoScopeOptOut(t *testing.T) {
	b := newConnectedBlog(t, discard())
	disabled := scoped.Disable(t.Context(), "test")
	wantIDs(disabled, t, b, []int64{1, 2}, allComments)
	all := scoped.With(t.Context(), "site", scoped.All)
	wantIDs(all, t, b, []int64{1, 2}, allComments)
	// All is for one dimension, and is no value to fill a column with.
	wantScopeRequired(all, t, b, "user", "public.bookmark", allBookmarks)
	_, err := b.ExecContext(all, "INSERT INTO post (title) VALUES ('x')")
	wantError(t, err, scoped.CodeFill)

	// Inside one another, each holds for its own context only.
	scope := scoped.With(t.Context(), "site", 1)
	inside := scoped.Disable(scope, "test")
	wantIDs(inside, t, b, []int64{1, 2}, allComments)
	wantIDs(scoped.With(inside, "site", 2), t, b, []int64{2}, allComments)
	wantIDs(scoped.With(inside, "user", 2), t, b, []int64{2}, allBookmarks)
	wantIDs(scope, t, b, []int64{1}, allComments)
}

func TestDjangoScopeOptOutDecorator(t *testing.T) {
	b := newConnectedBlog(t, discard())
	inner := func(ctx context.Context) { wantIDs(ctx, t, b, []int64{1, 2}, allComments) }
	inner(scoped.Disable(t.Context(), "test"))
}

func TestDjangoMultipleDimensions(t *testing.T) {
	b := newBlog(t)
	site := func(ctx context.Context, v any) context.Context { return scoped.With(ctx, "site", v) }
	user := func(ctx context.Context, v any) context.Context { return scoped.With(ctx, "user", v) }
	ctx := t.Context()

	wantScopeRequired(ctx, t, b, "site", "public.bookmark", allBookmarks)
	wantScopeRequired(site(ctx, 1), t, b, "user", "public.bookmark", allBookmarks)
	wantScopeRequired(user(ctx, 1), t, b, "site", "public.bookmark", allBookmarks)

	wantIDs(user(site(ctx, 1), 1), t, b, []int64{1}, allBookmarks)
	wantIDs(site(user(site(ctx, 1), 1), 2), t, b, []int64{3}, allBookmarks)
	wantIDs(user(site(ctx, 1), 2), t, b, []int64{2}, allBookmarks)
	wantIDs(site(user(ctx, 1), 1), t, b, []int64{1}, allBookmarks)
	wantIDs(user(site(ctx, scoped.AnyOf(1, 2)), scoped.AnyOf(1, 2)), t, b, []int64{1, 2, 3}, allBookmarks)
	wantIDs(user(site(ctx, scoped.All), 1), t, b, []int64{1, 3}, allBookmarks)
}

// A form that offers a choice of objects reads them.
func TestDjangoFormsRequireScope(t *testing.T) {
	b := newBlog(t)
	const choices = "SELECT id FROM post WHERE id IN (SELECT post_id FROM comment)"
	wantScopeRequired(t.Context(), t, b, "site", "public.post", choices)
	wantIDs(scoped.With(t.Context(), "site", 1), t, b, []int64{1}, choices)
}
