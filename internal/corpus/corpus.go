// Package corpus runs the rewriter over every statement of the parser corpora
// that the module github.com/sqlc-dev/oliphant ships as test data: PostgreSQL's
// regression suite above all. Each statement gets a policy that scopes every
// table it names, so that it is either rewritten and certified or refused with a
// type; the counts of both say how much of PostgreSQL's SQL is accepted.
//
// The module is read as data: linking it beside pg_query_go is not possible,
// because both register the same protobuf names.
package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

const (
	module  = "github.com/sqlc-dev/oliphant"
	version = "v0.2.0"
	sum     = "h1:jJ/s2fh4Plj3U1HsdqiY/clw/IHb4FCNaHfqirwxcsI="
)

// Dir returns the folder of the corpora in the module cache, which go fills
// where it lacks them.
func Dir() (string, error) {
	command := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	output, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			output = append(output, exit.Stderr...)
		}
		return "", fmt.Errorf("corpus: %v: %s", err, bytes.TrimSpace(output))
	}
	var downloaded struct{ Dir, Sum string }
	if err := json.Unmarshal(output, &downloaded); err != nil {
		return "", fmt.Errorf("corpus: %w", err)
	}
	if downloaded.Sum != sum {
		return "", fmt.Errorf("corpus: %s@%s has the sum %s, not %s", module, version, downloaded.Sum, sum)
	}
	return filepath.Join(downloaded.Dir, "parser", "testdata"), nil
}

// An Origin says where in the corpora a text stands.
type Origin uint8

const (
	Input      Origin = iota // what the parser is tested with
	Printed                  // a statement that the deparser is expected to print
	Normalized               // a statement with parameters in the place of its constants
	Function                 // a query in the body of a PL/pgSQL function
)

var originNames = [...]string{"input", "printed", "normalized", "in PL/pgSQL"}

func (o Origin) String() string { return originNames[o] }

// A Text is one distinct text of the corpora, of one statement or of several.
type Text struct {
	SQL    string
	Origin Origin // the first of Input, Printed, Normalized and Function
	File   string
}

// Read returns the distinct texts below dir, always in the same order.
func Read(dir string) ([]Text, error) {
	var texts [len(originNames)][]Text
	seen := map[string]bool{}
	add := func(origin Origin, file, sql string) {
		if sql = strings.TrimSpace(sql); sql != "" {
			texts[origin] = append(texts[origin], Text{sql, origin, file})
		}
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".test" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		suite, _, _ := strings.Cut(filepath.ToSlash(file), "/")
		for _, c := range cases(string(data)) {
			input := c.input
			if suite == "summary_truncate" { // whose first line is a directive
				_, input, _ = strings.Cut(input, "\n")
			}
			add(Input, file, input)
			if strings.HasPrefix(c.expected, "ERROR: ") {
				continue
			}
			switch suite {
			case "deparse":
				add(Printed, file, c.expected)
			case "normalize", "normalize_utility":
				add(Normalized, file, c.expected)
			case "plpgsql":
				for _, query := range functionQueries(c.expected) {
					add(Function, file, query)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	var all []Text
	for _, of := range texts {
		for _, t := range of {
			if !seen[t.SQL] {
				seen[t.SQL] = true
				all = append(all, t)
			}
		}
	}
	return all, nil
}

type testCase struct{ input, expected string }

// cases reads a test file: "== name" opens a case, "--" parts its input from what
// is expected, and "|" escapes a line that would be taken for one of these.
func cases(data string) []testCase {
	var all []testCase
	var section *strings.Builder
	var input, expected strings.Builder
	flush := func() {
		if section != nil {
			all = append(all, testCase{input.String(), expected.String()})
		}
		input.Reset()
		expected.Reset()
	}
	for line := range strings.Lines(data) {
		switch {
		case strings.HasPrefix(line, "== "):
			flush()
			section = &input
		case line == "--\n" && section == &input:
			section = &expected
		case section != nil:
			section.WriteString(strings.TrimPrefix(line, "|"))
		}
	}
	flush()
	return all
}

// A query with parseMode 0 is a whole statement, with others an expression.
var functionQuery = regexp.MustCompile(`"query":("(?:[^"\\]|\\.)*"),"parseMode":0`)

func functionQueries(expected string) []string {
	var queries []string
	for _, match := range functionQuery.FindAllStringSubmatch(expected, -1) {
		var query string
		if json.Unmarshal([]byte(match[1]), &query) == nil {
			queries = append(queries, query)
		}
	}
	return queries
}

// A Statement is one statement that PostgreSQL's grammar accepts.
type Statement struct {
	Text
	Kind Kind
	tree any
}

// Split returns the statements of a text, none where the parser does not accept it.
func Split(t Text) []Statement {
	if strings.IndexByte(t.SQL, 0) >= 0 {
		return nil
	}
	stmts, err := pgparse.Parse(t.SQL)
	if err != nil {
		return nil
	}
	statements := make([]Statement, len(stmts))
	for i, raw := range stmts {
		text := t
		if len(stmts) > 1 {
			from, to := int(raw.StmtLocation), len(t.SQL)
			if raw.StmtLen > 0 {
				to = from + int(raw.StmtLen)
			}
			text.SQL = t.SQL[from:to]
		}
		tree := pgparse.Unwrap(raw.Stmt)
		statements[i] = Statement{text, kindOf(tree), tree}
	}
	return statements
}

// A Kind is the kind of a statement, as far as the figures tell them apart.
type Kind uint8

const (
	Select Kind = iota // also VALUES and TABLE
	Insert
	Update
	Delete
	Merge
	Explain    // of one of those
	SelectInto // which makes a table
	Other
)

// Kinds are all kinds, in the order of the tables.
var Kinds = []Kind{Select, Insert, Update, Delete, Merge, Explain, SelectInto, Other}

var kindNames = [...]string{"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "EXPLAIN", "SELECT INTO", "other"}

func (k Kind) String() string { return kindNames[k] }

func kindOf(tree any) Kind {
	switch n := tree.(type) {
	case *pgparse.SelectStmt:
		for left := n; left != nil; left = left.Larg {
			if left.IntoClause != nil {
				return SelectInto
			}
		}
		return Select
	case *pgparse.InsertStmt:
		return Insert
	case *pgparse.UpdateStmt:
		return Update
	case *pgparse.DeleteStmt:
		return Delete
	case *pgparse.MergeStmt:
		return Merge
	case *pgparse.ExplainStmt:
		if kindOf(pgparse.Unwrap(n.Query)) <= Merge {
			return Explain
		}
	}
	return Other
}

// Every returns every n-th text.
func Every(texts []Text, n int) []Text {
	var some []Text
	for i := 0; i < len(texts); i += n {
		some = append(some, texts[i])
	}
	return some
}
