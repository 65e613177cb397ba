// Package sqlcblog uses what sqlc generates for database/sql. Neither sqlc.yaml
// nor queries.sql differ from those of a program over pgx.
package sqlcblog

import (
	"context"
	"database/sql"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcblog/queries"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

// Open differs from a program over pgx in the driver's name.
func Open(dsn string) (*sql.DB, error) {
	return sql.Open(scoped.DriverName, dsn)
}

// A Store is a blog.Store.
type Store struct{ Queries *queries.Queries }

func (s Store) Titles(ctx context.Context) ([]string, error) {
	return s.Queries.Titles(ctx)
}

func (s Store) Comments(ctx context.Context) (comments []string, err error) {
	rows, err := s.Queries.Comments(ctx)
	for _, r := range rows {
		comments = append(comments, r.Title+": "+r.Body)
	}
	return comments, err
}

func (s Store) AddPost(ctx context.Context, title string) (id int64, err error) {
	return s.Queries.AddPost(ctx, title)
}

func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	return s.Queries.AddComment(ctx, queries.AddCommentParams{PostID: post, Body: body})
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	return s.Queries.Rename(ctx, queries.RenameParams{ID: post, Title: title})
}

func (s Store) Move(ctx context.Context, post, site int64) error {
	return s.Queries.Move(ctx, queries.MoveParams{Post: post, Site: site})
}
