package blog

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

//go:embed schema.sql
var schema string

// DSN returns the data source name of a database with both sites, for a test of
// a package beside this one.
func DSN(t *testing.T) string { return PlainDSN(t) + "&scope_policy=../blog/policy.yaml" }

// PlainDSN is DSN for pgx, without the policy.
func PlainDSN(t *testing.T) string { return pgtest.DSN(t, schema) }

// Test has both sites use the store: Rye and Sourdough are posts 1 and 2, of site
// 1, and Gears is post 3, of site 2.
func Test(t *testing.T, s Store) {
	bread := scoped.With(t.Context(), "site", 1)
	bikes := scoped.With(t.Context(), "site", 2)

	// Each site has its own rows, though no query has a filter.
	equal(t, "titles of site 1", s.Titles, bread, "Rye", "Sourdough")
	equal(t, "titles of site 2", s.Titles, bikes, "Gears")
	equal(t, "comments of site 1", s.Comments, bread, "Rye: Dark!")
	equal(t, "comments of site 2", s.Comments, bikes, "Gears: Greasy!")

	// What is inserted belongs to the site.
	id, err := s.AddPost(bikes, "Chains")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddComment(bikes, id, "Rusty!"); err != nil {
		t.Fatal(err)
	}
	equal(t, "titles of site 2", s.Titles, bikes, "Gears", "Chains")
	equal(t, "comments of site 2", s.Comments, bikes, "Gears: Greasy!", "Chains: Rusty!")

	// Another site's post is not there to be changed.
	for _, c := range []struct {
		ctx  context.Context
		want int64
	}{{bread, 0}, {bikes, 1}} {
		if n, err := s.Rename(c.ctx, 3, "Brakes"); n != c.want || err != nil {
			t.Errorf("renamed %d posts, error %v; want %d", n, err, c.want)
		}
	}

	// What would leave the site is refused, and nothing is written.
	if err := s.Move(bread, 1, 2); !errors.Is(err, scoped.ErrViolation) {
		t.Errorf("moving a post to another site: got %v, want a violation", err)
	}
	if err := s.AddComment(bread, 3, "Spam"); !errors.Is(err, scoped.ErrViolation) {
		t.Errorf("commenting on another site's post: got %v, want a violation", err)
	}

	// A forgotten scope is an error, and not everybody's rows.
	if titles, err := s.Titles(t.Context()); !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("without a scope: got %q, %v", titles, err)
	}

	equal(t, "titles in the end", s.Titles, scoped.With(t.Context(), "site", scoped.All), "Rye", "Sourdough", "Brakes", "Chains")
}

func equal(t *testing.T, what string, read func(context.Context) ([]string, error), ctx context.Context, want ...string) {
	t.Helper()
	got, err := read(ctx)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
