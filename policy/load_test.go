package policy_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

var update = flag.Bool("update", false, "write the golden files")

const policies = "../testdata/policies"

// examples returns the golden policies: those with a file of errors beside
// them are bad, the others good.
func examples(t testing.TB) (good, bad []string) {
	t.Helper()
	paths, err := filepath.Glob(policies + "/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range paths {
		if _, err := os.Stat(errFile(path)); err == nil {
			bad = append(bad, path)
		} else {
			good = append(good, path)
		}
	}
	return good, bad
}

func errFile(path string) string { return strings.TrimSuffix(path, ".yaml") + ".err" }

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	paths, _ := filepath.Glob(policies + "/*.yaml")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := policy.Parse(filepath.Base(path), read(t, path))
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			golden := errFile(path)
			if *update {
				if got == "" {
					os.Remove(golden)
				} else if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("errors are\n%swant\n%s", got, want)
			}
		})
	}
}
