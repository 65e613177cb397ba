package shell

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// A screen is where results go.
type screen struct {
	io.Writer
	file  *os.File // the terminal; nil where it is none
	pager bool     // pages what is longer than the screen
}

func newScreen(w io.Writer) *screen {
	s := &screen{Writer: w}
	if isTerminal(w) {
		s.file, s.pager = w.(*os.File), true
	}
	return s
}

// isTerminal reports whether a reader or writer is a terminal.
func isTerminal(file any) bool {
	f, ok := file.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size returns the columns and lines of the terminal.
func (s *screen) size() (columns, lines int) {
	if s.file != nil {
		if columns, lines, err := term.GetSize(int(s.file.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 80, 24
}

// colourful reports whether the screen shows colours. See https://no-color.org.
func (s *screen) colourful() bool {
	return s.file != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// show writes text, through the pager where it is longer than the screen.
func (s *screen) show(text string) error {
	if s.pager && s.overflows(text) {
		if pager := pagerCommand(); pager != "" && s.page(pager, text) == nil {
			return nil
		}
	}
	return writerTo(s)(text)
}

// overflows reports whether text does not fit on the screen with a prompt below.
func (s *screen) overflows(text string) bool {
	columns, height := s.size()
	used := 1
	for line := range strings.Lines(text) {
		if used += 1 + (uniseg.StringWidth(strings.TrimSuffix(line, "\n"))-1)/columns; used > height {
			return true
		}
	}
	return false
}

func pagerCommand() string {
	if pager, ok := os.LookupEnv("PAGER"); ok {
		return strings.TrimSpace(pager)
	}
	if _, err := exec.LookPath("less"); err == nil {
		return "less"
	}
	return ""
}

// page runs the pager. That a user leaves it before the end is no fault.
func (s *screen) page(pager, text string) error {
	command := exec.Command("sh", "-c", pager)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(text), s.file, os.Stderr
	if _, ok := os.LookupEnv("LESS"); !ok {
		// Leave wide tables wide, and the screen as it was.
		command.Env = append(os.Environ(), "LESS=FRSX")
	}
	if err := command.Start(); err != nil {
		return err
	}
	const notFound = 126 // or 127, what sh says of a command that it cannot run
	if _ = command.Wait(); command.ProcessState.ExitCode() >= notFound {
		return errors.New("no such pager")
	}
	return nil
}
