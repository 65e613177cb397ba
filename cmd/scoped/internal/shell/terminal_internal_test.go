package shell

import (
	"fmt"
	"os"
	"testing"
)

// TestHistoryIsBounded reads a history that has grown.
func TestHistoryIsBounded(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, err := stateFile("history.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for i := range 2*maxHistory + 1 {
		data = fmt.Appendf(data, "%q\n", fmt.Sprint("SELECT ", i))
	}
	if err := os.WriteFile(path, append(data, "not JSON\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openHistory(); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory()
	if err != nil {
		t.Fatal(err)
	}
	newest, _ := h.GetLine(h.Len() - 1)
	if want := fmt.Sprint("SELECT ", 2*maxHistory); h.Len() != maxHistory || newest != want {
		t.Errorf("%d entries, of which the newest is %q; want %d and %q", h.Len(), newest, maxHistory, want)
	}
}
