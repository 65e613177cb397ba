package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/compat/shim"
)

// An outcome is what became of a test.
type outcome string

const (
	passed  outcome = "pass"
	failed  outcome = "fail"
	skipped outcome = "skip"
	absent  outcome = "did not run"
)

// results are the outcomes of tests, by package and name.
type results map[string]outcome

func (r results) count(o outcome) (n int) {
	for _, each := range r {
		if each == o {
			n++
		}
	}
	return n
}

func (r results) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.count(passed), r.count(failed), r.count(skipped))
}

// parseResults reads the output of go test -json. A package that does not build
// is an error, and so is one without a single test.
func parseResults(out []byte) (results, error) {
	r := results{}
	var text strings.Builder // what the packages print, for whoever has to find out
	for line := range bytes.Lines(out) {
		var event struct{ Action, Package, Test, Output string }
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("go test -json printed %q: %w", line, err)
		}
		switch {
		case event.Action == "output" || event.Action == "build-output":
			text.WriteString(event.Output)
		case event.Action == "build-fail":
			return nil, fmt.Errorf("a package does not build:\n%s", &text)
		case event.Test == "":
		case event.Action == "run":
			r[event.Package+"."+event.Test] = absent // until it ends
		case event.Action == "pass", event.Action == "fail", event.Action == "skip":
			r[event.Package+"."+event.Test] = outcome(event.Action)
		}
	}
	if len(r) == 0 {
		return nil, fmt.Errorf("no test ran:\n%s", &text)
	}
	return r, nil
}

// A difference is a test that ended otherwise over scoped than over pgx.
type difference struct {
	test           string
	plain, guarded outcome
}

func differences(plain, guarded results) []difference {
	var d []difference
	names := map[string]bool{}
	for name := range plain {
		names[name] = true
	}
	for name := range guarded {
		names[name] = true
	}
	for name := range names {
		p, ok := plain[name]
		if !ok {
			p = absent
		}
		g, ok := guarded[name]
		if !ok {
			g = absent
		}
		if p != g {
			d = append(d, difference{name, p, g})
		}
	}
	slices.SortFunc(d, func(a, b difference) int { return strings.Compare(a.test, b.test) })
	return d
}

func readEvents(path string) ([]shim.Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []shim.Event
	for d := json.NewDecoder(bufio.NewReader(file)); ; {
		var e shim.Event
		switch err := d.Decode(&e); err {
		case nil:
			events = append(events, e)
		case io.EOF:
			return events, nil
		default:
			return nil, err
		}
	}
}

// printEvents prints how many statements were refused, and with how many scopes
// were disabled, and the refused ones if they are wanted.
func printEvents(out io.Writer, events []shim.Event, refused bool) {
	disabled := 0
	byCode := map[string]int{}
	for _, e := range events {
		if e.Code == "" {
			disabled++
		} else {
			byCode[e.Code]++
		}
	}
	fmt.Fprintf(out, "   %d statements changed the schema, with scopes disabled; %d were refused", disabled, len(events)-disabled)
	separator := ": "
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		fmt.Fprintf(out, "%s%d %s", separator, byCode[code], code)
		separator = ", "
	}
	fmt.Fprintln(out)
	if !refused {
		return
	}
	seen := map[string]bool{}
	for _, e := range events {
		if e.Code != "" && !seen[e.SQL] {
			seen[e.SQL] = true
			fmt.Fprintf(out, "     %s\n       %s\n", strings.Join(strings.Fields(e.SQL), " "), e.Refuse)
		}
	}
}
