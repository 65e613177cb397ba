package sqlxblog_test

import (
	"testing"

	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlxblog"
)

func TestStore(t *testing.T) {
	db, err := sqlxblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	blog.Test(t, sqlxblog.Store{DB: db})
}
