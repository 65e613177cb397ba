package rewrite

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Sentinels for errors.Is. Every *Error is exactly one of them.
var (
	// ErrScopeRequired: a table is scoped on a dimension that the scope lacks.
	ErrScopeRequired = errors.New("scoped: a scope is required")
	// ErrRefused: the statement cannot be shown to stay inside the scope, or is
	// not one that could be understood; nothing was sent.
	ErrRefused = errors.New("scoped: refused")
	// ErrViolation: the server found a row that would have left the scope; the
	// statement failed and nothing was written.
	ErrViolation = errors.New("scoped: violation")
)

// A Code names the kind of an Error, for programs. It never changes meaning.
type Code string

const (
	CodeScopeRequired Code = "scope_required" // the scope lacks a dimension
	CodeViolation     Code = "violation"      // a row would have left the scope
	CodeScope         Code = "scope"          // the scope itself is wrong: unknown dimension, unsupported or empty value
	CodeSyntax        Code = "syntax"         // PostgreSQL's grammar does not accept the text
	CodeLimit         Code = "limit"          // too long, too deeply nested
	CodeArguments     Code = "arguments"      // not as many arguments as the text has parameters
	CodeStatement     Code = "statement"      // a kind of statement that is not accepted with scopes enabled
	CodeConstruct     Code = "construct"      // a construct inside an otherwise accepted statement
	CodeTable         Code = "table"          // a table that the policy does not list, denies, or lets only be read
	CodeFunction      Code = "function"       // a function that is not on the allow-list
	CodeFill          Code = "fill"           // an INSERT needs one value of a dimension and the scope has several
	CodeCertificate   Code = "certificate"    // the rewrite could not be proven; a bug of this library
	CodeSession       Code = "session"        // a setting of the connection under which no text can be trusted
)

// An Error says what was refused, where, why, and what to do. Match it with
// errors.As, or its kind with errors.Is and a sentinel.
type Error struct {
	Code      Code
	Message   string   // what was refused and why
	Hint      string   // what to do or write instead
	Table     string   // the schema-qualified table concerned, if any
	Dimension string   // the dimension concerned, if any
	Position  Position // in the user's own text; zero where there is no place
	Err       error    // the cause, such as PostgreSQL's own error, if any
}

// A Position is a place in the user's text.
type Position struct {
	Offset int // in bytes, from 0
	Char   int // in characters, from 1, as PostgreSQL counts; 0 means no place
	Line   int // from 1
	Column int // in characters, from 1
}

// PositionAt returns the position of a byte offset of text.
func PositionAt(text string, offset int) Position {
	if offset < 0 || offset > len(text) {
		return Position{}
	}
	before := text[:offset]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return Position{
		Offset: offset,
		Char:   utf8.RuneCountInString(before) + 1,
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[lineStart:]) + 1,
	}
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("scoped: ")
	b.WriteString(e.Message)
	if e.Position.Char > 0 {
		fmt.Fprintf(&b, " (line %d, column %d)", e.Position.Line, e.Position.Column)
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's kind.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case CodeScopeRequired:
		return target == ErrScopeRequired
	case CodeViolation:
		return target == ErrViolation
	default:
		return target == ErrRefused
	}
}
