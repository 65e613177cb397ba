package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/policy"
)

// TestScopeAgreesWithDriver compares what the command binds for a --scope with
// what the driver binds for the same values, and what either refuses.
func TestScopeAgreesWithDriver(t *testing.T) {
	p, err := policy.Load(testPolicy)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{"site": "post", "tenant": "document", "key": "parcel"}
	for _, option := range []string{
		"site=1", "site=-1", "site=1,2", "site=2,1,2", "site=1,1", "site=acme", "site=1.5", "site=9223372036854775807",
		"site=-9223372036854775808", "site=*", "nowhere=1",
		"user=7", "user=2147483647", "user=2147483648", "user=-2147483649",
		"shelf=32767", "shelf=32768",
		"tenant=acme", "tenant=acme,other", "tenant=1", `tenant={a}"\`, "tenant=é", "tenant=\xff", "tenant=a\x00b",
		"key=01234567-89AB-cdef-0123-456789abcdef", "key=0123456789abcdef0123456789abcdef",
		"key=0123456789abcdef0123456789abcdef,01234567-89ab-cdef-0123-456789abcdef",
		"key=01234567x89ab-cdef-0123-456789abcdef", "key={01234567-89ab-cdef-0123-456789abcdef}", "key=0123",
		"key=0123456789abcdef0123456789abcdeg", "key=01234567-89ab-cdef-0123-4567-9abcdef",
	} {
		name, list, _ := strings.Cut(option, "=")
		query := "SELECT 1 FROM " + tables[name]
		if tables[name] == "" {
			query = "SELECT 1"
		}

		command := "refused"
		if s, err := scope.New(p, []string{option}); err == nil {
			o, err := s.Rewrite(query)
			if err != nil || o.Refusal != nil {
				t.Fatalf("%s: %v, %v", option, err, o.Refusal)
			}
			command = o.SQL
			for _, a := range o.Args {
				command += fmt.Sprintf(" %v", a.Value)
			}
		}

		base := &recorder{}
		db := sql.OpenDB(scoped.NewConnector(base, p))
		_, err := db.ExecContext(scoped.With(context.Background(), name, goValue(p, name, list)), query)
		var refusal *scoped.Error
		if err != nil && !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		db.Close()
		bound := "refused"
		if err == nil {
			bound = base.bound
		}
		if command != bound {
			t.Errorf("--scope %q: the command binds %q, the driver %q", option, command, bound)
		}
	}
}

// goValue returns what a program would pass to scoped.With: integers where the
// text is one and the dimension takes them.
func goValue(p *policy.Policy, dimension, list string) any {
	if list == "*" {
		return scoped.All
	}
	var values []any
	for text := range strings.SplitSeq(list, ",") {
		d := p.Dimension(dimension)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && d != nil && d.Type != "text" {
			values = append(values, n)
		} else {
			values = append(values, text)
		}
	}
	return scoped.AnyOf(values...)
}

// A recorder is a driver that keeps what is sent.
type recorder struct{ bound string }

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return r, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }
func (r *recorder) Prepare(string) (driver.Stmt, error)          { return nil, io.EOF }
func (r *recorder) Begin() (driver.Tx, error)                    { return nil, io.EOF }
func (r *recorder) Close() error                                 { return nil }
func (r *recorder) CheckNamedValue(*driver.NamedValue) error     { return nil }

func (r *recorder) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r.bound = query
	for _, a := range args {
		r.bound += fmt.Sprintf(" %v", a.Value)
	}
	return driver.ResultNoRows, nil
}
