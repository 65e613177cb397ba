// Package sqlcpgxblog uses what sqlc generates for pgx, sql_package: "pgx/v5", from
// the queries of sqlcblog.
package sqlcpgxblog

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcpgxblog/queries"
	"github.com/scoped-pgx/scoped/policy"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

// Open differs from a program over pgx in that the pool is guarded.
func Open(ctx context.Context, dsn, policyFile string) (*scoped.PgxPool, error) {
	p, err := policy.Load(policyFile)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return scoped.Pool(pool, p), nil
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
