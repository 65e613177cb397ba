package scoped_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
	"github.com/scoped-pgx/scoped/policy"
)

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
