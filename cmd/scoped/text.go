package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/script"
	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
	"github.com/scoped-pgx/scoped/rewrite"
)

// textFormat shows people what becomes of files of SQL.
type textFormat struct {
	*terminal.Printer
	scope    *scope.Scope
	count    int // of statements
	refusals int
}

// read shows what becomes of every statement of a file.
func (f *textFormat) read(file io.Reader, name string) error {
	return script.Read(file, name, func(s script.Statement) error {
		o, err := f.scope.Rewrite(s.Text)
		if err != nil {
			return errors.Join(f.Flush(), fmt.Errorf("%s:%d: %w", name, s.Line, err))
		}
		f.show(s, name, o)
		return f.Flush()
	})
}

// finish shows the total, where there is more than one statement.
func (f *textFormat) finish() (refused bool, err error) {
	if f.count > 1 {
		f.Line("")
		f.Line(f.Styled(terminal.Bold, fmt.Sprintf("%d statements: %d accepted, %d refused", f.count, f.count-f.refusals, f.refusals)))
	}
	return f.refusals > 0, f.Flush()
}

func (f *textFormat) show(s script.Statement, file string, o scope.Outcome) {
	f.count++
	if f.count > 1 {
		f.Line("")
	}
	name := s.Name
	if name == "" {
		name = strconv.Itoa(f.count)
	}
	if o.Refusal != nil {
		f.refusals++
		f.heading(name, place(s, file, o.Refusal.Position), f.Styled(terminal.Red, "refused: "+string(o.Refusal.Code)))
		f.Block("SQL", f.Pointed(s.Text, o.Refusal.Position.Line, o.Refusal.Position.Column))
		f.Block("why", []string{f.Styled(terminal.Red, terminal.Visible(o.Refusal.Message))})
		if o.Refusal.Hint != "" {
			f.Block("hint", []string{terminal.Visible(o.Refusal.Hint)})
		}
		return
	}
	f.heading(name, place(s, file, rewrite.Position{}), f.Styled(terminal.Green, "accepted"))
	f.Block("SQL", terminal.Lines(s.Text))
	if o.SQL == s.Text {
		f.Block("sent", []string{f.Styled(terminal.Faint, "the same")})
	} else {
		f.Block("sent", o.Sent(f.Printer, false))
	}
	f.Block("args", o.Arguments())
	f.Block("tables", f.tables(o.Tables))
}

// place returns where a statement begins in its file or, where p names a place
// in the statement, the line and column of that.
func place(s script.Statement, file string, p rewrite.Position) string {
	if p.Char == 0 {
		return fmt.Sprintf("%s:%d", file, s.Line)
	}
	column := p.Column
	if p.Line == 1 {
		column += s.Column - 1
	}
	return fmt.Sprintf("%s:%d:%d", file, s.Line+p.Line-1, column)
}

func (f *textFormat) heading(name, place, verdict string) {
	f.Line(f.Styled(terminal.Bold, terminal.Visible(name)) + "  " + f.Styled(terminal.Faint, place) + "  " + verdict)
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
			guard = f.Styled(terminal.Faint, "no guard")
		}
		shown[i] = fmt.Sprintf("%-*s  %-*s  %s", table, ref.Table, access, ref.Access, guard)
	}
	return shown
}
