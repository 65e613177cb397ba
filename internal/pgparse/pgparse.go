// Package pgparse is the only importer of a SQL parser: PostgreSQL's own grammar,
// its tree, and the walks over that tree that must not forget a node.
package pgparse

import (
	"errors"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"github.com/pganalyze/pg_query_go/v5/parser"
)

//go:generate go run gen/main.go

// An Error is what PostgreSQL's scanner or grammar says of a text it does not accept.
type Error struct {
	Message string
	Offset  int // in bytes, -1 where it names no place
}

func (e *Error) Error() string { return e.Message }

// Scan splits text into PostgreSQL's tokens, comments included. It does not
// recurse, so it is safe on text of any nesting. The text must not contain a
// NUL byte.
func Scan(text string) ([]*ScanToken, error) {
	result, err := pg_query.Scan(text)
	if err != nil {
		return nil, parserError(text, err)
	}
	// The scanner's own end is wrong behind U&"…", whose length it takes from
	// the text without the escapes. Comments are tokens, so only white space
	// stands between one token and the next.
	behind := len(text)
	for i := len(result.Tokens) - 1; i >= 0; i-- {
		t := result.Tokens[i]
		t.End = t.Start + int32(len(strings.TrimRight(text[t.Start:behind], " \t\n\r\f\v")))
		behind = int(t.Start)
	}
	return result.Tokens, nil
}

// Parse returns the statements of text. The C parser recurses over the tree on
// a stack that nothing grows, so the caller bounds the nesting of the text
// before; the text must not contain a NUL byte.
func Parse(text string) ([]*RawStmt, error) {
	result, err := pg_query.Parse(text)
	if err != nil {
		return nil, parserError(text, err)
	}
	return result.Stmts, nil
}

// parserError reads the parser's own error, which counts characters from 1.
func parserError(text string, err error) error {
	var e *parser.Error
	if !errors.As(err, &e) {
		return &Error{Message: err.Error(), Offset: -1}
	}
	characters := 0
	for offset := range text {
		if characters++; characters == e.Cursorpos {
			return &Error{Message: e.Message, Offset: offset}
		}
	}
	if e.Cursorpos == characters+1 {
		return &Error{Message: e.Message, Offset: len(text)}
	}
	return &Error{Message: e.Message, Offset: -1}
}

// QuoteIdentifier returns name as SQL spells it, in double quotes where the
// plain word would be read as something else.
func QuoteIdentifier(name string) string {
	plain := name != "" && !keywords[name]
	for i := 0; plain && i < len(name); i++ {
		c := name[i]
		plain = 'a' <= c && c <= 'z' || c == '_' || i > 0 && '0' <= c && c <= '9'
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
