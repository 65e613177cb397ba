package scope

import (
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/terminal"
)

// A Span is a part of what is sent: the user's own, or inserted.
type Span struct {
	Text     string
	Inserted bool
}

// Spans returns what is sent of an accepted statement, divided into the user's own
// text and what was inserted. A text so long that nobody looks for insertions in
// it is one span.
func (o Outcome) Spans() []Span {
	const longest = 8 << 10 // UserPosition counts from the start each time
	if o.Rewrite == nil || len(o.SQL) > longest {
		return []Span{{Text: o.SQL}}
	}
	var spans []Span
	var run strings.Builder
	inserted := false
	flush := func() {
		if run.Len() > 0 {
			spans = append(spans, Span{run.String(), inserted})
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
	return spans
}

// Sent returns the lines that are sent, with what was inserted in colour. Where p
// has none, marks puts a line under each that has insertions, with a + under each
// of their characters.
func (o Outcome) Sent(p *terminal.Printer, marks bool) []string {
	if !p.Colour && !marks {
		return terminal.Lines(o.SQL)
	}
	var b, marked strings.Builder
	endLine := func() {
		if strings.Contains(marked.String(), "+") {
			b.WriteString("\n" + marked.String())
		}
		marked.Reset()
	}
	for _, span := range o.Spans() {
		for i, line := range terminal.Lines(span.Text) {
			if i > 0 {
				endLine()
				b.WriteByte('\n')
			}
			// A style ends with each line, because each is indented.
			if span.Inserted {
				b.WriteString(p.Styled(terminal.Green, line))
			} else {
				b.WriteString(line)
			}
			if !p.Colour {
				marked.WriteString(under(line, span.Inserted))
			}
		}
	}
	endLine()
	return strings.Split(b.String(), "\n")
}

// under returns what stands under a line.
func under(line string, inserted bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case inserted:
			return '+'
		case r == '\t':
			return r
		}
		return ' '
	}, line)
}

// Arguments returns the arguments that are appended, such as $3 = 42 (site).
func (o Outcome) Arguments() []string {
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
		return "'" + strings.ReplaceAll(terminal.Visible(v), "'", "''") + "'"
	}
	return fmt.Sprint(value)
}
