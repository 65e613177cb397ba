package scoped

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/rewrite"
)

// An Error is everything that this package refuses, and every violation that
// the server reports. Match it with errors.As, or its kind with errors.Is and
// ErrScopeRequired, ErrRefused or ErrViolation. PostgreSQL's own errors are not
// an Error: they stay *pgconn.PgError, their Position mapped back to the text
// that was passed, and with another Message where the server's could quote the
// value of a row, unless the policy shows those. A text that PostgreSQL's grammar
// does not accept is both: an Error whose Err is the *pgconn.PgError, with code
// 42601, that the server would have sent.
type Error = rewrite.Error

// A Code names the kind of an Error, for programs. It never changes meaning.
type Code = rewrite.Code

// The codes of an Error.
const (
	CodeScopeRequired = rewrite.CodeScopeRequired
	CodeViolation     = rewrite.CodeViolation
	CodeScope         = rewrite.CodeScope
	CodeSyntax        = rewrite.CodeSyntax
	CodeLimit         = rewrite.CodeLimit
	CodeArguments     = rewrite.CodeArguments
	CodeStatement     = rewrite.CodeStatement
	CodeConstruct     = rewrite.CodeConstruct
	CodeTable         = rewrite.CodeTable
	CodeFunction      = rewrite.CodeFunction
	CodeFill          = rewrite.CodeFill
	CodeCertificate   = rewrite.CodeCertificate
	CodeSession       = rewrite.CodeSession

	// CodeConfig is the code of an Error about the data source name, the policy
	// file, or what NewConnector was given.
	CodeConfig Code = "config"
)

// Sentinels for errors.Is. Every *Error is exactly one of them.
var (
	// ErrScopeRequired is a table scoped on a dimension that the scope lacks.
	ErrScopeRequired = rewrite.ErrScopeRequired
	// ErrRefused is a statement that cannot be shown to stay inside the scope, or
	// a scope, argument or setting that is wrong. Nothing was sent.
	ErrRefused = rewrite.ErrRefused
	// ErrViolation is a row that would have left the scope. The server failed the
	// statement and nothing was written.
	ErrViolation = rewrite.ErrViolation
)

// violationMark begins the text whose cast fails in a check; the table's name
// and the row's place follow it, or for a view a value: scoped-pgx:public.post:(0,1).
const violationMark = "scoped-pgx:"

// violatedTable returns the table that a failed check names, which must be one
// of the statement's. The quotes around the text are not looked for: a translated
// message has others.
func (c *call) violatedTable(message string) (table string, ok bool) {
	_, rest, _ := strings.Cut(message, violationMark)
	for _, t := range c.rewrite.Tables {
		if len(t.Table) > len(table) && strings.HasPrefix(rest, t.Table+":") {
			table = t.Table
		}
	}
	return table, table != ""
}

// hidesValues reports whether errors of the server are passed on without values.
func (c *call) hidesValues() bool {
	return c.entry != nil && !c.binding.rules.policy.ErrorValuesShown()
}

// mapError returns an error of the server as the user shall see it: a failed
// check as a violation, the values of rows hidden, the position in the user's
// own text.
func (c *call) mapError(err error) error {
	if err == nil || c.entry == nil {
		return err
	}
	var coded interface {
		error
		SQLState() string
	}
	table, violated := "", false
	if c.entry.checks && errors.As(err, &coded) && coded.SQLState() == invalidTextRepresentation {
		table, violated = c.violatedTable(coded.Error())
	}
	if c.hidesValues() {
		err = hideValues(err)
	}
	if violated {
		return violation(table, err)
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Position == 0 {
		return err
	}
	mapped := *pgErr
	switch before := int32(c.before); {
	case c.interpolated:
		// pgx wrote the arguments into the text, so the server counted in a text
		// that neither we nor the user have. No place is better than a wrong one.
		mapped.Position = 0
	case pgErr.Position > before:
		mapped.Position = before + int32(c.rewrite.UserPosition(int(pgErr.Position-before)))
	}
	if err == error(pgErr) {
		return &mapped
	}
	return &positioned{err: err, mapped: &mapped}
}

func violation(table string, cause error) *Error {
	return &Error{
		Code:    CodeViolation,
		Table:   table,
		Message: "a row of " + table + " would leave the scope, or lies outside it",
		Hint:    "nothing was written; write only values and references of the scope that is active",
		Err:     cause,
	}
}

// A positioned error has the text and the chain of err, but errors.As finds the
// PgError with the mapped position first.
type positioned struct {
	err    error
	mapped *pgconn.PgError
}

func (p *positioned) Error() string   { return p.err.Error() }
func (p *positioned) Unwrap() []error { return []error{p.mapped, p.err} }
