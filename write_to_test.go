package scoped_test

import (
	"errors"
	"testing"

	"github.com/scoped-pgx/scoped"
)

// TestWriteTo reads the posts of both sites and writes those of the first alone.
func TestWriteTo(t *testing.T) {
	b := newBlog(t, "default_query_exec_mode=exec")
	ctx := scoped.With(t.Context(), "site", scoped.AnyOf(1, 2).WriteTo(1))
	wantIDs(ctx, t, b, []int64{1, 2}, "SELECT id FROM post ORDER BY id")
	wantIDs(ctx, t, b, []int64{1}, "UPDATE post SET title = title || $1 RETURNING id", "!")
	wantExec(ctx, t, b, 1, "UPDATE comment SET body = 'x'")
	wantExec(ctx, t, b, 0, "DELETE FROM comment WHERE post_id = 2")
	wantViolation(ctx, t, b, "public.post", "UPDATE post SET site_id = 2")
	wantViolation(ctx, t, b, "public.post", "INSERT INTO post (title, site_id) VALUES ('x', 2)")
	wantViolation(ctx, t, b, "public.comment", "INSERT INTO comment (id, post_id) VALUES (90, 2)")
	wantExec(ctx, t, b, 2, "INSERT INTO post (title) SELECT title FROM post")
	b.truth([]int64{3}, "SELECT count(*) FROM post WHERE site_id = 1")

	// Several statements in one string have literals.
	if _, err := b.ExecContext(ctx, "UPDATE post SET title = 'all'; DELETE FROM comment"); err != nil {
		t.Fatal(err)
	}
	b.truth([]int64{3}, "SELECT count(*) FROM post WHERE title = 'all'")
	b.truth([]int64{0}, "SELECT count(*) FROM comment c JOIN post p ON p.id = c.post_id WHERE p.site_id = 1")

	// A value alone is read and written.
	alone := scoped.With(t.Context(), "site", scoped.AnyOf(2).WriteTo(2))
	wantIDs(alone, t, b, []int64{2}, "SELECT id FROM post")
	wantExec(alone, t, b, 1, "UPDATE post SET title = 'mine'")
}

func TestWriteToFaults(t *testing.T) {
	b := newBlog(t)
	for name, set := range map[string]scoped.Set{
		"none of the values": scoped.AnyOf(1, 2).WriteTo(3),
		"not the only value": scoped.AnyOf(1).WriteTo(3),
		"another type":       scoped.AnyOf(1, 2).WriteTo("1"),
		"nil":                scoped.AnyOf(1, 2).WriteTo(nil),
		"all":                scoped.AnyOf(1, 2).WriteTo(scoped.All),
		"no values":          scoped.AnyOf().WriteTo(1),
		"inside another":     scoped.AnyOf(scoped.AnyOf(1, 2).WriteTo(1), 3),
	} {
		_, err := ids(scoped.With(t.Context(), "site", set), b, "SELECT id FROM post")
		if !errors.Is(err, scoped.ErrRefused) || wantError(t, err, scoped.CodeScope).Dimension != "site" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
