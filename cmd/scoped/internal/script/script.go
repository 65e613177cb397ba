// Package script divides files of SQL into statements.
package script

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// blanks are the white space of PostgreSQL's scanner; \v is one from 16 on only.
const blanks = " \t\n\r\f"

// A Statement is one of several in a file.
type Statement struct {
	Text         string // with its comments, without the semicolon
	Name         string // from a comment, or ""
	Line, Column int    // where Text begins in the file, from 1
}

// MaxFile bounds a file of SQL, which is read whole, in bytes.
const MaxFile = 16 << 20

// Read calls do with every statement of a file.
func Read(file io.Reader, name string, do func(Statement) error) error {
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return err
	}
	if len(data) > MaxFile {
		return fmt.Errorf("%s: more than %d MiB of SQL; divide it, or use --format json", name, MaxFile>>20)
	}
	const byteOrderMark = "\ufeff"
	for _, s := range Split(strings.TrimPrefix(string(data), byteOrderMark)) {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

// nameComment is how sqlc and its like name a query: -- name: GetPost :one
var nameComment = regexp.MustCompile(`^(?:--|/\*)\s*name:\s*([^\s*]+)`)

// Split returns the statements of a file, which semicolons separate. Those in
// brackets and in the body of a function between BEGIN ATOMIC and END separate
// nothing, as in psql.
func Split(text string) []Statement {
	p := splitter{text: text, line: 1, column: 1, start: -1}
	tokens, read := scan(text)
	for _, t := range tokens {
		p.token(t)
	}
	p.finish(len(text), len(p.words) > 0 || read < len(text))
	return p.statements
}

// scan returns the tokens of text and up to where it was read: the end, or a
// place that PostgreSQL's scanner does not understand, such as a quote that
// nothing closes. What follows cannot be divided; it belongs to the last
// statement, which is refused for it.
func scan(text string) (tokens []*pgparse.ScanToken, read int) {
	// The scanner stops at a NUL byte. The statement that holds it is refused.
	text = strings.ReplaceAll(text, "\x00", " ")
	// What is left of a text that was cut may not be understood either.
	for range 4 {
		tokens, err := pgparse.Scan(text)
		if err == nil {
			return tokens, len(text)
		}
		var e *pgparse.Error
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset >= len(text) {
			break
		}
		text = text[:e.Offset]
	}
	return nil, 0
}

// A splitter divides a file, token by token.
type splitter struct {
	text       string
	statements []Statement

	at           int // up to where line and column are counted
	line, column int

	start    int             // of the current statement, -1 before its first token
	words    []pgparse.Token // its first tokens, comments aside
	name     string
	brackets int
	blocks   int // BEGIN and CASE that no END has closed
}

func (p *splitter) token(t *pgparse.ScanToken) {
	if p.start < 0 && t.Token == pgparse.Token_SQL_COMMENT && len(p.statements) > 0 &&
		!strings.Contains(p.text[p.at:t.Start], "\n") {
		return // it belongs to the statement before, on the same line
	}
	if p.start < 0 && t.Token != pgparse.Token_ASCII_59 {
		p.start = int(t.Start)
	}
	switch t.Token {
	case pgparse.Token_SQL_COMMENT, pgparse.Token_C_COMMENT:
		if m := nameComment.FindStringSubmatch(p.text[t.Start:t.End]); m != nil && len(p.words) == 0 {
			p.name = m[1]
		}
		return
	case pgparse.Token_ASCII_59:
		if p.brackets == 0 && p.blocks == 0 {
			p.finish(int(t.Start), len(p.words) > 0)
			p.advance(int(t.End))
			return
		}
	case pgparse.Token_ASCII_40:
		p.brackets++
	case pgparse.Token_ASCII_41:
		p.brackets = max(0, p.brackets-1)
	case pgparse.Token_BEGIN_P:
		if p.brackets == 0 && p.createsRoutine() {
			p.blocks++
		}
	case pgparse.Token_CASE:
		if p.brackets == 0 && p.blocks > 0 {
			p.blocks++
		}
	case pgparse.Token_END_P:
		if p.brackets == 0 && p.blocks > 0 {
			p.blocks--
		}
	}
	if len(p.words) < 4 {
		p.words = append(p.words, t.Token)
	}
}

// createsRoutine reports whether the current statement begins with CREATE [OR
// REPLACE] FUNCTION or PROCEDURE; no other has statements inside.
func (p *splitter) createsRoutine() bool {
	w := p.words
	if len(w) < 4 || w[0] != pgparse.Token_CREATE {
		return false
	}
	kind := w[1]
	if kind == pgparse.Token_OR && w[2] == pgparse.Token_REPLACE {
		kind = w[3]
	}
	return kind == pgparse.Token_FUNCTION || kind == pgparse.Token_PROCEDURE
}

// finish ends the current statement before the offset. One of nothing but
// comments is none.
func (p *splitter) finish(end int, isStatement bool) {
	if isStatement {
		if p.start < 0 {
			p.start = p.at + len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], blanks))
		}
		p.advance(p.start)
		p.statements = append(p.statements, Statement{
			Text:   strings.TrimRight(p.text[p.start:end], blanks),
			Name:   p.name,
			Line:   p.line,
			Column: p.column,
		})
	}
	p.advance(end)
	p.start, p.words, p.name, p.brackets, p.blocks = -1, p.words[:0], "", 0, 0
}

// advance counts lines and characters up to the offset.
func (p *splitter) advance(offset int) {
	for _, r := range p.text[p.at:offset] {
		if r == '\n' {
			p.line, p.column = p.line+1, 1
		} else {
			p.column++
		}
	}
	p.at = offset
}
