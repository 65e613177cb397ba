package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentation runs the examples of docs/command.md, in the repository's
// folder, and compares what it shows of them.
func TestDocumentation(t *testing.T) {
	t.Chdir("../..")
	const page = "docs/command.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	got := regexp.MustCompile("(?s)```console\n\\$ ([^\n]*)\n(.*?)```").ReplaceAllStringFunc(string(data), func(block string) string {
		blocks++
		line, _, _ := strings.Cut(strings.TrimPrefix(block, "```console\n$ "), "\n")
		return "```console\n$ " + line + "\n" + shell(t, line) + "```"
	})
	if blocks == 0 {
		t.Fatal("no examples")
	}
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(data) {
		t.Errorf("%s differs; \"go test -C cmd/scoped . -run TestDocumentation -update\" rewrites it. Got:\n%s", page, got)
	}
}

// shell runs a line such as echo 'SELECT 1' | scoped rewrite, and returns what a
// terminal would show.
func shell(t *testing.T, line string) string {
	t.Helper()
	var stdin string
	if input, rest, ok := strings.Cut(line, " | scoped "); ok {
		stdin = strings.Trim(strings.TrimPrefix(input, "echo "), "'") + "\n"
		line = "scoped " + rest
	}
	words := regexp.MustCompile(`'[^']*'|[^ ']+`).FindAllString(line, -1)
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	if words[0] != "scoped" {
		t.Fatalf("%s does not run scoped", line)
	}
	var out bytes.Buffer
	if status := run(words[1:], strings.NewReader(stdin), &out, &out); status == exitFault {
		t.Errorf("%s: %s", line, out.String())
	}
	return out.String()
}
