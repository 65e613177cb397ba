package sqlcblog_test

import (
	"testing"

	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcblog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcblog/queries"
)

func TestStore(t *testing.T) {
	db, err := sqlcblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	blog.Test(t, sqlcblog.Store{Queries: queries.New(db)})
}
