package pgparse_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestOneParser checks that every build links one parser, and that nothing but this
// package imports one: two in one program panic when they register their types.
func TestOneParser(t *testing.T) {
	const module = "github.com/scoped-pgx/scoped"
	parsers := map[string]string{"c": "github.com/pganalyze/pg_query_go", "go": "github.com/sqlc-dev/oliphant"}
	for _, build := range []struct{ environment, tags, parser string }{
		{"GOOS=linux CGO_ENABLED=1", "", "c"},
		{"GOOS=linux CGO_ENABLED=1", "musl", "go"},
		{"GOOS=linux CGO_ENABLED=0", "", "go"},
		{"GOOS=darwin CGO_ENABLED=1", "", "go"},
		{"GOOS=darwin CGO_ENABLED=0", "", "go"},
		{"GOOS=windows CGO_ENABLED=1", "", "go"},
		{"GOOS=freebsd CGO_ENABLED=1", "", "go"},
	} {
		command := exec.Command("go", "list", "-tags="+build.tags, "-deps",
			"-f", "{{if not .Standard}}{{.ImportPath}} {{join .Imports \" \"}}{{end}}", module)
		command.Env = append(os.Environ(), strings.Fields(build.environment)...)
		output, err := command.Output()
		if err != nil {
			t.Fatalf("%v: %v", build, err)
		}
		linked := map[string]bool{}
		for line := range strings.Lines(string(output)) {
			packages := strings.Fields(line)
			for name, parser := range parsers {
				for i, path := range packages {
					if !strings.HasPrefix(path, parser) {
						continue
					}
					linked[name] = true
					if i > 0 && strings.HasPrefix(packages[0], module) && packages[0] != module+"/internal/pgparse" {
						t.Errorf("%s imports %s", packages[0], path)
					}
				}
			}
		}
		if len(linked) != 1 || !linked[build.parser] {
			t.Errorf("%v links %v", build, linked)
		}
	}
}
