package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

// optional are the interfaces of package driver that something may implement.
var optional = map[reflect.Type][]reflect.Type{
	reflect.TypeFor[driver.Driver]():    {reflect.TypeFor[driver.DriverContext]()},
	reflect.TypeFor[driver.Connector](): {reflect.TypeFor[io.Closer]()},
	reflect.TypeFor[driver.Conn](): {
		reflect.TypeFor[driver.ConnPrepareContext](), reflect.TypeFor[driver.ConnBeginTx](),
		//lint:ignore SA1019 that pgx lacks it is the point
		reflect.TypeFor[driver.Execer](), reflect.TypeFor[driver.ExecerContext](),
		//lint:ignore SA1019 that pgx lacks it is the point
		reflect.TypeFor[driver.Queryer](), reflect.TypeFor[driver.QueryerContext](),
		reflect.TypeFor[driver.Pinger](), reflect.TypeFor[driver.SessionResetter](),
		reflect.TypeFor[driver.Validator](), reflect.TypeFor[driver.NamedValueChecker](),
	},
	reflect.TypeFor[driver.Stmt](): {
		reflect.TypeFor[driver.StmtExecContext](), reflect.TypeFor[driver.StmtQueryContext](),
		//lint:ignore SA1019 that pgx lacks it is the point
		reflect.TypeFor[driver.NamedValueChecker](), reflect.TypeFor[driver.ColumnConverter](),
	},
	reflect.TypeFor[driver.Rows](): {
		reflect.TypeFor[driver.RowsNextResultSet](), reflect.TypeFor[driver.RowsColumnTypeDatabaseTypeName](),
		reflect.TypeFor[driver.RowsColumnTypeLength](), reflect.TypeFor[driver.RowsColumnTypeNullable](),
		reflect.TypeFor[driver.RowsColumnTypePrecisionScale](), reflect.TypeFor[driver.RowsColumnTypeScanType](),
	},
}

// parts returns our connector, connection, statement, transaction and rows.
func parts(t *testing.T) (driver.Connector, driver.Conn, driver.Stmt, driver.Tx, driver.Rows) {
	t.Helper()
	db, mock := mocked(t)
	ctx := scoped.With(t.Context(), "site", 1)
	mock.ExpectPrepare("")
	mock.ExpectBegin()
	mock.ExpectQuery("").WillReturnRows(sqlmock.NewRows([]string{"id", "check"}))
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var (
		conn driver.Conn
		stmt driver.Stmt
		tx   driver.Tx
		rows driver.Rows
	)
	err = c.Raw(func(raw any) (err error) {
		conn = raw.(driver.Conn)
		if stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(ctx, "SELECT 1"); err != nil {
			return err
		}
		if tx, err = raw.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{}); err != nil {
			return err
		}
		rows, err = raw.(driver.QueryerContext).QueryContext(ctx, "INSERT INTO post (site_id) VALUES (1) RETURNING id", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	connector := scoped.NewConnector(stdlib.GetConnector(pgx.ConnConfig{}), parsePolicy(t))
	return connector, conn, stmt, tx, rows
}

func TestInterfacesAreThoseOfPgx(t *testing.T) {
	connector, conn, stmt, _, rows := parts(t)
	for _, c := range []struct {
		kind      reflect.Type
		ours, pgx reflect.Type
	}{
		{reflect.TypeFor[driver.Driver](), reflect.TypeOf(connector.Driver()), reflect.TypeFor[*stdlib.Driver]()},
		{reflect.TypeFor[driver.Connector](), reflect.TypeOf(connector), reflect.TypeOf(stdlib.GetConnector(pgx.ConnConfig{}))},
		{reflect.TypeFor[driver.Conn](), reflect.TypeOf(conn), reflect.TypeFor[*stdlib.Conn]()},
		{reflect.TypeFor[driver.Stmt](), reflect.TypeOf(stmt), reflect.TypeFor[*stdlib.Stmt]()},
		{reflect.TypeFor[driver.Rows](), reflect.TypeOf(rows), reflect.TypeFor[*stdlib.Rows]()},
	} {
		for _, i := range optional[c.kind] {
			if ours, theirs := c.ours.Implements(i), c.pgx.Implements(i); ours != theirs {
				t.Errorf("%v implements %v: %v, but %v: %v", c.ours, i, ours, c.pgx, theirs)
			}
		}
	}
}

// Conn.Raw hands our connection to anyone, so nothing reachable from it by an
// exported name may be the base.
func TestNothingHandsOutTheBase(t *testing.T) {
	connector, conn, stmt, tx, rows := parts(t)
	returned := map[reflect.Type]bool{}
	for _, i := range []reflect.Type{
		reflect.TypeFor[error](), reflect.TypeFor[driver.Stmt](), reflect.TypeFor[driver.Tx](),
		reflect.TypeFor[driver.Rows](), reflect.TypeFor[driver.Result](), reflect.TypeFor[driver.Conn](),
		reflect.TypeFor[driver.Connector](), reflect.TypeFor[driver.Driver](),
		reflect.TypeFor[reflect.Type](), reflect.TypeFor[[]string](),
		reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[bool](),
	} {
		returned[i] = true
	}
	for _, v := range []any{connector, connector.Driver(), conn, stmt, tx, rows} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumMethod() {
			for out := range typ.Method(i).Type.Outs() {
				if !returned[out] {
					t.Errorf("%v.%s returns %v", typ, typ.Method(i).Name, out)
				}
			}
		}
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				t.Errorf("%v has the exported field %s", typ, f.Name)
			}
		}
	}
	if reflect.TypeOf(connector.Driver()) != reflect.TypeOf(openDriver(t)) {
		t.Error("the connector gives out another driver than ours")
	}
}

