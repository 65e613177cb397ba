package bunblog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/bunblog"
)

func open(t *testing.T) *bun.DB {
	db, err := bunblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	blog.Test(t, bunblog.Store{DB: open(t)})
}

func TestMigrate(t *testing.T) {
	db := open(t)
	migrations := migrate.NewMigrations()
	migrations.Add(migrate.Migration{
		Name: "20260101000000",
		Up: func(ctx context.Context, _ *migrate.Migrator, _ *migrate.Migration) error {
			_, err := db.NewAddColumn().Table("post").ColumnExpr("slug text").Exec(ctx)
			return err
		},
	})
	if err := migrate.NewMigrator(db, migrations).Init(t.Context()); !errors.Is(err, scoped.ErrRefused) {
		t.Errorf("with scopes enabled: got %v", err)
	}
	if err := bunblog.Migrate(t.Context(), db, migrations); err != nil {
		t.Fatal(err)
	}
	if _, err := db.NewSelect().Table("post").Column("slug").Exec(scoped.With(t.Context(), "site", 1)); err != nil {
		t.Error(err)
	}
}
