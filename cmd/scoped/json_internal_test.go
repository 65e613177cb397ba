package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

func runJSON(stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	var out, faults bytes.Buffer
	args = append([]string{"rewrite", "--policy", testPolicy, "--format", "json"}, args...)
	status = run(args, stdin, &out, &faults)
	return status, out.String(), faults.String()
}

func TestJSONMalformed(t *testing.T) {
	tests := []struct{ line, want string }{
		{`{`, "unexpected end"},
		{`{"sql": "SELECT 1`, "not valid JSON"},
		{`{"sql": "SELECT 1",}`, "not valid JSON"},
		{`{"sql" "SELECT 1"}`, "not valid JSON"},
		{`{sql: "SELECT 1"}`, "not valid JSON"},
		{`SELECT 1`, "not valid JSON"},
		{`"SELECT 1"`, "not an object"},
		{`["SELECT 1"]`, "not an object"},
		{`null`, "not an object"},
		{`{}`, `"sql" is missing`},
		{`{"name": "a"}`, `"sql" is missing`},
		{`{"sql": null}`, "not a string"},
		{`{"sql": 1}`, "not a string"},
		{`{"sql": ["SELECT 1"]}`, "not a string"},
		{`{"sql": {"sql": "SELECT 1"}}`, "not a string"},
		{`{"sql": "SELECT 1", "name": 1}`, "not a string"},
		{`{"SQL": "SELECT 1"}`, `unknown key "SQL"`},
		{`{"sql": "SELECT 1", "args": [1]}`, `unknown key "args"`},
		{`{"sql": "SELECT 1", "sql": "SELECT 2"}`, "given twice"},
		{`{"sql": "SELECT 1"} {"sql": "SELECT 2"}`, "something follows"},
		{`{"sql": "SELECT 1"} x`, "something follows"},
		{"{\"sql\": \"SELECT '\xff'\"}", "not valid UTF-8"},
	}
	for _, test := range tests {
		// A refused statement before does not hide the fault.
		input := `{"sql": "SELECT * FROM secret"}` + "\n\n" + test.line + "\n" + `{"sql": "SELECT 3"}` + "\n"
		status, stdout, stderr := runJSON(strings.NewReader(input))
		if status != exitFault {
			t.Errorf("%s: exit status %d", test.line, status)
		}
		if strings.Count(stdout, "\n") != 1 || !strings.HasSuffix(stdout, "}\n") {
			t.Errorf("%s: printed %q, not exactly the line before", test.line, stdout)
		}
		if !strings.HasPrefix(stderr, "scoped rewrite: <stdin>:3: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: %q does not contain %q", test.line, stderr, test.want)
		}
	}
}

// TestJSONOrder also shows that results are not kept: there is one for each
// line, whether accepted or refused, in the order of the input.
func TestJSONOrder(t *testing.T) {
	const n = 2000
	var input strings.Builder
	for i := range n {
		table := "post"
		if i%3 == 0 {
			table = "secret"
		}
		fmt.Fprintf(&input, "{\"name\": \"%d\", \"sql\": \"SELECT %d FROM %s\"}\r\n", i, i, table)
	}
	status, stdout, stderr := runJSON(strings.NewReader(strings.TrimSpace(input.String())), "--scope", "site=1")
	if status != exitNotWell || stderr != "" {
		t.Fatalf("exit status %d, %q", status, stderr)
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for i := range n {
		var r jsonResult
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Name != fmt.Sprint(i) || (r.Error != nil) != (i%3 == 0) {
			t.Fatalf("result %d is %+v", i, r)
		}
		if r.Error == nil && !strings.HasPrefix(r.SQL, fmt.Sprintf("SELECT %d FROM (public.post ", i)) {
			t.Fatalf("result %d is %+v", i, r)
		}
	}
	if decoder.More() {
		t.Error("there are more results than lines")
	}
}

// TestJSONStreams sends each line only when the answer to the one before is there.
func TestJSONStreams(t *testing.T) {
	in, send := io.Pipe()
	receive, out := io.Pipe()
	done := make(chan int)
	go func() {
		args := []string{"rewrite", "--policy", testPolicy, "--format", "json"}
		done <- run(args, in, out, io.Discard)
	}()
	decoder := json.NewDecoder(receive)
	for i := range 3 {
		fmt.Fprintf(send, `{"sql": "SELECT %d"}`+"\n", i)
		var r jsonResult
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("SELECT %d", i); r.SQL != want {
			t.Errorf("got %q, not %q", r.SQL, want)
		}
	}
	send.Close()
	if status := <-done; status != exitOK {
		t.Errorf("exit status %d", status)
	}
}

func TestJSONLongLines(t *testing.T) {
	accepted := "SELECT '" + strings.Repeat("é", 4<<20) + "'"
	tooLong := "SELECT '" + strings.Repeat("x", 17<<20) + "'"
	input := fmt.Sprintf("{\"sql\": \"%s\"}\n{\"sql\": \"%s\"}\n{\"sql\": \"SELECT 1\"}\n", accepted, tooLong)
	status, stdout, stderr := runJSON(strings.NewReader(input))
	if status != exitNotWell || stderr != "" {
		t.Fatalf("exit status %d, %q", status, stderr)
	}
	results := strings.SplitAfter(stdout, "\n")
	if len(results) != 4 || !strings.Contains(results[0], accepted) ||
		!strings.Contains(results[1], `"code":"limit"`) || !strings.Contains(results[2], "SELECT 1") {
		t.Errorf("got %d results", len(results)-1)
	}
}

// TestJSONEndlessLine reads a line that never ends.
func TestJSONEndlessLine(t *testing.T) {
	status, stdout, stderr := runJSON(endless{})
	if status != exitFault || stdout != "" || !strings.Contains(stderr, "<stdin>:1: the line has more than 128 MiB") {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
