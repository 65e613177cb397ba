// Package sqlxblog uses sqlx.
package sqlxblog

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/scoped-pgx/scoped"
)

// sqlx goes by the driver's name to know how parameters are written.
func init() { sqlx.BindDriver(scoped.DriverName, sqlx.DOLLAR) }

// Open differs from a program over pgx in the driver's name.
func Open(dsn string) (*sqlx.DB, error) {
	return sqlx.Open(scoped.DriverName, dsn)
}

// A Post is a row of post. What site it belongs to is nobody's concern.
type Post struct {
	ID    int64
	Title string
}

// A Store is a blog.Store.
type Store struct{ DB *sqlx.DB }

func (s Store) Titles(ctx context.Context) (titles []string, err error) {
	err = s.DB.SelectContext(ctx, &titles, `SELECT title FROM post ORDER BY id`)
	return titles, err
}

func (s Store) Comments(ctx context.Context) (comments []string, err error) {
	err = s.DB.SelectContext(ctx, &comments,
		`SELECT p.title || ': ' || c.body FROM comment c JOIN post p ON p.id = c.post_id ORDER BY c.id`)
	return comments, err
}

func (s Store) AddPost(ctx context.Context, title string) (id int64, err error) {
	rows, err := s.DB.NamedQueryContext(ctx, `INSERT INTO post (title) VALUES (:title) RETURNING id`, Post{Title: title})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		err = rows.Scan(&id)
	}
	return id, err
}

func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	_, err := s.DB.ExecContext(ctx, `INSERT INTO comment (post_id, body) VALUES ($1, $2)`, post, body)
	return err
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	result, err := s.DB.NamedExecContext(ctx, `UPDATE post SET title = :title WHERE id = :id`, Post{ID: post, Title: title})
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s Store) Move(ctx context.Context, post, site int64) error {
	_, err := s.DB.ExecContext(ctx, s.DB.Rebind(`UPDATE post SET site_id = ? WHERE id = ?`), site, post)
	return err
}
