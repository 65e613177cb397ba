// Package bunblog uses bun.
package bunblog

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"

	"github.com/scoped-pgx/scoped"
)

// Open differs from a program over pgx in the driver's name.
func Open(dsn string) (*bun.DB, error) {
	db, err := sql.Open(scoped.DriverName, dsn)
	if err != nil {
		return nil, err
	}
	return bun.NewDB(db, pgdialect.New()), nil
}

// Migrate has bun change the schema, which needs scopes disabled. Its own two
// tables need not be in the policy.
func Migrate(ctx context.Context, db *bun.DB, migrations *migrate.Migrations) error {
	ctx = scoped.Disable(ctx, "migration")
	m := migrate.NewMigrator(db, migrations)
	if err := m.Init(ctx); err != nil {
		return err
	}
	_, err := m.Migrate(ctx)
	return err
}

// A Post does not write its SiteID ("scanonly"): bun would insert 0, which
// belongs to nobody.
type Post struct {
	bun.BaseModel `bun:"table:post"`

	ID       int64 `bun:",pk,autoincrement"`
	SiteID   int64 `bun:",scanonly"`
	Title    string
	Comments []*Comment `bun:"rel:has-many,join:id=post_id"`
}

// A Comment hangs on a post.
type Comment struct {
	bun.BaseModel `bun:"table:comment"`

	ID     int64 `bun:",pk,autoincrement"`
	PostID int64
	Body   string
}

// A Store is a blog.Store.
type Store struct{ DB *bun.DB }

func (s Store) Titles(ctx context.Context) (titles []string, err error) {
	err = s.DB.NewSelect().Model((*Post)(nil)).Column("title").Order("id").Scan(ctx, &titles)
	return titles, err
}

func (s Store) Comments(ctx context.Context) (comments []string, err error) {
	var posts []Post
	err = s.DB.NewSelect().Model(&posts).Relation("Comments").Order("id").Scan(ctx)
	for _, p := range posts {
		for _, c := range p.Comments {
			comments = append(comments, p.Title+": "+c.Body)
		}
	}
	return comments, err
}

func (s Store) AddPost(ctx context.Context, title string) (id int64, err error) {
	p := Post{Title: title}
	_, err = s.DB.NewInsert().Model(&p).Exec(ctx)
	return p.ID, err
}

func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	_, err := s.DB.NewInsert().Model(&Comment{PostID: post, Body: body}).Exec(ctx)
	return err
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	result, err := s.DB.NewUpdate().Model(&Post{ID: post, Title: title}).Column("title").WherePK().Exec(ctx)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s Store) Move(ctx context.Context, post, site int64) error {
	_, err := s.DB.NewUpdate().Table("post").Set("site_id = ?", site).Where("id = ?", post).Exec(ctx)
	return err
}
