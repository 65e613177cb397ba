package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A scene is one statement of an ordinary program, run in a scope, and what
// must come of it.
type scene struct {
	title string
	scope scope
	tx    bool // in a transaction
	exec  bool // with Exec rather than Query
	sql   string
	args  []any

	want   string // in the words of outcome.String
	byHand string // the superuser's statement with hand-written filters; none where nothing may happen
}

// A scope is what the context of a scene holds.
type scope struct {
	dimensions []dimension
	disabled   string // the reason
}

// A dimension is restricted to ids, or to none explicitly where there are none.
type dimension struct {
	name string
	ids  []int
}

func site(ids ...int) scope { return scope{dimensions: []dimension{{"site", ids}}} }

func (s scope) and(name string, ids ...int) scope {
	s.dimensions = append(s.dimensions, dimension{name, ids})
	return s
}

// context returns ctx with the scope in it.
func (s scope) context(ctx context.Context) context.Context {
	for _, d := range s.dimensions {
		switch len(d.ids) {
		case 0:
			ctx = scoped.With(ctx, d.name, scoped.All)
		case 1:
			ctx = scoped.With(ctx, d.name, d.ids[0])
		default:
			ctx = scoped.With(ctx, d.name, scoped.AnyOf(d.ids))
		}
	}
	if s.disabled != "" {
		ctx = scoped.Disable(ctx, s.disabled)
	}
	return ctx
}

// String returns the Go expression of the context.
func (s scope) String() string {
	expression := "ctx"
	for _, d := range s.dimensions {
		value := "scoped.All"
		switch len(d.ids) {
		case 0:
		case 1:
			value = strconv.Itoa(d.ids[0])
		default:
			value = "scoped.AnyOf(" + join(d.ids) + ")"
		}
		expression = fmt.Sprintf("scoped.With(%s, %q, %s)", expression, d.name, value)
	}
	if s.disabled != "" {
		expression = fmt.Sprintf("scoped.Disable(%s, %q)", expression, s.disabled)
	}
	return expression
}

// shape returns what the rewriter is told of the scope.
func (s scope) shape(p *policy.Policy) rewrite.Shape {
	var shape rewrite.Shape
	for _, d := range s.dimensions {
		presence := rewrite.Many
		switch len(d.ids) {
		case 0:
			presence = rewrite.All
		case 1:
			presence = rewrite.One
		}
		shape = shape.With(p.Dimension(d.name), presence)
	}
	return shape
}

// value returns the value of a dimension as it is bound to a parameter.
func (s scope) value(name string) string {
	for _, d := range s.dimensions {
		if d.name == name && len(d.ids) == 1 {
			return strconv.Itoa(d.ids[0])
		}
		if d.name == name {
			return "{" + join(d.ids) + "}"
		}
	}
	return ""
}

