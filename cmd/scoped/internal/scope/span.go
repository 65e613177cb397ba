package scope

import "strings"

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
