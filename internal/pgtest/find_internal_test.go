package pgtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install makes a folder look like one of PostgreSQL's.
func install(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	saved := usualFolders
	t.Cleanup(func() { usualFolders = saved })
	usualFolders = []string{filepath.Join(root, "lib", "*", "bin")}
	t.Setenv("SCOPED_TEST_BINDIR", "")
	t.Setenv("PATH", "")

	if _, err := findBinaries(); err != errNotFound {
		t.Errorf("with nothing installed: got %v, want %v", err, errNotFound)
	}
	if text := errNotFound.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "apt-get install postgresql") {
		t.Errorf("the message must be one line that says what to install: %s", text)
	}

	find := func(what, want string) {
		t.Helper()
		if got, err := findBinaries(); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", what, got, err, want)
		}
	}
	path := install(t, filepath.Join(root, "path"), "initdb", "postgres")
	t.Setenv("PATH", path)
	find("only in PATH", path)

	install(t, filepath.Join(root, "lib", "9.6", "bin"), "initdb", "postgres")
	fifteen := install(t, filepath.Join(root, "lib", "15", "bin"), "initdb", "postgres")
	install(t, filepath.Join(root, "lib", "18", "bin"), "psql")
	find("the highest version that has a server", fifteen)
	if got, err := FindProgram("psql"); err != nil || got != filepath.Join(root, "lib", "18", "bin", "psql") {
		t.Errorf("got %s, %v; want the psql of 18", got, err)
	}
	if _, err := FindProgram("pg_dump"); err == nil {
		t.Error("a program was found that is not there")
	}

	own := install(t, filepath.Join(root, "own"), "initdb", "postgres")
	script := "#!/bin/sh\necho " + own + "\n"
	if err := os.WriteFile(filepath.Join(path, "pg_config"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	find("pg_config before the usual folders", own)

	t.Setenv("SCOPED_TEST_BINDIR", path)
	find("SCOPED_TEST_BINDIR before all", path)
	t.Setenv("SCOPED_TEST_BINDIR", root)
	if _, err := findBinaries(); err == nil || !strings.Contains(err.Error(), "SCOPED_TEST_BINDIR") {
		t.Errorf("an empty SCOPED_TEST_BINDIR: got %v, want an error that names it", err)
	}
}
