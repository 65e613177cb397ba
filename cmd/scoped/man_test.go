package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMan shows that each command has a manual page with what its help says.
func TestMan(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "man")
	var stdout, stderr bytes.Buffer
	if status := run([]string{"man", folder}, nil, &stdout, &stderr); status != exitOK {
		t.Fatal(status, stderr.String())
	}
	root := newRootCommand(nil, &stdout, &stderr)
	for command := range everyCommand(root) {
		if command.Hidden || command.Name() == "help" {
			continue
		}
		page, err := os.ReadFile(filepath.Join(folder, strings.ReplaceAll(command.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
		}
		if !bytes.Contains(page, []byte(command.Short)) || command.Annotations[notes] != "" && !bytes.Contains(page, []byte("The exit status is")) {
			t.Errorf("the page of %s lacks what its help says:\n%s", command.Name(), page)
		}
	}
}

// TestCommandsHaveHelp shows that each command teaches by example and says its
// exit statuses.
func TestCommandsHaveHelp(t *testing.T) {
	for command := range everyCommand(newRootCommand(nil, nil, nil)) {
		if command.Hidden || command.Name() == "help" || command.Name() == "completion" || command.HasParent() && command.Parent().Name() == "completion" {
			continue
		}
		text := help(command)
		for _, want := range []string{"For example:\n\n  ", "exit status is 0"} {
			if !strings.Contains(text, want) {
				t.Errorf("the help of %s lacks %q", command.Name(), want)
			}
		}
		if strings.Contains(text, "stringArray") {
			t.Errorf("the help of %s does not name an option's value, in backquotes", command.Name())
		}
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimSpace(line))); n > helpWidth {
				t.Errorf("the help of %s has a line of %d characters: %s", command.Name(), n, line)
			}
		}
	}
}
