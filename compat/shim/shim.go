// Package shim opens the databases of other projects' test suites, over plain
// pgx or over scoped, as the environment says. The suites know nothing of scopes,
// so over scoped it does for them what their program would have to do: statements
// that change the schema run with scopes disabled, and all others under the one
// scope that the environment names.
package shim

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

// The environment in which a suite runs.
const (
	PolicyVariable = "COMPAT_POLICY" // the policy file; without it everything is plain pgx
	ScopeVariable  = "COMPAT_SCOPE"  // dimension=number, or empty for no scope
	LogVariable    = "COMPAT_LOG"    // the file of Events
)

// An Event is what the driver did other than plain pgx: a statement that it
// refused, or one that ran with scopes disabled because it changes the schema.
type Event struct {
	SQL    string `json:"sql"`
	Refuse string `json:"refuse,omitempty"` // the error
	Code   string `json:"code,omitempty"`   // of the error
}

// Open stands for sql.Open, whatever the driver's name.
func Open(_, dsn string) (*sql.DB, error) {
	base, err := stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(Connector(base)), nil
}

// OpenDB stands for stdlib.OpenDB.
func OpenDB(config pgx.ConnConfig, opts ...stdlib.OptionOpenDB) *sql.DB {
	return sql.OpenDB(Connector(stdlib.GetConnector(config, opts...)))
}

// OpenDBFromPool stands for stdlib.OpenDBFromPool.
func OpenDBFromPool(pool *pgxpool.Pool, opts ...stdlib.OptionOpenDB) *sql.DB {
	db := sql.OpenDB(Connector(stdlib.GetPoolConnector(pool, opts...)))
	db.SetMaxIdleConns(0)
	return db
}

// Connector guards a connector of pgx, unless the environment has no policy.
func Connector(base driver.Connector) driver.Connector {
	if os.Getenv(PolicyVariable) == "" {
		return base
	}
	e := fromEnvironment()
	quiet := scoped.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	return &connector{base: scoped.NewConnector(remembering{base}, e.policy, quiet), environment: e}
}

// Conn returns the connection of pgx under a connection that sql.Conn.Raw hands
// out. Over scoped there is none to be had, as for any other program.
func Conn(driverConn any) (*pgx.Conn, error) {
	if c, ok := driverConn.(*stdlib.Conn); ok {
		return c.Conn(), nil
	}
	return nil, errors.New("sql.Conn.Raw hands out no connection of pgx")
}

// UnguardedConn is Conn, over scoped too. It is for what a suite asks of the
// server before it begins.
func UnguardedConn(driverConn any) *pgx.Conn {
	if c, ok := driverConn.(*conn); ok {
		driverConn = c.unguarded
	}
	return driverConn.(*stdlib.Conn).Conn()
}

type environment struct {
	policy    *policy.Policy
	dimension string
	value     int64

	mu        sync.Mutex
	log       *os.File
	temporary map[string]bool // the tables that were made temporary, and may be left
}

// fromEnvironment reads the environment once. A suite cannot go on without it.
var fromEnvironment = sync.OnceValue(func() *environment {
	p, err := policy.Load(os.Getenv(PolicyVariable))
	if err != nil {
		panic(err)
	}
	log, err := os.OpenFile(os.Getenv(LogVariable), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	e := &environment{policy: p, log: log, temporary: map[string]bool{}}
	if scope := os.Getenv(ScopeVariable); scope != "" {
		dimension, value, _ := strings.Cut(scope, "=")
		e.dimension = dimension
		if e.value, err = strconv.ParseInt(value, 10, 64); err != nil {
			panic(err)
		}
	}
	return e
})

// scope returns the context in which a statement runs.
func (e *environment) scope(ctx context.Context, query string) context.Context {
	switch {
	case ChangesSchema(query):
		e.record(Event{SQL: query})
		return scoped.Disable(ctx, "the schema is changed")
	case e.dimension != "":
		return scoped.With(ctx, e.dimension, e.value)
	default:
		return ctx
	}
}

// refused records err if it is a refusal or a violation, and returns it.
func (e *environment) refused(query string, err error) error {
	var refusal *scoped.Error
	if errors.As(err, &refusal) {
		e.record(Event{SQL: query, Refuse: refusal.Error(), Code: string(refusal.Code)})
	}
	return err
}

func (e *environment) record(event Event) {
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := fmt.Fprintf(e.log, "%s\n", line); err != nil {
		panic(err)
	}
}
