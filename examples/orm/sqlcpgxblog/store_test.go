package sqlcpgxblog_test

import (
	"testing"

	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcpgxblog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlcpgxblog/queries"
)

func TestStore(t *testing.T) {
	db, err := sqlcpgxblog.Open(t.Context(), blog.PlainDSN(t), "../blog/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	blog.Test(t, sqlcpgxblog.Store{Queries: queries.New(db)})
}
