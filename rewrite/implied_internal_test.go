package rewrite

import (
	"regexp"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

// The guard of a target is left out only where every row that its parent's guard
// lets be read may be changed; the certificate demands it everywhere else.
func TestImpliedTargets(t *testing.T) {
	const update = "UPDATE comment c SET body = 'x' FROM post p WHERE p.id = c.post_id"
	guarded := regexp.MustCompile(`WHERE \(c.*$`)
	for _, c := range []struct {
		post, comment string
		presence      Presence
		implied       bool
	}{
		{"{site: site_id}", "{site: post_id -> post}", One, true},
		{"{site: site_id}", "{site: post_id -> post}", Many, true},
		{"{site: site_id}", "{site: post_id -> post}", WriteOne, false},
		{"{site: {column: site_id, null: visible}}", "{site: post_id -> post}", One, true},
		{"{site: {column: site_id, null: read}}", "{site: post_id -> post}", One, false},
		{"{site: site_id}", "{site: {column: post_id -> post, null: visible}}", One, true},
		{"{site: site_id}", "{site: {column: post_id -> post, null: read}}", One, false},
		{"{site: site_id, where: deleted IS NULL}", "{site: post_id -> post}", One, true},
		{"{site: site_id}", "{site: post_id -> post, barrier: always}", One, false},
		{"{site: site_id}", "{site: post_id -> post, view: true}", One, false},
	} {
		p, err := policy.Parse("policy.yaml", []byte("version: 1\ndimensions: {site: {type: bigint}}\ntables:\n  post: "+c.post+"\n  comment: "+c.comment+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		shape := Shape(0).With(p.Dimension("site"), c.presence)
		r, err := New(update, p, shape)
		if err != nil {
			t.Fatal(err)
		}
		if implied := strings.HasSuffix(r.SQL, "WHERE p.id = c.post_id"); implied != c.implied {
			t.Errorf("post: %s, comment: %s, %d:\n%s", c.post, c.comment, c.presence, r.SQL)
		}
		if c.implied {
			continue
		}
		wrong := *r
		if wrong.SQL = guarded.ReplaceAllString(r.SQL, "WHERE p.id = c.post_id"); wrong.SQL == r.SQL {
			t.Fatalf("there is no guard to leave out of\n%s", r.SQL)
		}
		s, original, err := parse(update)
		if err != nil {
			t.Fatal(err)
		}
		if err := certify(&wrong, s, original, p, nil, shape); err == nil {
			t.Errorf("post: %s, comment: %s, %d: certified without the guard:\n%s", c.post, c.comment, c.presence, wrong.SQL)
		}
	}
}
