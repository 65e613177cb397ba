// Package terminal writes for people: in colour where that is wanted, statements
// with a caret under a place, and what takes long with its time.
package terminal

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// A Printer writes lines for people.
type Printer struct {
	*bufio.Writer
	Colour bool
}

// NewPrinter returns a Printer that writes to w, in colour where w is a terminal
// that may be written to in colour. See https://no-color.org. What it was given
// reaches w when it is flushed.
func NewPrinter(w io.Writer) *Printer {
	return &Printer{
		Writer: bufio.NewWriter(w),
		Colour: Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// Is reports whether w is a terminal.
func Is(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A Style is a code of ECMA-48's SGR.
type Style string

const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Styled returns text in a style, or as it is where there are no colours.
func (p *Printer) Styled(s Style, text string) string {
	if !p.Colour || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Line writes a line, without the spaces at its end.
func (p *Printer) Line(text string) {
	p.WriteString(strings.TrimRight(text, " "))
	p.WriteByte('\n')
}

// Block writes lines behind a label of up to seven characters.
func (p *Printer) Block(label string, lines []string) {
	const indent, width = "  ", 8
	for _, line := range lines {
		p.Line(indent + p.Styled(Faint, label) + strings.Repeat(" ", width-len(label)) + line)
		label = ""
	}
}
