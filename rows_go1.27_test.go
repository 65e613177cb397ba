//go:build go1.27

package scoped_test

import (
	"slices"
	"testing"

	"github.com/scoped-pgx/scoped"
)

// pgx scans slices itself, and a check column takes nothing from that.
func TestScanSliceBesideACheck(t *testing.T) {
	b := newBlog(t)
	ctx := scoped.With(t.Context(), "site", 1)
	var got []int64
	err := b.QueryRowContext(ctx, "INSERT INTO post (id, site_id) VALUES (9, 1) RETURNING ARRAY[id, site_id]").Scan(&got)
	if err != nil || !slices.Equal(got, []int64{9, 1}) {
		t.Errorf("got %v, %v", got, err)
	}
	b.unchanged("post")
	wantViolation(ctx, t, b, "public.post", "INSERT INTO post (site_id) VALUES (2) RETURNING ARRAY[id]")
}
