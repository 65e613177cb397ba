package shell

import (
	"errors"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// blanks are the white space of PostgreSQL's scanner.
const blanks = " \t\n\r\f"

// A buffer holds lines until they are statements.
type buffer struct{ text string }

// inside says what the end of a text is inside of, as psql's prompt does.
type inside byte

const (
	nothing     inside = '=' // before a statement
	statement   inside = '-'
	brackets    inside = '('
	quote       inside = '\''
	identifier  inside = '"'
	dollarQuote inside = '$'
	comment     inside = '*'
)

// quoted reports whether a backslash here belongs to the text.
func (i inside) quoted() bool {
	return i == quote || i == identifier || i == dollarQuote || i == comment
}

// empty reports whether nothing is held but white space.
func (b *buffer) empty() bool { return strings.Trim(b.text, blanks) == "" }

// add adds a line.
func (b *buffer) add(line string) {
	if b.text != "" {
		b.text += "\n"
	}
	b.text += line
}

// cut takes the statements that a semicolon ends, without it, and keeps the rest.
func (b *buffer) cut() []string {
	var statements []string
	if strings.Contains(b.text, ";") {
		ends, _ := scan(b.text)
		from := 0
		for _, end := range ends {
			if s := strings.Trim(b.text[from:end], blanks); s != "" && !onlyComments(s) {
				statements = append(statements, s)
			}
			from = end + 1
		}
		b.text = b.text[from:]
	}
	if b.empty() {
		b.text = ""
	}
	return statements
}

// take takes all that is left as one statement, or none.
func (b *buffer) take() []string {
	s := strings.Trim(b.text, blanks)
	b.text = ""
	if s == "" || onlyComments(s) {
		return nil
	}
	return []string{s}
}

// end says what the end of the buffer is inside of.
func (b *buffer) end() inside {
	if b.empty() {
		return nothing
	}
	_, end := scan(b.text)
	return end
}

func onlyComments(text string) bool {
	tokens, _ := tokens(text)
	for _, t := range tokens {
		if t.Token != pgparse.Token_SQL_COMMENT && t.Token != pgparse.Token_C_COMMENT {
			return false
		}
	}
	return len(tokens) > 0
}

// scan returns where the semicolons are that end statements, and what the end of
// text is inside of. As in psql, those in brackets and in the body of a function
// between BEGIN ATOMIC and END end nothing.
func scan(text string) (ends []int, end inside) {
	all, end := tokens(text)
	depth, blocks, start := 0, 0, 0
	for i, t := range all {
		switch t.Token {
		case pgparse.Token_ASCII_40:
			depth++
		case pgparse.Token_ASCII_41:
			depth = max(0, depth-1)
		case pgparse.Token_ATOMIC:
			if blocks == 0 && i > 0 && all[i-1].Token == pgparse.Token_BEGIN_P {
				blocks++
			}
		case pgparse.Token_CASE:
			if blocks > 0 {
				blocks++
			}
		case pgparse.Token_END_P:
			blocks = max(0, blocks-1)
		case pgparse.Token_ASCII_59:
			if depth == 0 && blocks == 0 {
				ends = append(ends, int(t.Start))
				start = i + 1
			}
		}
	}
	switch {
	case end != nothing:
	case depth > 0:
		end = brackets
	case start < len(all):
		end = statement
	}
	return ends, end
}

// tokens returns the tokens of text, and what its end is inside of if that is a
// quote or comment. What PostgreSQL's scanner does not understand is left out:
// the statement that holds it is refused for it.
func tokens(text string) (all []*pgparse.ScanToken, end inside) {
	// The scanner stops at a NUL byte. The statement that holds it is refused.
	text = strings.ReplaceAll(text, "\x00", " ")
	from := 0
	for {
		read, err := pgparse.Scan(text[from:])
		var fault *pgparse.Error
		failed := errors.As(err, &fault) && fault.Offset >= 0 && from+fault.Offset < len(text)
		if failed {
			read, _ = pgparse.Scan(text[from : from+fault.Offset])
		}
		for _, t := range read {
			t.Start += int32(from)
			t.End += int32(from)
			all = append(all, t)
		}
		if !failed {
			return all, nothing
		}
		switch {
		case strings.HasPrefix(fault.Message, "unterminated /* comment"):
			return all, comment
		case strings.HasPrefix(fault.Message, "unterminated dollar-quoted string"):
			return all, dollarQuote
		case strings.HasPrefix(fault.Message, "unterminated quoted identifier"):
			return all, identifier
		case strings.HasPrefix(fault.Message, "unterminated"):
			return all, quote
		}
		from += fault.Offset + 1
	}
}
