// Package sqlblog uses database/sql as it is.
package sqlblog

import (
	"context"
	"database/sql"

	"github.com/scoped-pgx/scoped"
)

// Open differs from a program over pgx in the driver's name.
func Open(dsn string) (*sql.DB, error) {
	return sql.Open(scoped.DriverName, dsn)
}

// A Store is a blog.Store.
type Store struct{ DB *sql.DB }

func (s Store) Titles(ctx context.Context) ([]string, error) {
	return s.texts(ctx, `SELECT title FROM post ORDER BY id`)
}

func (s Store) Comments(ctx context.Context) ([]string, error) {
	return s.texts(ctx, `SELECT p.title || ': ' || c.body FROM comment c JOIN post p ON p.id = c.post_id ORDER BY c.id`)
}

func (s Store) texts(ctx context.Context, query string) ([]string, error) {
	rows, err := s.DB.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

func (s Store) AddPost(ctx context.Context, title string) (id int64, err error) {
	err = s.DB.QueryRowContext(ctx, `INSERT INTO post (title) VALUES ($1) RETURNING id`, title).Scan(&id)
	return id, err
}

func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	_, err := s.DB.ExecContext(ctx, `INSERT INTO comment (post_id, body) VALUES ($1, $2)`, post, body)
	return err
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	result, err := s.DB.ExecContext(ctx, `UPDATE post SET title = $2 WHERE id = $1`, post, title)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s Store) Move(ctx context.Context, post, site int64) error {
	_, err := s.DB.ExecContext(ctx, `UPDATE post SET site_id = $2 WHERE id = $1`, post, site)
	return err
}
