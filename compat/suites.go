package main

import "fmt"

// suites are those that the Go module proxy has.
var suites = []suite{pgx, sqlx, gorm, xorm, goqu, gorp, river}

var pgx = suite{
	name: "pgx", module: "github.com/jackc/pgx/v5", version: "v5.12.0",
	packages:    []string{"./stdlib"},
	catalogs:    []string{"pg_prepared_statements"},
	environment: func(dsn string) []string { return []string{"PGX_TEST_DATABASE=" + dsn} },
	changes: []change{
		{"stdlib/sql_test.go", `"github.com/jackc/pgx/v5/tracelog"`, `"github.com/jackc/pgx/v5/tracelog"` + "\n" + importShim, "the driver"},
		{"stdlib/sql_test.go", "stdlib.OpenDB(", "shim.OpenDB(", "the driver"},
		{"stdlib/sql_test.go", "stdlib.OpenDBFromPool(", "shim.OpenDBFromPool(", "the driver"},
		{"stdlib/sql_test.go", "sql.Open(", "shim.Open(", "the driver"},
		{"stdlib/sql_test.go",
			"conn := driverConn.(*stdlib.Conn).Conn()\n\t\tif conn.PgConn()",
			"conn := shim.UnguardedConn(driverConn)\n\t\tif conn.PgConn()",
			"many tests ask for the server's kind first"},
		{"stdlib/sql_test.go",
			"conn := driverConn.(*stdlib.Conn).Conn()\n\t\tserverVersionStr",
			"conn := shim.UnguardedConn(driverConn)\n\t\tserverVersionStr",
			"many tests ask for the server's version first"},
		{"stdlib/sql_test.go",
			"conn := driverConn.(*stdlib.Conn).Conn()\n",
			"conn, err := shim.Conn(driverConn)\n\t\t\tif err != nil {\n\t\t\t\treturn err\n\t\t\t}\n",
			"a cast that fails would end all tests"},
		{"stdlib/sql_test.go",
			"pgxConn := driverConn.(*stdlib.Conn).Conn()\n",
			"pgxConn, err := shim.Conn(driverConn)\n\t\t\tif err != nil {\n\t\t\t\treturn err\n\t\t\t}\n",
			"the same"},
		{"stdlib/sql_test.go",
			"newConn = driverConn.(*stdlib.Conn).Conn()\n\t\treturn nil\n",
			"newConn, err = shim.Conn(driverConn)\n\t\treturn err\n",
			"the same"},
		{"stdlib/sql_test.go",
			`createStmt := prepareStmt(t, tx, "create temporary table`,
			"defer tx.Rollback()\n\t" + `createStmt := prepareStmt(t, tx, "create temporary table`,
			"the transaction is left open, and what is not temporary would stay locked"},
	},
}

const importShim = `"github.com/scoped-pgx/scoped/compat/shim"`

var sqlx = suite{
	name: "sqlx", module: "github.com/jmoiron/sqlx", version: "v1.4.0",
	packages: []string{"."},
	environment: func(dsn string) []string {
		return []string{"SQLX_POSTGRES_DSN=" + dsn, "SQLX_MYSQL_DSN=skip", "SQLX_SQLITE_DSN=skip"}
	},
	changes: []change{
		{"sqlx.go", `"github.com/jmoiron/sqlx/reflectx"`, `"github.com/jmoiron/sqlx/reflectx"` + "\n" + importShim, "the driver"},
		{"sqlx.go", "db, err := sql.Open(", "db, err := shim.Open(", "the driver"},
		{"sqlx_test.go", `_ "github.com/mattn/go-sqlite3"`, "", "another database, whose driver takes minutes to compile"},
	},
}

var gorm = suite{
	name: "gorm", module: "github.com/jinzhu/gorm", version: "v1.9.16",
	packages:    []string{"."},
	flags:       []string{"-skip=^TestOpen_ReturnsError_WithBadArgs$"}, // its subtests have the time in their names
	environment: func(dsn string) []string { return []string{"GORM_DIALECT=postgres", "GORM_DSN=" + dsn} },
	changes: []change{
		{"main.go", `"time"` + "\n)", `"time"` + "\n" + importShim + "\n)", "the driver"},
		{"main.go", "dbSQL, err = sql.Open(", "dbSQL, err = shim.Open(", "the driver"},
		{"main_test.go", `_ "github.com/jinzhu/gorm/dialects/sqlite"`, "", "another database, whose driver takes minutes to compile"},
	},
}

