// Package sqlcpgxblog uses what sqlc generates for pgx, over a guarded pool.
// Neither sqlc.yaml nor the queries differ from those of a program over pgx.
package sqlcpgxblog

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcpgxblog/queries"
	"github.com/scoped-pgx/scoped/policy"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

// Open differs from a program over pgx in the policy, and in what it returns: a
// queries.DBTX, as the pool is.
func Open(ctx context.Context, dsn, file string) (*scoped.PgxPool, error) {
	p, err := policy.Load(file)
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

// AddComment copies the comment, as a program would with many of them.
func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	_, err := s.Queries.AddComments(ctx, []queries.AddCommentsParams{{PostID: post, Body: body}})
	return err
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	return s.Queries.Rename(ctx, queries.RenameParams{ID: post, Title: title})
}

// Move does so in a batch.
func (s Store) Move(ctx context.Context, post, site int64) (err error) {
	s.Queries.MoveAll(ctx, []queries.MoveAllParams{{Post: post, Site: site}}).Exec(func(_ int, failed error) {
		err = errors.Join(err, failed)
	})
	return err
}
