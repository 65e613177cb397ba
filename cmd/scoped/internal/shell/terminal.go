package shell

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
	"github.com/rivo/uniseg"
)

// colours are the codes of prompts that take no room.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// errInterrupted is Ctrl-C at a prompt.
var errInterrupted = errors.New("interrupted")

// A terminal is where somebody types.
type terminal struct {
	editor  *readline.Shell
	history *history
	screen  *screen
	prompt  string
	width   int // of the prompt
}

// newTerminal returns the terminal of a screen, whose completions come from
// complete.
func newTerminal(screen *screen, complete func(line []rune, cursor int) readline.Completions) (*terminal, error) {
	h, err := openHistory()
	t := &terminal{screen: screen, history: h}
	t.editor = readline.NewShell(inputrc.WithApp("scoped"))
	// The terminal's answer to that would be read together with what is typed
	// ahead, which would be lost.
	_ = t.editor.Config.Set("cursor-position-probe", false)
	t.editor.SyntaxHighlighter = t.withRoom
	_ = t.editor.Config.Set("menu-complete-display-prefix", true)
	_ = t.editor.Config.Set("enable-bracketed-paste", true)
	t.editor.Prompt.Primary(func() string { return t.prompt })
	t.editor.Completer = complete
	t.editor.History.Delete()
	t.editor.History.Add("statements", h)
	return t, err
}

// withRoom returns a line as it is shown. Without a position of the cursor the
// editor does not know the last line of the screen, below which it would draw, so
// there has to be one more: the codes are index, and cursor up. A line that ends
// at the edge of the screen needs another one.
func (t *terminal) withRoom(line []rune) string {
	shown := string(line)
	last := t.width + uniseg.StringWidth(shown[strings.LastIndexByte(shown, '\n')+1:])
	if columns, _ := t.screen.size(); last%columns == 0 {
		return shown + "\x1bD\x1bD\x1b[2A"
	}
	return shown + "\x1bD\x1b[A"
}

// line reads a line. Ctrl-C is errInterrupted, Ctrl-D io.EOF.
func (t *terminal) line(prompt func() string) (string, error) {
	t.prompt = prompt()
	t.width = uniseg.StringWidth(colours.ReplaceAllString(t.prompt, ""))
	line, err := t.editor.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		err = errInterrupted
	}
	return line, err
}

// interact runs what is typed until its end.
func (s *shell) interact(ctx context.Context) error {
	var err error
	if s.terminal, err = newTerminal(s.screen, s.complete); err != nil {
		s.say("warning: the history is not kept: %v", err)
	}
	// At the prompt Ctrl-C is a key; elsewhere it is for what runs.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	s.say(`scoped shell: database %s, scope %s. \? is help, \q leaves.`, s.config.Database, s.scope)
	entry := ""
	for ctx.Err() == nil {
		line, err := s.terminal.line(s.prompt)
		switch {
		case errors.Is(err, errInterrupted):
			s.buffer, entry = buffer{}, ""
			continue
		case err != nil: // Ctrl-D, or the terminal is gone
			return nil
		}
		if entry != "" {
			entry += "\n"
		}
		entry += line
		for part := range strings.SplitSeq(line, "\n") { // more than one if it was pasted
			if errors.Is(s.readLine(ctx, part), errQuit) {
				return nil
			}
		}
		if s.buffer.empty() {
			s.terminal.history.add(entry)
			entry = ""
		}
	}
	return ctx.Err()
}

// maxHistory is how many entries of the history are kept.
const maxHistory = 5000

// A history is what was typed, statement by statement, in a file of one JSON
// text a line.
type history struct {
	file    string
	entries []string
}

var _ readline.History = (*history)(nil)

// openHistory reads the history. Where that fails it is kept in memory only.
func openHistory() (*history, error) {
	path, err := stateFile("history.jsonl")
	if err != nil {
		return &history{}, err
	}
	h := &history{}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		h.file = path
		return h, nil
	case err != nil:
		return h, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	for {
		line, err := in.ReadBytes('\n')
		var entry string
		if json.Unmarshal(line, &entry) == nil && entry != "" {
			h.entries = append(h.entries, entry)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return h, err
		}
	}
	h.file = path
	if len(h.entries) > 2*maxHistory {
		h.entries = h.entries[len(h.entries)-maxHistory:]
		return h, h.rewrite()
	}
	return h, nil
}

// rewrite makes the file what is in memory.
func (h *history) rewrite() error {
	var b strings.Builder
	for _, entry := range h.entries {
		b.Write(append(jsonText(entry), '\n'))
	}
	next := h.file + ".new"
	if err := os.WriteFile(next, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, h.file)
}

// add adds an entry, unless it is the last one again.
func (h *history) add(entry string) {
	entry = strings.TrimSpace(entry)
	if entry == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == entry {
		return
	}
	h.entries = append(h.entries, entry)
	if h.file == "" {
		return
	}
	file, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(append(jsonText(entry), '\n'))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		h.file = "" // a full disk must not end the work
	}
}

// Write does nothing: the editor knows lines, and entries are statements.
func (h *history) Write(string) (int, error) { return len(h.entries), nil }

// GetLine returns an entry, counted from the oldest.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", errors.New("no such entry")
	}
	return h.entries[i], nil
}

// Len returns the number of entries.
func (h *history) Len() int { return len(h.entries) }

// Dump returns the entries.
func (h *history) Dump() any { return h.entries }
