package pgtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// errNotFound is all that a newcomer without PostgreSQL sees, so it says what to do.
var errNotFound = errors.New("pgtest: no PostgreSQL server was found: install one " +
	"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql), " +
	"or set SCOPED_TEST_BINDIR to the folder of initdb and postgres, or SCOPED_TEST_DSN to the URL of a running server")

// usualFolders are where distributions install the server without putting it into PATH.
var usualFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
}

// findBinaries returns the folder that holds initdb and postgres.
func findBinaries() (string, error) {
	if dir := os.Getenv("SCOPED_TEST_BINDIR"); dir != "" {
		dir, err := filepath.Abs(dir)
		if err == nil && !holdsServer(dir) {
			err = fmt.Errorf("pgtest: SCOPED_TEST_BINDIR: no initdb and postgres in %s", dir)
		}
		return dir, err
	}
	for _, dir := range candidates() {
		// The pg_config of a client library names a folder that may lack the server.
		if holdsServer(dir) {
			return dir, nil
		}
	}
	return "", errNotFound
}

func candidates() []string {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range usualFolders {
		matches, _ := filepath.Glob(pattern)
		slices.SortStableFunc(matches, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
		dirs = append(dirs, matches...)
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	return dirs
}

var number = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// version returns the number in the name of a folder, such as 9.6 or 17.
func version(dir string) float64 {
	v, _ := strconv.ParseFloat(number.FindString(dir), 64)
	return v
}

func holdsServer(dir string) bool {
	return isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres"))
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// FindProgram returns the path of a program of PostgreSQL, such as psql. In the PATH
// of Debian there is a script instead, which takes its time to find the program.
func FindProgram(name string) (string, error) {
	for _, dir := range append([]string{os.Getenv("SCOPED_TEST_BINDIR")}, candidates()...) {
		if path := filepath.Join(dir, name); dir != "" && isProgram(path) {
			return path, nil
		}
	}
	return exec.LookPath(name)
}
