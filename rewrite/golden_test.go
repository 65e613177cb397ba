package rewrite_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

var update = flag.Bool("update", false, "write the results into the golden files")

const goldenDir = "../testdata/rewrite"

// A golden is one case of a golden file: a heading, optional lines such as its
// scope, whether it is rewritten with the catalogue of catalog.json, and more
// keys of the policy, the user's SQL and what becomes of it. The files are Markdown, to be read as the
// specification.
type golden struct {
	file, name, scope string
	server            string // what the server says where it is not the tenant's own answer
	catalog           bool
	since             int    // the first version of PostgreSQL that knows the case, 0 for all
	policy            string // what the policy says beside that of all cases
	sql, result       string
}

// goldenScope is the scope of cases that name none.
const goldenScope = "site=1 user=7"

// readGoldens reads a file into its cases and a function that writes it again
// with the results that the cases then have.
func readGoldens(t testing.TB, file string) (cases []*golden, write func()) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var parts []any // strings and *golden, whose result stands there
	var current *golden
	var block *strings.Builder
	blocks := 0
	for n, line := range strings.SplitAfter(string(data), "\n") {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case block != nil && text == "```":
			if blocks++; blocks == 1 {
				current.sql = strings.TrimSuffix(block.String(), "\n")
				parts = append(parts, block.String(), line)
			} else {
				current.result = strings.TrimSuffix(block.String(), "\n")
			}
			block = nil
		case block != nil:
			block.WriteString(line)
		case strings.HasPrefix(text, "```") && (current == nil || blocks > 1):
			t.Fatalf("%s:%d: a block without a case", file, n+1)
		case strings.HasPrefix(text, "```"):
			block = new(strings.Builder)
			if blocks == 0 {
				parts = append(parts, line)
			} else {
				parts = append(parts, current)
			}
		case strings.HasPrefix(text, "## "):
			if current != nil && blocks == 1 {
				parts = append(parts, current, "\n")
			}
			current = &golden{file: filepath.Base(file), name: text[3:], scope: goldenScope}
			cases = append(cases, current)
			blocks = 0
			parts = append(parts, line)
		case strings.HasPrefix(text, "Scope: "):
			current.scope = strings.Trim(strings.TrimPrefix(text, "Scope: "), "`")
			parts = append(parts, line)
		case text == "Catalog: yes":
			current.catalog = true
			parts = append(parts, line)
		case strings.HasPrefix(text, "PostgreSQL: "):
			if current.since, err = strconv.Atoi(strings.TrimPrefix(text, "PostgreSQL: ")); err != nil {
				t.Fatalf("%s:%d: %v", file, n+1, err)
			}
			parts = append(parts, line)
		case strings.HasPrefix(text, "Policy: "):
			current.policy = strings.Trim(strings.TrimPrefix(text, "Policy: "), "`")
			parts = append(parts, line)
		case strings.HasPrefix(text, "Server: "):
			current.server = strings.Trim(strings.TrimPrefix(text, "Server: "), "`")
			parts = append(parts, line)
		default:
			parts = append(parts, line)
		}
	}
	if current != nil && blocks == 1 {
		parts = append(parts, "\n", current)
	}
	return cases, func() {
		var b strings.Builder
		for _, part := range parts {
			switch part := part.(type) {
			case string:
				b.WriteString(part)
			case *golden:
				language := "sql"
				if strings.HasPrefix(part.result, "refused") {
					language = "text"
				}
				fmt.Fprintf(&b, "```%s\n%s\n```\n", language, part.result)
			}
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var merge = regexp.MustCompile(`(?i)\bMERGE\s+INTO\b`)

// runsOn reports whether the server knows the case.
func (g *golden) runsOn(conn *pgx.Conn) bool {
	since := g.since
	if since == 0 && merge.MatchString(g.sql) {
		since = 15
	}
	return conn.PgConn().ParameterStatus("server_version") >= strconv.Itoa(since)
}

// shapeOf reads "site=1 user=7,8": one value, several, several of which one is
// written, 7,8>7, or * for all.
func shapeOf(t testing.TB, p *policy.Policy, scope string) (shape rewrite.Shape, values map[string]string) {
	t.Helper()
	values = map[string]string{}
	for _, field := range strings.Fields(scope) {
		name, value, ok := strings.Cut(field, "=")
		if name == "none" && !ok {
			continue
		}
		d := p.Dimension(name)
		if !ok || d == nil {
			t.Fatalf("scope %q", scope)
		}
		values[name] = value
		switch {
		case value == "*":
			shape = shape.With(d, rewrite.All)
		case strings.Contains(value, ">"):
			shape = shape.With(d, rewrite.WriteOne)
		case strings.Contains(value, ","):
			shape = shape.With(d, rewrite.Many)
		default:
			shape = shape.With(d, rewrite.One)
		}
	}
	return shape, values
}

func describe(r *rewrite.Rewrite, err error) string {
	if err != nil {
		var e *rewrite.Error
		if !errors.As(err, &e) {
			return fmt.Sprintf("%T is not an *Error: %v", err, err)
		}
		return fmt.Sprintf("refused (%s)\n%s", e.Code, e)
	}
	var b strings.Builder
	b.WriteString(r.SQL)
	for i, d := range r.Args {
		fmt.Fprintf(&b, "\n-- $%d: %s", r.Params+1+i, d.Name)
		if d.Write {
			b.WriteString(", that is written")
		}
	}
	if r.Literal {
		b.WriteString("\n-- sent with literals")
	}
	for _, c := range r.Cursors {
		fmt.Fprintf(&b, "\n-- %s", strings.TrimSpace(cursorOps[c.Op]+" "+c.Name))
	}
	if r.Check {
		b.WriteString("\n-- the last column is a check, and removed")
	}
	return b.String()
}

var cursorOps = map[rewrite.CursorOp]string{
	rewrite.DeclareCursor:   "declares the cursor",
	rewrite.FetchCursor:     "needs the scope of the cursor",
	rewrite.CurrentOfCursor: "needs the scope of the cursor",
	rewrite.CloseCursor:     "closes the cursor",
	rewrite.CloseAllCursors: "closes all cursors",
}

func goldenPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Load(filepath.Join(goldenDir, "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rewriter returns what rewrites a case.
func (g *golden) rewriter(t testing.TB, p *policy.Policy) rewrite.Rewriter {
	t.Helper()
	if g.policy != "" {
		var err error
		if p, err = policy.Parse(g.name, []byte(script(t, "policy.yaml")+g.policy+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	if !g.catalog {
		return rewrite.Rewriter{Policy: p}
	}
	c, err := catalog.Load(filepath.Join(goldenDir, "catalog.json"))
	if err != nil {
		t.Fatal(err)
	}
	return rewrite.Rewriter{Policy: p, Catalog: c}
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	return files
}

func TestGolden(t *testing.T) {
	p := goldenPolicy(t)
	for _, file := range goldenFiles(t) {
		cases, write := readGoldens(t, file)
		for _, g := range cases {
			t.Run(g.file+"/"+g.name, func(t *testing.T) {
				shape, _ := shapeOf(t, p, g.scope)
				rewritten, err := g.rewriter(t, p).Rewrite(g.sql, shape)
				if g.since > pgparse.Version && errors.Is(err, rewrite.ErrRefused) {
					return // whatever an older grammar makes of it
				}
				got := describe(rewritten, err)
				if got != g.result && !*update {
					t.Errorf("%s\ngot:\n%s\nwant:\n%s", g.sql, got, g.result)
				}
				g.result = got
			})
		}
		if *update {
			write()
		}
	}
}