var xorm = suite{
	name: "xorm", module: "xorm.io/xorm", version: "v1.4.3",
	packages:    []string{"./tests"},
	arguments:   func(dsn string) []string { return []string{"-db=pgx", "-conn_str=" + dsn} },
	environment: func(string) []string { return nil },
	drop:        []string{"gitee.com/travelliu/dm"},
	changes: []change{
		{"core/db.go", `"xorm.io/xorm/names"`, `"xorm.io/xorm/names"` + "\n" + importShim, "the driver"},
		{"core/db.go", "db, err := sql.Open(", "db, err := shim.Open(", "the driver"},
		{"tests/tests.go", `"xorm.io/xorm/schemas"`, `"xorm.io/xorm/schemas"` + "\n" + importShim, "the driver"},
		{"tests/tests.go", "sql.Open(", "shim.Open(", "the driver"},
		{"tests/tests.go", `"database/sql"` + "\n", "", "no longer used"},
		{"tests/engine_test.go", `_ "gitee.com/travelliu/dm"`, "", "another database, whose driver the proxy lacks"},
		{"tests/engine_test.go", `_ "github.com/mattn/go-sqlite3"`, "", "another database, whose driver takes minutes to compile"},
		{"tests/engine_test.go", `_ "modernc.org/sqlite"`, "", "the same"},
	},
}

var goqu = suite{
	name: "goqu", module: "github.com/doug-martin/goqu/v9", version: "v9.19.0",
	packages:    []string{"./dialect/postgres"},
	environment: func(dsn string) []string { return []string{"PG_URI=" + dsn} },
	changes: []change{
		{"dialect/postgres/postgres_test.go", `"github.com/lib/pq"`, importShim, "the driver"},
		{"dialect/postgres/postgres_test.go", "sql.Open(", "shim.Open(", "the driver"},
		{"dialect/postgres/postgres_test.go", "pq.ParseURL(dbURI)", "dbURI, error(nil)", "pgx reads URLs"},
		{"dialect/postgres/postgres_test.go", `"database/sql"` + "\n", "", "no longer used"},
	},
}

var gorp = suite{
	name: "gorp", module: "github.com/go-gorp/gorp/v3", version: "v3.1.0",
	packages: []string{"."}, flags: []string{"-tags=integration"},
	environment: func(dsn string) []string { return []string{"GORP_TEST_DIALECT=postgres", "GORP_TEST_DSN=" + dsn} },
	changes: []change{
		{"gorp_test.go", `_ "github.com/lib/pq"`, importShim, "the driver"},
		{"gorp_test.go", "sql.Open(", "shim.Open(", "the driver"},
		{"gorp_test.go", `_ "github.com/mattn/go-sqlite3"`, "", "another database, whose driver takes minutes to compile"},
	},
}

// River makes schemas as it goes; under one policy they need names that are known
// before. Those that use search_path use river_tx.
var river = suite{
	name: "river", module: "github.com/riverqueue/river", version: "v0.23.1",
	packages: []string{"."}, flags: []string{"-run=^TestDriverRiverDatabaseSQLPgx$"},
	environment: func(dsn string) []string { return []string{"TEST_DATABASE_URL=" + dsn} },
	schemas:     riverSchemas(),
	functions:   []string{"pg_notify", "river_job_state_in_bitmask"},
	changes: []change{
		{"driver_test.go", `"github.com/riverqueue/river/rivertype"`, `"github.com/riverqueue/river/rivertype"` + "\n" + importShim, "the driver"},
		{"driver_test.go", "stdlib.OpenDBFromPool(", "shim.OpenDBFromPool(", "the driver"},
		{"driver_test.go", `"github.com/jackc/pgx/v5/stdlib"` + "\n", "", "no longer used"},
		{"internal/riverinternaltest/sharedtx/shared_tx.go", `"github.com/jackc/pgx/v5/pgconn"`, `"github.com/jackc/pgx/v5/pgconn"` + "\n" + `"github.com/jackc/pgx/v5/pgtype"`, "pgx 5.12 wants the method of the next line"},
		{"internal/riverinternaltest/sharedtx/shared_tx.go",
			"func (r *SharedTxRows) Err() error ",
			"func (r *SharedTxRows) TypeMap() *pgtype.Map { return r.innerRows.TypeMap() }\nfunc (r *SharedTxRows) Err() error ",
			"the same"},
		{"riverdbtest/riverdbtest.go",
			`schemaBaseName = packageName + "_" + time.Now().Format(schemaDateFormat) + "_schema_"`,
			`schemaBaseName = "river_schema_"`,
			"the policy names the schemas"},
		{"riverdbtest/riverdbtest.go",
			`schema := schemaBaseName + fmt.Sprintf("%02d", nextSchemaNum.Add(1))`,
			`schema := schemaBaseName + fmt.Sprintf("%02d", nextSchemaNum.Add(1))` + "\nif opts.disableReuse {\nschema = \"river_tx\"\n}",
			"the one that search_path names"},
	},
}

func riverSchemas() []string {
	schemas := []string{"river_tx", "custom_schema"}
	for i := 1; i <= 60; i++ {
		schemas = append(schemas, fmt.Sprintf("river_schema_%02d", i))
	}
	return schemas
}