func join(ids []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

const postsOfSites = `SELECT site_id, count(*) AS posts FROM post GROUP BY site_id ORDER BY site_id`

const bookmarks = `SELECT b.id, p.title, b.note
FROM bookmark AS b JOIN post AS p ON p.id = b.post_id
ORDER BY b.id`

const insertPost = `INSERT INTO post (slug, author, title, created_at)
VALUES ($1, $2, $3, '2026-03-01 12:00+00')
RETURNING id, site_id, slug`

const retitle = `UPDATE post SET title = $1 WHERE id = $2`

var scenes = []scene{
	{
		title: "Nobody said which site",
		sql:   postsOfSites,
		want:  "ErrScopeRequired",
	},
	{
		title:  "As site 1",
		scope:  site(1),
		sql:    postsOfSites,
		want:   "1 row",
		byHand: `SELECT site_id, count(*) FROM post WHERE site_id = 1 GROUP BY site_id`,
	},
	{
		title:  "As sites 1 and 2",
		scope:  site(1, 2),
		sql:    postsOfSites,
		want:   "2 rows",
		byHand: `SELECT site_id, count(*) FROM post WHERE site_id IN (1, 2) GROUP BY site_id ORDER BY site_id`,
	},
	{
		title:  "Every site, explicitly",
		scope:  site(),
		sql:    postsOfSites,
		want:   "200 rows",
		byHand: postsOfSites,
	},
	{
		title:  "Scopes disabled, with a reason that is logged",
		scope:  scope{disabled: "nightly statistics"},
		sql:    postsOfSites,
		want:   "200 rows",
		byHand: postsOfSites,
	},
	{
		title: "Three joins, one a LEFT JOIN, grouped by a primary key",
		scope: site(1),
		sql: `SELECT p.id, p.title, s.name AS site, c.name AS country, count(m.id) AS comments
FROM post AS p
JOIN site AS s ON s.id = p.site_id
JOIN country AS c ON c.code = s.country
LEFT JOIN comment AS m ON m.post_id = p.id
GROUP BY p.id, s.id, c.code
ORDER BY p.id`,
		want: "100 rows",
		byHand: `SELECT p.id, p.title, s.name, c.name,
	(SELECT count(*) FROM comment WHERE post_id = p.id)
FROM post AS p, site AS s, country AS c
WHERE p.site_id = 1 AND s.id = 1 AND c.code = s.country
ORDER BY p.id`,
	},
	{
		title: "Bookmarks need a user too: the site alone is not enough",
		scope: site(1),
		sql:   bookmarks,
		want:  "ErrScopeRequired",
	},
	{
		title: "Bookmarks of user 1 on site 1",
		scope: site(1).and("user", 1),
		sql:   bookmarks,
		want:  "4 rows",
		byHand: `SELECT b.id, p.title, b.note
FROM bookmark AS b JOIN post AS p ON p.id = b.post_id
WHERE b.user_id = 1 AND p.site_id = 1
ORDER BY b.id`,
	},
	{
		title: "FOR UPDATE, in a transaction",
		scope: site(1),
		tx:    true,
		sql: `SELECT id, post_id, body FROM comment
WHERE post_id BETWEEN 2 AND 401 ORDER BY id FOR UPDATE`,
		want:   "19 rows",
		byHand: `SELECT id, post_id, body FROM comment WHERE post_id IN (201, 401) ORDER BY id`,
	},
	{
		title: "INSERT: the site is filled in",
		scope: site(1),
		sql:   insertPost,
		args:  []any{"spring", "Ada", "Spring has come"},
		want:  "1 row",
		byHand: `INSERT INTO post (site_id, slug, author, title, created_at)
VALUES (1, 'spring', 'Ada', 'Spring has come', '2026-03-01 12:00+00')
RETURNING id, site_id, slug`,
	},
	{
		title: "INSERT of a post into another site",
		scope: site(1),
		exec:  true,
		sql: `INSERT INTO post (site_id, slug, author, title)
VALUES ($1, $2, $3, $4)`,
		args: []any{2, "planted", "Mallory", "Planted"},
		want: "ErrViolation",
	},
	{
		title: "INSERT of a comment under another site's post",
		scope: site(1),
		exec:  true,
		sql:   `INSERT INTO comment (post_id, author, body) VALUES ($1, $2, $3)`,
		args:  []any{2, "Mallory", "First!"},
		want:  "ErrViolation",
	},
	{
		title:  "UPDATE by id of another site's post",
		scope:  site(1),
		exec:   true,
		sql:    retitle,
		args:   []any{"Defaced", 2},
		want:   "0 rows changed",
		byHand: `UPDATE post SET title = 'Defaced' WHERE id = 2 AND site_id = 1`,
	},
	{
		title:  "The same UPDATE as that site: the post is there",
		scope:  site(2),
		exec:   true,
		sql:    retitle,
		args:   []any{"Edited by its own site", 2},
		want:   "1 row changed",
		byHand: `UPDATE post SET title = 'Edited by its own site' WHERE id = 2 AND site_id = 2`,
	},
	{
		title:  "DELETE by id of another site's comment",
		scope:  site(1),
		exec:   true,
		sql:    `DELETE FROM comment WHERE id = $1`,
		args:   []any{commentOfSite2},
		want:   "0 rows changed",
		byHand: fmt.Sprintf(`DELETE FROM comment WHERE id = %d AND post_id IN (SELECT id FROM post WHERE site_id = 1)`, commentOfSite2),
	},
	{
		title:  "The same DELETE as that site",
		scope:  site(2),
		exec:   true,
		sql:    `DELETE FROM comment WHERE id = $1`,
		args:   []any{commentOfSite2},
		want:   "1 row changed",
		byHand: fmt.Sprintf(`DELETE FROM comment WHERE id = %d`, commentOfSite2),
	},
	{
		title: "An upsert that meets another site's post",
		scope: site(1),
		exec:  true,
		sql: `INSERT INTO post (id, slug, author, title) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET title = excluded.title`,
		args: []any{2, "taken", "Mallory", "Taken over"},
		want: "ErrViolation",
	},
}

// commentOfSite2 is the id of a comment under post 2.
const commentOfSite2 = 6269
