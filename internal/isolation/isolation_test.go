package isolation_test

import (
	"context"
	"flag"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/internal/isolation"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

var strict = flag.Bool("strict", isolation.Gated, "fail where a condition is evaluated on a row of others")

func create(t *testing.T) isolation.CreateDatabase {
	return func(_ context.Context, scripts ...string) (string, error) {
		return pgtest.DSN(t, scripts...), nil
	}
}

// TestStatements runs the fixed part of the oracle's statements.
func TestStatements(t *testing.T) {
	for _, s := range isolation.Scopes() {
		t.Run(s.Name, func(t *testing.T) {
			o := isolation.Options{Selects: 1500, Writes: 400, Seed: 1, Scope: s, Workers: 2}
			if s.Name != "one" {
				o.Selects, o.Writes = 300, 100
			}
			report, err := isolation.Run(t.Context(), create(t), o)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			report.Write(&b, false)
			t.Log(b.String())
			for _, f := range report.Differences {
				t.Errorf("%s, plan %d: %s\n%s", f.Name, f.Plan, f.Detail, f.SQL)
			}
			if *strict && len(report.Order) > 0 {
				t.Errorf("%d statements were evaluated on rows of others", len(report.Order))
			}
		})
	}
}
