// Command compare shows that both parsers make the same of the corpora: for every
// statement that both read the same rewritten bytes, or a refusal with the same
// code. As no program can link both, it builds itself with and without cgo and
// compares what the two processes print. It prints tables in Markdown and exits
// with status 1 where they differ.
package main

import (
	"bufio"
	"cmp"
	"encoding/gob"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/corpus"
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

func main() {
	every := flag.Int("every", 1, "take only every n-th text")
	child := flag.Bool("child", false, "print the outcomes of this build, for its parent")
	flag.Parse()
	run := compareBuilds
	if *child {
		run = printOutcomes
	}
	if err := run(os.Stdout, *every); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func texts(every int) ([]corpus.Text, error) {
	dir, err := corpus.Dir()
	if err != nil {
		return nil, err
	}
	all, err := corpus.Read(dir)
	return corpus.Every(all, every), err
}

func printOutcomes(w io.Writer, every int) error {
	all, err := texts(every)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	encoder := gob.NewEncoder(out)
	if err := encoder.Encode(pgparse.Version); err != nil {
		return err
	}
	for _, t := range all {
		if err := encoder.Encode(corpus.OutcomeOf(t)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// A build is a process that prints outcomes.
type build struct {
	command *exec.Cmd
	decoder *gob.Decoder
	version int
}

// start builds this command with or without cgo, and starts it.
func start(dir, cgo string, every int) (*build, error) {
	program := filepath.Join(dir, "compare"+cgo)
	compile := exec.Command("go", "build", "-o", program, "github.com/scoped-pgx/scoped/internal/corpus/compare")
	compile.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if output, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("with CGO_ENABLED=%s: %v: %s", cgo, err, output)
	}
	b := &build{command: exec.Command(program, "-child", fmt.Sprintf("-every=%d", every))}
	b.command.Stderr = os.Stderr
	out, err := b.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.command.Start(); err != nil {
		return nil, err
	}
	b.decoder = gob.NewDecoder(bufio.NewReader(out))
	return b, b.decoder.Decode(&b.version)
}

func compareBuilds(w io.Writer, every int) error {
	all, err := texts(every)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	old, err := start(dir, "1", every)
	if err != nil {
		return err
	}
	new, err := start(dir, "0", every)
	if err != nil {
		return err
	}
	if old.version >= new.version {
		return fmt.Errorf("the parser with cgo is of version %d, the one without of %d", old.version, new.version)
	}
	c := newComparison()
	for _, t := range all {
		var a, b corpus.Outcome
		if err := old.decoder.Decode(&a); err != nil {
			return fmt.Errorf("the build with cgo: %w", err)
		}
		if err := new.decoder.Decode(&b); err != nil {
			return fmt.Errorf("the build without cgo: %w", err)
		}
		c.add(t, a, b)
	}
	if err := cmp.Or(old.command.Wait(), new.command.Wait()); err != nil {
		return err
	}
	c.report(w)
	if n := len(c.differences); n > 0 {
		return fmt.Errorf("%d differences", n)
	}
	return nil
}

// A comparison counts what became of the texts in both builds.
type comparison struct {
	texts, bothRead, neitherRead int
	sameError, sameTokens        int

	statements, rewrites     int
	sameBytes, sameRefusal   int
	otherErrors              map[string]*group // of texts that neither reads
	otherWords               map[string]*group // the same code, another message
	differences              []string
	onlyNew, onlyOld         map[string]*group // by the error of the other
	newStatements, newPasses map[corpus.Kind]int
}

// A group is texts that have something in common.
type group struct {
	count   int
	example string // the shortest
	note    string
}

func newComparison() *comparison {
	return &comparison{
		otherErrors: map[string]*group{}, otherWords: map[string]*group{}, onlyNew: map[string]*group{}, onlyOld: map[string]*group{},
		newStatements: map[corpus.Kind]int{}, newPasses: map[corpus.Kind]int{},
	}
}

func put(groups map[string]*group, key, example, note string) {
	g := groups[key]
	if g == nil {
		g = &group{example: example, note: note}
		groups[key] = g
	}
	g.count++
	if len(example) < len(g.example) {
		g.example, g.note = example, note
	}
}

var position = regexp.MustCompile(` at -?\d+$`)

func (c *comparison) add(t corpus.Text, old, new corpus.Outcome) {
	c.texts++
	if old.Tokens == new.Tokens {
		c.sameTokens++
	}
	switch {
	case old.Syntax != "" && new.Syntax != "":
		c.neitherRead++
		if old.Syntax == new.Syntax {
			c.sameError++
		} else {
			put(c.otherErrors, position.ReplaceAllString(old.Syntax, "")+"\n"+position.ReplaceAllString(new.Syntax, ""), t.SQL, "")
		}
	case old.Syntax != "":
		var notes []string
		for _, s := range new.Statements {
			c.newStatements[s.Kind]++
			// The first is that of the scheme direct with one value in scope.
			if first := s.Rewrites[0]; first.Code == "" {
				c.newPasses[s.Kind]++
				notes = append(notes, "accepted")
			} else {
				notes = append(notes, string(first.Code))
			}
		}
		put(c.onlyNew, position.ReplaceAllString(old.Syntax, ""), t.SQL, strings.Join(slices.Compact(notes), ", "))
	case new.Syntax != "":
		put(c.onlyOld, position.ReplaceAllString(new.Syntax, ""), t.SQL, "")
	default:
		c.bothRead++
		c.compare(t, old, new)
	}
}

func (c *comparison) compare(t corpus.Text, old, new corpus.Outcome) {
	differ := func(format string, args ...any) {
		c.differences = append(c.differences, fmt.Sprintf(format, args...)+": "+t.SQL)
	}
	if len(old.Statements) != len(new.Statements) {
		differ("%d and %d statements", len(old.Statements), len(new.Statements))
		return
	}
	for i, a := range old.Statements {
		b := new.Statements[i]
		c.statements++
		if a.SQL != b.SQL || a.Kind != b.Kind || len(a.Rewrites) != len(b.Rewrites) {
			differ("%v %q and %v %q", a.Kind, a.SQL, b.Kind, b.SQL)
			continue
		}
		for j, x := range a.Rewrites {
			y := b.Rewrites[j]
			c.rewrites++
			switch {
			case x == y && x.Code == "":
				c.sameBytes++
			case x == y:
				c.sameRefusal++
			case x.Code == y.Code && x.Code != "":
				c.sameRefusal++
				put(c.otherWords, x.Message+"\n"+y.Message, a.SQL, "")
			default:
				differ("%s%s\nand\n%s%s\nof", x.SQL, x.Message, y.SQL, y.Message)
			}
		}
	}
}

func (c *comparison) report(w io.Writer) {
	fmt.Fprintf(w, "%d texts. Both parsers read %d, neither %d, of which %d with the same error at the same place.\n",
		c.texts, c.bothRead, c.neitherRead, c.sameError)
	fmt.Fprintf(w, "The tokens of %d texts are the same.\n\n", c.sameTokens)
	fmt.Fprintf(w, "Of the texts that both read, %d statements were rewritten %d times: %d gave the same bytes, %d a refusal with the\n"+
		"same code, of which %d in other words.\n", c.statements, c.rewrites, c.sameBytes, c.sameRefusal, total(c.otherWords))
	fmt.Fprintf(w, "\n## Differences: %d\n", len(c.differences))
	for _, d := range c.differences[:min(50, len(c.differences))] {
		fmt.Fprintf(w, "\n```\n%s\n```\n", d)
	}
	for _, groups := range []map[string]*group{c.otherWords, c.otherErrors} {
		fmt.Fprintf(w, "\n## Refused in other words: %d\n", total(groups))
		for _, key := range byCount(groups) {
			fmt.Fprintf(w, "\n```\n%d: %s\n%s\n```\n", groups[key].count, groups[key].example, key)
		}
	}
	fmt.Fprintf(w, "\n## Read by the newer grammar only: %d texts\n\n| kind | statements | accepted |\n|---|---|---|\n", total(c.onlyNew))
	for _, kind := range corpus.Kinds {
		if n := c.newStatements[kind]; n > 0 {
			fmt.Fprintf(w, "| %s | %d | %d |\n", kind, n, c.newPasses[kind])
		}
	}
	c.table(w, c.onlyNew, "the older grammar's error")
	fmt.Fprintf(w, "\n## Read by the older grammar only: %d texts\n", total(c.onlyOld))
	c.table(w, c.onlyOld, "the newer grammar's error")
}

func (c *comparison) table(w io.Writer, groups map[string]*group, what string) {
	fmt.Fprintf(w, "\n| %s | texts | the shortest | becomes |\n|---|---|---|---|\n", what)
	for _, key := range byCount(groups) {
		g := groups[key]
		fmt.Fprintf(w, "| %s | %d | `%s` | %s |\n", cell(key, 80), g.count, cell(g.example, 120), g.note)
	}
}

func byCount(groups map[string]*group) []string {
	return slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(groups[b].count, groups[a].count), cmp.Compare(a, b))
	})
}

func total(groups map[string]*group) int {
	n := 0
	for _, g := range groups {
		n += g.count
	}
	return n
}

// cell shortens text to one cell of a Markdown table.
func cell(s string, most int) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
