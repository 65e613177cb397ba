package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/rewrite"
)

// textFormat shows people what becomes of files of SQL.
type textFormat struct {
	scope    *scope.Scope
	out      *bufio.Writer
	colour   bool
	count    int // of statements
	refusals int
}

// colourful reports whether w is a terminal that may be written to in colour.
// See https://no-color.org.
func colourful(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A style is a code of ECMA-48's SGR.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	red   style = "31"
	green style = "32"
)

func (f *textFormat) styled(s style, text string) string {
	if !f.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// read shows what becomes of every statement of a file.
func (f *textFormat) read(file io.Reader, name string) error {
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxFile {
		return fmt.Errorf("%s: more than %d MiB of SQL; divide it, or use --format json", name, maxFile>>20)
	}
	const byteOrderMark = "\ufeff"
	for _, s := range split(strings.TrimPrefix(string(data), byteOrderMark)) {
		o, err := f.scope.Rewrite(s.text)
		if err != nil {
			return errors.Join(f.out.Flush(), fmt.Errorf("%s:%d: %w", name, s.line, err))
		}
		f.show(s, name, o)
		if err := f.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// finish shows the total, where there is more than one statement.
func (f *textFormat) finish() (refused bool, err error) {
	if f.count > 1 {
		f.line("")
		f.line(f.styled(bold, fmt.Sprintf("%d statements: %d accepted, %d refused", f.count, f.count-f.refusals, f.refusals)))
	}
	return f.refusals > 0, f.out.Flush()
}

func (f *textFormat) show(s statement, file string, o scope.Outcome) {
	f.count++
	if f.count > 1 {
		f.line("")
	}
	name := s.name
	if name == "" {
		name = strconv.Itoa(f.count)
	}
	if o.Refusal != nil {
		f.refusals++
		f.heading(name, s.place(file, o.Refusal.Position), f.styled(red, "refused: "+string(o.Refusal.Code)))
		f.block("SQL", f.pointed(s.text, o.Refusal.Position))
		f.block("why", []string{f.styled(red, visible(o.Refusal.Message))})
		if o.Refusal.Hint != "" {
			f.block("hint", []string{visible(o.Refusal.Hint)})
		}
		return
	}
	f.heading(name, s.place(file, rewrite.Position{}), f.styled(green, "accepted"))
	f.block("SQL", lines(s.text))
	if o.SQL == s.text {
		f.block("sent", []string{f.styled(faint, "the same")})
	} else {
		f.block("sent", f.sent(o))
	}
	f.block("args", arguments(o))
	f.block("tables", f.tables(o.Tables))
}

// place returns where a statement begins in its file or, where p names a place
// in the statement, the line and column of that.
func (s statement) place(file string, p rewrite.Position) string {
	if p.Char == 0 {
		return fmt.Sprintf("%s:%d", file, s.line)
	}
	column := p.Column
	if p.Line == 1 {
		column += s.column - 1
	}
	return fmt.Sprintf("%s:%d:%d", file, s.line+p.Line-1, column)
}

func (f *textFormat) heading(name, place, verdict string) {
	f.line(f.styled(bold, visible(name)) + "  " + f.styled(faint, place) + "  " + verdict)
}

// block writes lines behind a label.
func (f *textFormat) block(label string, lines []string) {
	const indent, width = "  ", 8
	for _, line := range lines {
		f.line(indent + f.styled(faint, label) + strings.Repeat(" ", width-len(label)) + line)
		label = ""
	}
}

func (f *textFormat) line(text string) {
	f.out.WriteString(strings.TrimRight(text, " "))
	f.out.WriteByte('\n')
}

// lines returns text line by line, as visible makes it.
func lines(text string) []string { return strings.Split(visible(text), "\n") }

// visible returns text with its control characters replaced by the symbols that
// stand for them, so that no statement does anything to a terminal. Each
// character stays one, except that a line's carriage return is dropped.
func visible(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		const pictures, deletePicture = '\u2400', '\u2421'
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return pictures + r
		case r == 0x7f:
			return deletePicture
		case 0x80 <= r && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, text)
}

// pointed returns a refused statement with a caret under the place p.
func (f *textFormat) pointed(text string, p rewrite.Position) []string {
	shown := lines(text)
	for i, line := range shown {
		if i+1 != p.Line {
			shown[i], _ = clip(line, 1)
			continue
		}
		line, column := clip(line, p.Column)
		before := []rune(line)[:column-1]
		for i, r := range before {
			if r != '\t' {
				before[i] = ' '
			}
		}
		shown[i] = line + "\n" + string(before) + f.styled(red, "^")
	}
	return strings.Split(strings.Join(shown, "\n"), "\n")
}

// clip returns what surrounds a column of a line that is too long to be shown
// whole, and the column in that.
func clip(line string, column int) (string, int) {
	const width = 120
	runes := []rune(line)
	column = min(column, len(runes)+1)
	if len(runes) <= width {
		return line, column
	}
	from := max(0, min(column-1-width/2, len(runes)-width))
	to := min(len(runes), from+width)
	column -= from
	line = string(runes[from:to])
	if from > 0 {
		line = "…" + line
		column++
	}
	if to < len(runes) {
		line += "…"
	}
	return line, column
}

// sent returns the text that is sent, with what was inserted in colour.
func (f *textFormat) sent(o scope.Outcome) []string {
	const longest = 8 << 10 // UserPosition counts from the start each time
	if !f.colour || o.Rewrite == nil || len(o.SQL) > longest {
		return lines(o.SQL)
	}
	var b, run strings.Builder
	inserted := false
	flush := func() {
		// A style ends with each line, because each is indented.
		for i, line := range lines(run.String()) {
			if i > 0 {
				b.WriteByte('\n')
			}
			if inserted {
				line = f.styled(green, line)
			}
			b.WriteString(line)
		}
		run.Reset()
	}
	here := o.Rewrite.UserPosition(1)
	position := 1
	for _, r := range o.SQL {
		position++
		next := o.Rewrite.UserPosition(position)
		// Behind a character of the user's own stands the next one.
		if foreign := next != here+1; foreign != inserted {
			flush()
			inserted = foreign
		}
		run.WriteRune(r)
		here = next
	}
	flush()
	return strings.Split(b.String(), "\n")
}

// arguments returns the arguments that are appended, such as $3 = 42 (site).
func arguments(o scope.Outcome) []string {
	var shown []string
	for i, a := range o.Args {
		shown = append(shown, fmt.Sprintf("$%d = %s (%s)", o.Params+1+i, literal(a.Value), a.Dimension))
	}
	return shown
}

// literal returns a value as people read it: 42, 'acme', or {1,2} for several.
func literal(value any) string {
	switch v := value.(type) {
	case []any:
		elements := make([]string, len(v))
		for i, element := range v {
			elements[i] = literal(element)
		}
		return "{" + strings.Join(elements, ",") + "}"
	case string:
		return "'" + strings.ReplaceAll(visible(v), "'", "''") + "'"
	}
	return fmt.Sprint(value)
}

func (f *textFormat) tables(refs []rewrite.TableRef) []string {
	var table, access int
	for _, ref := range refs {
		table = max(table, utf8.RuneCountInString(ref.Table))
		access = max(access, len(ref.Access))
	}
	shown := make([]string, len(refs))
	for i, ref := range refs {
		guard := ref.Guard
		if guard == "" {
			guard = f.styled(faint, "no guard")
		}
		shown[i] = fmt.Sprintf("%-*s  %-*s  %s", table, ref.Table, access, ref.Access, guard)
	}
	return shown
}