func openDriver(t *testing.T) driver.Driver {
	t.Helper()
	db, err := sql.Open(scoped.DriverName, "scope_policy="+policyFile(t, blogPolicy))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Driver()
}

func policyFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenFaults(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://localhost/db":                                     "no scope_policy",
		"host=localhost scope_polcy=x":                                `"scope_polcy"`,
		"scope_policy=" + filepath.Join(t.TempDir(), "nosuch.yaml"):   "nosuch.yaml",
		"scope_policy=" + policyFile(t, "version: 1\ntabels: {}\n"):   "tabels",
		"postgres://localhost/?scope_policy=" + policyFile(t, "{{{{"): "policy.yaml:1",
	} {
		_, err := sql.Open(scoped.DriverName, dsn)
		e := wantError(t, err, scoped.CodeConfig)
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%s: got %v, want it to say %q", dsn, err, want)
		}
	}
	_, err := sql.Open(scoped.DriverName, "scope_policy="+policyFile(t, "version: 2\n"))
	var errs policy.Errors
	if !errors.As(err, &errs) {
		t.Errorf("got %v, want the policy's errors inside", err)
	}
}

// Every form of a data source name reaches the server, and our key does not.
func TestOpenForms(t *testing.T) {
	dsn := pgtest.DSN(t, blogSchema)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	file := policyFile(t, blogPolicy)
	name := stdlib.RegisterConnConfig(config)
	defer stdlib.UnregisterConnConfig(name)
	keywords := "host='" + config.Host + "' user=" + config.User + " dbname=" + config.Database
	if config.Password != "" {
		keywords += " password='" + config.Password + "'"
	}
	for _, dsn := range []string{
		withParameters(t, dsn, "scope_policy="+file),
		keywords + " scope_policy='" + file + "' port=" + strconv.Itoa(int(config.Port)),
		name + "?scope_policy=" + file,
		name + " scope_policy=" + file,
	} {
		db := openDB(t, scoped.DriverName, dsn)
		wantIDs(scoped.With(t.Context(), "site", 1), t, db, []int64{1}, allPosts)
	}
}

func TestNewConnectorNeedsBoth(t *testing.T) {
	for _, c := range []driver.Connector{
		scoped.NewConnector(nil, parsePolicy(t)),
		scoped.NewConnector(stdlib.GetConnector(pgx.ConnConfig{}), nil),
	} {
		_, err := c.Connect(context.Background())
		wantError(t, err, scoped.CodeConfig)
	}
}

type closer struct {
	driver.Connector
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestConnectorClosesItsBase(t *testing.T) {
	base := &closer{Connector: stdlib.GetConnector(pgx.ConnConfig{})}
	if err := sql.OpenDB(scoped.NewConnector(base, parsePolicy(t))).Close(); err != nil || !base.closed {
		t.Errorf("the base was not closed, %v", err)
	}
}
