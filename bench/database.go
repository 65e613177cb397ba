package main

import (
	"context"
	_ "embed"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

//go:embed schema.sql
var schema string

// A database is in a server of its own, with the arms that use it.
type database struct {
	server *pgtest.Server
	dsn    string
	admin  *pgx.Conn
	arms   *arms
	// tenants are those whose rows the workloads touch, and warm is how many
	// operations each worker runs before the first turn.
	tenants, warm int
}

func openDatabase(ctx context.Context) (*database, error) {
	db := &database{tenants: tenants}
	err := db.open(ctx, schema)
	if err == nil {
		db.arms, err = newArms(ctx, db.dsn)
	}
	if err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// open starts a server with the settings, and runs the schema there.
func (db *database) open(ctx context.Context, schema string, settings ...string) (err error) {
	if db.server, err = pgtest.Start(ctx, settings...); err != nil {
		return err
	}
	if db.dsn, err = db.server.CreateDatabase(ctx, schema); err != nil {
		return err
	}
	if db.admin, err = pgx.Connect(ctx, db.dsn); err != nil {
		return err
	}
	_, err = db.admin.Exec(ctx, "VACUUM ANALYZE")
	return err
}

// version returns the version of PostgreSQL, without what a distribution says of it.
func (db *database) version() string {
	version, _, _ := strings.Cut(db.admin.PgConn().ParameterStatus("server_version"), " ")
	return version
}

func (db *database) close() {
	if db.arms != nil {
		_ = db.arms.close()
	}
	if db.admin != nil {
		_ = db.admin.Close(context.Background())
	}
	if db.server != nil {
		db.server.Stop()
	}
}
