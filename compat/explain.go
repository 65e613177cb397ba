package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// An explanation says why tests of a suite end otherwise over scoped.
type explanation struct {
	suite, mode string         // mode is * for every one
	tests       *regexp.Regexp // their names, without the package's path
	line        string         // as it is written
	reason      string
}

// parseExplanations reads lines of suite, mode, tests and reason. The first three
// are without spaces, and a * in the tests stands for anything.
func parseExplanations(text string) ([]explanation, error) {
	var explained []explanation
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("differences.txt: %q is not suite, mode, tests and reason", line)
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(fields[2]), `\*`, `.*`)
		explained = append(explained, explanation{
			suite: fields[0], mode: fields[1],
			tests: regexp.MustCompile(`^` + pattern + `$`),
			line:  line, reason: strings.Join(fields[3:], " "),
		})
	}
	return explained, nil
}

func (e explanation) of(suite, mode, test string) bool {
	if e.suite != suite || e.mode != "*" && e.mode != mode {
		return false
	}
	return e.tests.MatchString(testName(test))
}

// testName returns the name of a test without the path of its package.
func testName(test string) string {
	if i := strings.Index(test, ".Test"); i >= 0 {
		return test[i+1:]
	}
	if i := strings.Index(test, ".Example"); i >= 0 {
		return test[i+1:]
	}
	return test
}

// printDifferences prints the differences and returns how many are faults: those
// without an explanation, and explanations of nothing.
func printDifferences(out io.Writer, suite, mode string, found []difference, explained []explanation) (faults int) {
	used := map[string]bool{}
	same := map[string]bool{} // the outcomes of tests that are printed
	for _, d := range found {
		reason := ""
		for _, e := range explained {
			if e.of(suite, mode, d.test) {
				used[e.line], reason = true, e.reason
				break
			}
		}
		if reason == "" {
			faults++
			reason = "NOT EXPLAINED"
		}
		name := testName(d.test)
		ends := fmt.Sprintf("%s, %s over scoped: %s", d.plain, d.guarded, reason)
		parent, _, _ := strings.Cut(name, "/")
		if same[parent+ends] && parent != name {
			continue
		}
		same[name+ends] = true
		fmt.Fprintf(out, "   %s: %s\n", name, ends)
	}
	for _, e := range explained {
		if e.suite == suite && (e.mode == "*" || e.mode == mode) && !used[e.line] {
			faults++
			fmt.Fprintf(out, "   NO LONGER DIFFERENT: %s\n", e.line)
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(out, "   the same tests pass")
	}
	return faults
}
