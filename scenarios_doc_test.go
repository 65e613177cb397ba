package scoped_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of docs/scenarios.md has all rows, and the cases and tests that it
// names are there.
func TestScenariosDocument(t *testing.T) {
	doc, err := os.ReadFile("docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var data []byte
			data, err = os.ReadFile(path)
			tests.Write(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	headings := regexp.MustCompile(`(?m)^## (.*?)( \(scenario \d+\))?$`)
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|.*$`).FindAllStringSubmatch(string(doc), -1)
	if len(rows) != 55 {
		t.Errorf("%d rows, want 55", len(rows))
	}
	for _, row := range rows {
		shown := 0
		for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(row[0], -1) {
			shown++
			if !strings.Contains(tests.String(), "\nfunc "+name[1]+"(") {
				t.Errorf("scenario %s: there is no %s", row[1], name[1])
			}
		}
		for _, file := range regexp.MustCompile(`(\w+\.md): ((?:“[^”]*”(?:, |, and )?)*|all of it)`).FindAllStringSubmatch(row[0], -1) {
			golden, err := os.ReadFile(filepath.Join("testdata/rewrite", file[1]))
			if err != nil {
				t.Errorf("scenario %s: %v", row[1], err)
				continue
			}
			has := map[string]bool{}
			for _, h := range headings.FindAllStringSubmatch(string(golden), -1) {
				has[h[1]] = true
			}
			for _, name := range regexp.MustCompile(`“([^”]*)”`).FindAllStringSubmatch(file[2], -1) {
				shown++
				if !has[name[1]] {
					t.Errorf("scenario %s: %s has no case %q", row[1], file[1], name[1])
				}
			}
			if file[2] == "all of it" {
				shown++
			}
		}
		if shown == 0 {
			t.Errorf("scenario %s is shown by nothing", row[1])
		}
	}
}
