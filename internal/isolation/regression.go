package isolation

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Regression is a statement that was once answered wrongly, in a file of its own:
//
//	-- seed 1, scope one, SELECT 17
//	-- scope: one
//	-- rows …
//	SELECT …
//
// One that a version of PostgreSQL answers rightly says -- before: 18.
type Regression struct {
	File, Scope, SQL string
	Before           int // 0 where every version is meant
}

// Save writes a reduced finding into a folder, and returns the file's name. The
// name is made of the finding's.
func Save(dir string, f Finding) (string, error) {
	name := strings.NewReplacer(", ", "_", " ", "_").Replace(strings.ToLower(f.Name)) + ".sql"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	detail, _, _ := strings.Cut(f.Detail, "\n")
	text := fmt.Sprintf("-- %s\n-- scope: %s\n-- %s\n%s\n", f.Name, f.Scope, detail, f.SQL)
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// Regressions reads the files of a folder.
func Regressions(dir string) ([]Regression, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	var all []Regression
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r := Regression{File: file, Scope: "one"}
		var sql []string
		for lines := bufio.NewScanner(strings.NewReader(string(data))); lines.Scan(); {
			line := lines.Text()
			if scope, ok := strings.CutPrefix(line, "-- scope: "); ok {
				r.Scope = scope
			}
			if version, ok := strings.CutPrefix(line, "-- before: "); ok {
				if r.Before, err = strconv.Atoi(version); err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
			}
			if !strings.HasPrefix(line, "--") {
				sql = append(sql, line)
			}
		}
		r.SQL = strings.TrimSpace(strings.Join(sql, "\n"))
		all = append(all, r)
	}
	return all, nil
}
