package sqlblog_test

import (
	"testing"

	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlblog"
)

func TestStore(t *testing.T) {
	db, err := sqlblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	blog.Test(t, sqlblog.Store{DB: db})
}
