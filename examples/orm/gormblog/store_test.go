package gormblog_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/gormblog"
)

func open(t *testing.T) *gorm.DB {
	db, err := gormblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := db.DB()
		if err != nil || pool.Close() != nil {
			t.Error("the pool cannot be closed")
		}
	})
	return db
}

func TestStore(t *testing.T) {
	blog.Test(t, gormblog.Store{DB: open(t)})
}

func TestMigrate(t *testing.T) {
	db := open(t)
	if err := db.WithContext(t.Context()).AutoMigrate(&gormblog.Post{}); !errors.Is(err, scoped.ErrRefused) && !errors.Is(err, scoped.ErrScopeRequired) {
		t.Errorf("with scopes enabled: got %v", err)
	}
	if err := gormblog.Migrate(t.Context(), db); err != nil {
		t.Error(err)
	}
}
