package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEnvironment(t *testing.T) {
	for mode, want := range map[string]string{"disable": "", "prefer": "", "require": "require", "verify-ca": "verify-ca", "verify-full": "verify-full"} {
		config, err := pgx.ParseConfig("host=db,db2 port=6432 dbname=school user=owner password=sesame sslmode=" + mode + " options='-c lock_timeout=5s'")
		if err != nil {
			t.Fatal(err)
		}
		env := environment(config, Schema{Name: "t_a b", Value: "a b", SearchPath: `"t_a b", "public"`})
		for _, variable := range []string{"SCOPED_SCHEMA=t_a b", "SCOPED_VALUE=a b", "PGHOST=db", "PGPORT=6432", "PGDATABASE=school", "PGUSER=owner", "PGPASSWORD=sesame",
			`PGOPTIONS=-c lock_timeout=5s -c search_path="t_a\ b",\ "public"`} {
			if !slices.Contains(env, variable) {
				t.Errorf("%s is not in %q", variable, env)
			}
		}
		got := ""
		for _, variable := range env {
			if mode, ok := strings.CutPrefix(variable, "PGSSLMODE="); ok {
				got = mode
			}
		}
		if got != want {
			t.Errorf("%s: libpq is told %q", mode, got)
		}
	}
	if got, want := tail(strings.Repeat("é", 3000)), "…"+strings.Repeat("é", 1000); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}
