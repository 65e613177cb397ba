// Package pgtest provides a throw-away PostgreSQL for tests, the demo and
// benchmarks. A test asks for an isolated database with DSN; one server serves
// the whole process, is started by the first test that asks, and never outlives
// the process, however that ends.
//
// The server is, in this order: that of the folder SCOPED_TEST_BINDIR (the one
// of initdb and postgres), the running server of the URL SCOPED_TEST_DSN, or
// one found with pg_config, in the usual folders of Debian, Red Hat and
// Homebrew, or in PATH.
package pgtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// timeout bounds what one test waits for: the start of the server or the
// creation of a database, on a machine that is busy with other tests.
const timeout = 60 * time.Second

var shared = sync.OnceValues(func() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return Start(ctx)
})

// DSN creates a database that is the test's own and returns its URL for pgx, as
// superuser. The schemas are SQL scripts run in order; a database of the same
// schemas is made from a template, so only the first pays for them. The
// database is dropped, and whoever is still connected to it disconnected, when
// the test ends. DSN fails the test where there is no PostgreSQL; it never
// skips it.
func DSN(t testing.TB, schema ...string) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	name, err := server.create(ctx, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := server.drop(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return server.dsn(name)
}
