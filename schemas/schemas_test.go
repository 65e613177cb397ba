package schemas_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/schemas"
)

const testPolicy = `version: 1
dimensions:
  tenant: {schema: "t_{value}", template: t__template, registry: tenant(slug)}
  year: {type: integer, schema: "y_{value}", template: year_template}
  site: {type: bigint}
tables:
  invoice: {tenant: schema}
  entry: {year: schema}
`

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func manager(t *testing.T, db schemas.DB, dimension string) *schemas.Manager {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(testPolicy))
	if err != nil {
		t.Fatal(err)
	}
	m, err := schemas.New(db, p.Dimension(dimension))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestList(t *testing.T) {
	conn := connect(t, pgtest.DSN(t, `
		CREATE TABLE tenant (slug text PRIMARY KEY);
		INSERT INTO tenant VALUES ('acme'), ('not yet'), (repeat('x', 70));
		CREATE SCHEMA t__template; CREATE SCHEMA t_acme; CREATE SCHEMA "t_O'Brien"; CREATE SCHEMA other;
		CREATE SCHEMA y_10; CREATE SCHEMA y_9; CREATE SCHEMA y_07; CREATE SCHEMA y_x`))
	list, err := manager(t, conn, "tenant").List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 ||
		list[0] != (schemas.Schema{Value: "O'Brien", Name: "t_O'Brien", Exists: true}) ||
		list[1] != (schemas.Schema{Value: "acme", Name: "t_acme", Exists: true, Registered: true}) ||
		list[2] != (schemas.Schema{Value: "not yet", Name: "t_not yet", Registered: true}) ||
		list[3].Name != "" || list[3].Problem == "" || !list[3].Registered {
		t.Errorf("%+v", list)
	}
	list, err = manager(t, conn, "year").List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Value != "9" || list[1].Value != "10" {
		t.Errorf("%+v", list)
	}
}

func TestDimensionWithoutSchemas(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(testPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"site", "none"} {
		if _, err := schemas.New(nil, p.Dimension(name)); err == nil {
			t.Errorf("%s has a Manager", name)
		}
	}
}
