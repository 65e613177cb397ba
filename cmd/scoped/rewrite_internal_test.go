package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/policy"
)

// TestChainedOperators shows that what would overflow the parser's stack is
// refused like anything else.
func TestChainedOperators(t *testing.T) {
	chain := "SELECT 1" + strings.Repeat(" + 1", 25_000)
	status, stdout, stderr := runJSON(strings.NewReader(`{"sql": "` + chain + `"}` + "\n" + `{"sql": "SELECT 2"}`))
	if status != exitNotWell || stderr != "" || !strings.Contains(stdout, `"code":"limit"`) || !strings.Contains(stdout, "SELECT 2") {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	var out bytes.Buffer
	status = run([]string{"rewrite", "--policy", testPolicy}, strings.NewReader(chain+";\nSELECT 2"), &out, io.Discard)
	if status != exitNotWell || !strings.Contains(out.String(), "refused: limit") || !strings.Contains(out.String(), "SELECT 2") {
		t.Errorf("exit status %d, %q", status, out.String())
	}
	if out.Len() > 1000 {
		t.Errorf("%d bytes are too many to read at a glance", out.Len())
	}
}

func TestTextTooLarge(t *testing.T) {
	var stderr bytes.Buffer
	status := run([]string{"rewrite", "--policy", testPolicy}, endless{}, io.Discard, &stderr)
	if status != exitFault || !strings.Contains(stderr.String(), "more than 16 MiB") {
		t.Errorf("exit status %d, %q", status, stderr.String())
	}
}

func TestWriteFaults(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		for _, fault := range []error{syscall.EPIPE, errors.New("disk full")} {
			var stderr bytes.Buffer
			args := []string{"rewrite", "--policy", testPolicy, "--format", format}
			status := run(args, strings.NewReader(`{"sql": "SELECT 1"}`), failing{fmt.Errorf("write: %w", fault)}, &stderr)
			want := "scoped rewrite: write: disk full\n"
			if fault == syscall.EPIPE {
				want = ""
			}
			if status != exitFault || stderr.String() != want {
				t.Errorf("%s, %v: exit status %d, %q", format, fault, status, stderr.String())
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestColour shows that what was inserted, and only that, is in colour.
func TestColour(t *testing.T) {
	p, err := policy.Load(testPolicy)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scope.New(p, []string{"site=1"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ sql, want string }{
		{"SELECT 'é'\nFROM post", "SELECT 'é'\nFROM \x1b[32m(public.\x1b[0mpost\x1b[32m JOIN (SELECT) AS scoped_1 ON post.site_id = $1::bigint)\x1b[0m"},
		{"SELECT *\r\nFROM post\r\nWHERE true", "SELECT *\nFROM \x1b[32m(public.\x1b[0mpost\x1b[32m JOIN (SELECT) AS scoped_1 ON post.site_id = $1::bigint)\x1b[0m\nWHERE true"},
		{"SELECT 1", "SELECT 1"},
	}
	for _, test := range tests {
		o, err := s.Rewrite(test.sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.Sent(&terminal.Printer{Colour: true}, true), "\n"); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

// TestBinary builds the command and looks at what a shell would see.
func TestBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "scoped")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for sql, want := range map[string]int{"SELECT 1": exitOK, "SELECT * FROM post": exitNotWell} {
		command := exec.Command(binary, "rewrite", "--policy", testPolicy)
		command.Stdin = strings.NewReader(sql)
		_ = command.Run()
		if got := command.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit status %d, not %d", sql, got, want)
		}
	}
	command := exec.Command(binary, "rewrite")
	_ = command.Run()
	if got := command.ProcessState.ExitCode(); got != exitFault {
		t.Errorf("exit status %d, not %d", got, exitFault)
	}
	brokenPipe(t, binary)
}

// brokenPipe reads one line and goes away, as head does.
func brokenPipe(t *testing.T, binary string) {
	command := exec.Command(binary, "rewrite", "--policy", testPolicy, "--format", "json")
	command.Stdin = strings.NewReader(strings.Repeat(`{"sql": "SELECT 1"}`+"\n", 10_000))
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || !strings.Contains(line, "SELECT 1") {
		t.Errorf("%q, %v", line, err)
	}
	stdout.Close()
	if err := command.Wait(); err == nil || stderr.Len() > 0 {
		t.Errorf("%v, %q", err, stderr.String())
	}
}
