// Package gormblog uses GORM.
package gormblog

import (
	"context"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/scoped-pgx/scoped"
)

// Open differs from a program over pgx in the driver's name.
func Open(dsn string) (*gorm.DB, error) {
	return gorm.Open(postgres.New(postgres.Config{
		DriverName: scoped.DriverName,
		DSN:        dsn,
	}), &gorm.Config{Logger: logger.Discard})
}

// Migrate has GORM change the schema, which needs scopes disabled.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(scoped.Disable(ctx, "migration")).AutoMigrate(&Post{}, &Comment{})
}

// A Post does not write its SiteID ("->"): GORM would insert 0, which belongs to
// nobody.
type Post struct {
	ID       int64
	SiteID   int64 `gorm:"->;not null"`
	Title    string
	Comments []Comment
}

// A Comment hangs on a post.
type Comment struct {
	ID     int64
	PostID int64
	Body   string
}

func (Post) TableName() string    { return "post" }
func (Comment) TableName() string { return "comment" }

// A Store is a blog.Store.
type Store struct{ DB *gorm.DB }

func (s Store) Titles(ctx context.Context) (titles []string, err error) {
	err = s.DB.WithContext(ctx).Model(&Post{}).Order("id").Pluck("title", &titles).Error
	return titles, err
}

func (s Store) Comments(ctx context.Context) (comments []string, err error) {
	var posts []Post
	err = s.DB.WithContext(ctx).Preload("Comments").Order("id").Find(&posts).Error
	for _, p := range posts {
		for _, c := range p.Comments {
			comments = append(comments, p.Title+": "+c.Body)
		}
	}
	return comments, err
}

func (s Store) AddPost(ctx context.Context, title string) (id int64, err error) {
	p := Post{Title: title}
	err = s.DB.WithContext(ctx).Create(&p).Error
	return p.ID, err
}

func (s Store) AddComment(ctx context.Context, post int64, body string) error {
	return s.DB.WithContext(ctx).Create(&Comment{PostID: post, Body: body}).Error
}

func (s Store) Rename(ctx context.Context, post int64, title string) (posts int64, err error) {
	result := s.DB.WithContext(ctx).Model(&Post{}).Where("id", post).Update("title", title)
	return result.RowsAffected, result.Error
}

func (s Store) Move(ctx context.Context, post, site int64) error {
	return s.DB.WithContext(ctx).Table("post").Where("id", post).Update("site_id", site).Error
}
