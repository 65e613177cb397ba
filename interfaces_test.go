package scoped_test

import (
	"database/sql/driver"
	"io"
	"reflect"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
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
