// Package blog is what the examples have in common: two sites in one database,
// and the queries of a program that never mentions a site. The packages beside
// it write these queries with one library each.
package blog

import "context"

// A Store reads and writes a blog. Its methods have no argument for the site and
// no filter: the context has the scope.
type Store interface {
	// Titles returns the titles of all posts, by their ids.
	Titles(ctx context.Context) ([]string, error)
	// Comments returns "title: body" of all comments, by their ids.
	Comments(ctx context.Context) ([]string, error)
	// AddPost inserts a post and returns its id.
	AddPost(ctx context.Context, title string) (id int64, err error)
	// AddComment inserts a comment on a post.
	AddComment(ctx context.Context, post int64, body string) error
	// Rename changes the title of a post, and returns how many there were.
	Rename(ctx context.Context, post int64, title string) (posts int64, err error)
	// Move gives a post to another site.
	Move(ctx context.Context, post, site int64) error
}
