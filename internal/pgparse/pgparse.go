// Package pgparse is the only importer of a SQL parser: PostgreSQL's own grammar,
// its tree, and the walks over that tree that must not forget a node.
//
// There are two parsers, of which a program can link only one, as both register
// the same protobuf names: pg_query_go, which needs cgo and glibc, and
// oliphant, pure Go, everywhere else. Their trees differ where the newer grammar
// says more; what both have in common is used by their Go names, and the rest
// through the functions of pg16.go and pg18.go.
package pgparse

import (
	"strings"
)

//go:generate go run ./gen
//go:generate env CGO_ENABLED=0 go run ./gen

// An Error is what PostgreSQL's scanner or grammar says of a text it does not accept.
type Error struct {
	Message string
	Offset  int  // in bytes, -1 where it names no place
	IsLimit bool // it is not wrong, but would take too long
}

func (e *Error) Error() string { return e.Message }

// Scan splits text into PostgreSQL's tokens, comments included. It does not
// recurse, so it is safe on text of any nesting. The text must not contain a
// NUL byte.
func Scan(text string) ([]*ScanToken, error) {
	tokens, err := scan(text)
	if err != nil {
		return nil, locate(text, err)
	}
	// The scanner's own end is wrong behind U&"…", whose length it takes from
	// the text without the escapes. Comments are tokens, so only white space
	// stands between one token and the next.
	behind := len(text)
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		t.End = t.Start + int32(len(strings.TrimRight(text[t.Start:behind], " \t\n\r\f\v")))
		behind = int(t.Start)
	}
	return tokens, nil
}

// Parse returns the statements of text. In the tree of a query no node stands in two
// places, so that it may be changed. The parsers recurse, the one in C on a stack that nothing grows, so
// the caller bounds the nesting of the text before; the text must not contain a
// NUL byte.
func Parse(text string) ([]*RawStmt, error) {
	if err := bound(text); err != nil {
		return nil, err
	}
	stmts, err := parse(text)
	if err != nil {
		return nil, locate(text, err)
	}
	return stmts, nil
}

// locate makes an Error of the parser's own, which counts characters from 1.
func locate(text string, err error) error {
	position := cursor(err)
	characters := 0
	for offset := range text {
		if characters++; characters == position {
			return &Error{Message: err.Error(), Offset: offset}
		}
	}
	if position == characters+1 {
		return &Error{Message: err.Error(), Offset: len(text)}
	}
	return &Error{Message: err.Error(), Offset: -1}
}

// A Match says for which rows a WHEN clause of MERGE is.
type Match uint8

const (
	Matched            Match = iota
	NotMatched               // by the target: rows of the source
	NotMatchedBySource       // rows of the target
)

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

// QuoteLiteral returns text as a string constant that is read the same whatever
// standard_conforming_strings and backslash_quote are: without a backslash there
// is nothing that they change, and E'…' is read with escapes always.
func QuoteLiteral(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		quoted = "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
