package scoped

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A call is one statement, ready to be sent with its arguments.
type call struct {
	sql   string
	entry *entry // nil where scopes are disabled and sql is the user's own
	// rewrite is what sql comes from: the entry's, or that with literals.
	rewrite *rewrite.Rewrite
	binding *binding
	// interpolated is set where pgx writes the arguments into the text.
	interpolated bool
	// before is the number of characters in sql before that of the rewrite.
	before int
}

// returnsChecks reports whether what is sent returns rows that are checks.
func (c *call) returnsChecks() bool {
	return c.entry != nil && c.rewrite.Check && !c.rewrite.Literal
}

// A use is what a statement is sent with; pgx reads leading arguments
// differently for each.
type use uint8

const (
	forQuery use = iota
	forExec
	forStmt
	forBatch
)

// call turns what the user passed to pgx into what is sent, or refuses it.
func (s *session) call(ctx context.Context, sql string, args []any, u use) (call, []any, error) {
	b, err := s.enter(ctx, sql)
	switch {
	case err != nil:
		return call{}, nil, err
	case b == nil:
		s.sendAsIs(sql, len(args) > 0 && isOption(args[0]))
		return call{sql: sql}, args, nil
	}
	return s.callUnder(ctx, b, sql, args, u)
}

func (s *session) callUnder(ctx context.Context, b *binding, sql string, args []any, u use) (call, []any, error) {
	options, simple, describes := 0, s.simple, s.describes
	if len(args) > 0 && isOption(args[0]) {
		var err error
		if sql, args, options, err = s.consumeOptions(ctx, sql, args, u); err != nil {
			return call{}, nil, err
		}
		for _, a := range args[:options] {
			if mode, ok := a.(pgx.QueryExecMode); ok {
				simple, describes = mode == pgx.QueryExecModeSimpleProtocol, mode == pgx.QueryExecModeDescribeExec
			}
		}
	}
	if describes && (u == forQuery || u == forExec) {
		if err := s.checkDirect(ctx); err != nil {
			return call{}, nil, err
		}
	}
	c, err := s.plan(b, sql, len(args)-options, u, simple)
	if err != nil {
		return call{}, nil, err
	}
	// The caller's slice is never written to.
	extended := make([]any, len(args), len(args)+len(c.rewrite.Args))
	copy(extended, args)
	for _, a := range c.rewrite.Args {
		v := s.value(b, a)
		if v == nil {
			return call{}, nil, missingValue(a)
		}
		extended = append(extended, v)
	}
	if c.rewrite.Check && c.rewrite.Returning {
		formatCheck(extended[:options])
	}
	return c, extended, nil
}

// call turns what database/sql passes into what is sent, or refuses it.
func (c *conn) call(ctx context.Context, sql string, args []driver.NamedValue, u use) (call, []driver.NamedValue, error) {
	b, err := c.enter(ctx, sql)
	options := len(args) > 0 && isOption(args[0].Value)
	switch {
	case err != nil:
		return call{}, nil, err
	case b == nil:
		c.sendAsIs(sql, options)
		return call{sql: sql}, args, nil
	case options && u == forStmt:
		return call{}, nil, argumentsError("a prepared statement takes no exec modes, result formats or query rewriters",
			"pass them to QueryContext or ExecContext of the DB, Tx or Conn")
	case options:
		return c.callWithOptions(ctx, b, sql, args, u)
	case c.describes && u != forStmt:
		if err := c.checkDirect(ctx); err != nil {
			return call{}, nil, err
		}
	}
	planned, err := c.plan(b, sql, len(args), u, c.simple)
	if err != nil || len(planned.rewrite.Args) == 0 {
		return planned, args, err
	}
	// The caller's slice is never written to: database/sql may send it again.
	extended := append(c.arguments(len(args)+len(planned.rewrite.Args)), args...)
	for _, a := range planned.rewrite.Args {
		v := c.value(b, a)
		if v == nil {
			return call{}, nil, missingValue(a)
		}
		extended = append(extended, driver.NamedValue{Ordinal: len(extended) + 1, Value: v})
	}
	return planned, extended, nil
}

// arguments returns an empty slice for n arguments of one call of the base.
func (c *conn) arguments(n int) []driver.NamedValue {
	if c.copies && n <= len(c.place) {
		c.placed = n
		return c.place[:0]
	}
	return make([]driver.NamedValue, 0, n)
}

// forgetArguments keeps none of those in memory that the base has had.
func (c *conn) forgetArguments() {
	clear(c.place[:c.placed])
	c.placed = 0
}

func (c *conn) callWithOptions(ctx context.Context, b *binding, sql string, args []driver.NamedValue, u use) (call, []driver.NamedValue, error) {
	planned, values, err := c.callUnder(ctx, b, sql, valuesOf(args), u)
	if err != nil {
		return call{}, nil, err
	}
	args = make([]driver.NamedValue, len(values))
	for i, v := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
		if c.pgx != nil || isOption(v) {
			continue
		}
		// A query rewriter's values have not been seen by the base.
		if err := c.checkValue(&args[i]); err != nil {
			return call{}, nil, err
		}
	}
	return planned, args, nil
}

func valuesOf(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	return values
}

// plan turns a text for which the user passes that many values into what is
// sent, or refuses it.
func (s *session) plan(b *binding, sql string, values int, u use, simple bool) (call, error) {
	e, comment := s.entry(b, sql)
	if e.rewrite == nil {
		return call{}, e.error()
	}
	if values != e.rewrite.Params {
		return call{}, argumentsError(
			fmt.Sprintf("the statement has %d parameters and was given %d arguments", e.rewrite.Params, values),
			"pass one argument for each parameter, up to the highest $n")
	}
	if len(e.rewrite.Cursors) > 0 {
		if err := s.useCursors(sql, e.rewrite.Cursors, b); err != nil {
			return call{}, err
		}
	}
	if e.rewrite.Literal {
		c, err := s.planLiteral(e, b, u, simple)
		c.sql += comment
		return c, err
	}
	interpolated := simple && u != forStmt && values+len(e.rewrite.Args) > 0
	if interpolated && e.misread() {
		return call{}, &Error{
			Code:    CodeConstruct,
			Message: "a $ with a digit stands in a string, a name or a comment, where the simple protocol may put an argument",
			Hint:    "pass the text as an argument, or use another exec mode such as pgx.QueryExecModeExec",
		}
	}
	text := e.rewrite.SQL
	if comment != "" {
		text += comment
	}
	return call{sql: text, entry: e, rewrite: e.rewrite, binding: b, interpolated: interpolated}, nil
}

// planLiteral is plan for several statements in one string, which pgx sends by
// the simple protocol where there are no arguments. Its Query does so only in
// that mode, and returns the rows of the first; in any other mode the server
// refuses them. Of another base neither is known.
func (s *session) planLiteral(e *entry, b *binding, u use, simple bool) (call, error) {
	switch {
	case u == forStmt:
		return call{}, severalPrepared()
	case u == forBatch:
		return call{}, &Error{
			Code:    CodeStatement,
			Message: "several statements in one string cannot be part of a batch",
			Hint:    "queue each on its own",
		}
	case u == forQuery && (s.pgx == nil || !simple):
		return call{}, &Error{
			Code:    CodeStatement,
			Message: "several statements in one string return rows only with pgx and in the simple protocol",
			Hint:    "use ExecContext, or a call for each, or pass pgx.QueryExecModeSimpleProtocol for the rows of the first",
		}
	}
	literal, err := withLiterals(e.rewrite, b)
	if err != nil {
		return call{}, err
	}
	return call{sql: literal.SQL, entry: e, rewrite: literal, binding: b}, nil
}

// withLiterals returns a rewrite with the scope's values in the place of its
// parameters.
func withLiterals(rw *rewrite.Rewrite, b *binding) (*rewrite.Rewrite, error) {
	values := make([]any, len(rw.Args))
	for i, a := range rw.Args {
		values[i] = boundTo(a, b.values)
	}
	return rw.WithLiterals(values)
}

func severalPrepared() *Error {
	return &Error{
		Code:    CodeStatement,
		Message: "several statements in one string cannot be prepared",
		Hint:    "prepare each on its own, or use ExecContext without arguments",
	}
}

func argumentsError(message, hint string) *Error {
	return &Error{Code: CodeArguments, Message: message, Hint: hint}
}

// value returns what is bound to one of the scope's parameters, nil where the scope
// has nothing.
func (s *session) value(b *binding, a rewrite.Arg) driver.Value {
	value := boundTo(a, b.values)
	if s.literals {
		value = arrayText(value)
	}
	return value
}

func missingValue(a rewrite.Arg) *Error {
	return &Error{
		Code:      CodeCertificate,
		Dimension: a.Name,
		Message:   fmt.Sprintf("the rewrite asks for a value of dimension %q, which the scope does not have", a.Name),
		Hint:      "this is a bug of scoped; please report it",
	}
}

// isOption reports whether pgx takes a leading argument for an instruction.
func isOption(v any) bool {
	switch v.(type) {
	case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID, pgx.QueryRewriter:
		return true
	}
	return false
}

// consumeOptions takes the leading options as pgx does, the last query rewriter
// winning, and runs that rewriter, so that the text which is parsed is the one
// that PostgreSQL would have seen. It returns that text and the arguments; the
// first n of these are the options that pgx still has to see.
func (s *session) consumeOptions(ctx context.Context, sql string, args []any, u use) (_ string, _ []any, n int, err error) {
	var rewriter pgx.QueryRewriter
	var options []any
	rest := args
loop:
	for len(rest) > 0 {
		switch v := rest[0].(type) {
		case pgx.QueryExecMode:
			if u == forBatch {
				break loop // in a batch pgx knows query rewriters only
			}
			options = append(options, v)
		case pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			if u == forExec || u == forBatch {
				break loop // pgx's Exec takes them for values
			}
			options = append(options, v)
		case pgx.QueryRewriter:
			rewriter = v
		default:
			break loop
		}
		rest = rest[1:]
	}
	n = len(options)
	if rewriter == nil {
		return sql, args, n, nil
	}
	sql, values, err := rewriter.RewriteQuery(ctx, s.pgx, sql, slices.Clone(rest))
	if err != nil {
		return "", nil, 0, fmt.Errorf("rewrite query failed: %w", err)
	}
	// pgx would take one of these for an option of the text we send, and a
	// rewriter would change that text behind our back.
	if len(values) > 0 && isOption(values[0]) {
		return "", nil, 0, argumentsError("a query rewriter returned another option as its first argument",
			"return the values of the parameters only")
	}
	return sql, append(options, values...), n, nil
}

// checkValue converts a value as database/sql does before it calls the base.
func (c *conn) checkValue(v *driver.NamedValue) (err error) {
	err = driver.ErrSkip
	if checker, ok := c.base.(driver.NamedValueChecker); ok {
		err = checker.CheckNamedValue(v)
	}
	if errors.Is(err, driver.ErrSkip) {
		v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	}
	return err
}

// formatCheck adds the format of the check column to a list that has one for
// each column, and that is the caller's.
func formatCheck(options []any) {
	for i, o := range options {
		if formats, ok := o.(pgx.QueryResultFormats); ok && len(formats) > 1 {
			options[i] = append(slices.Clone(formats), pgx.TextFormatCode)
		}
	}
}

// misreadable reports whether a $ followed by a digit stands anywhere but at the
// start of a parameter. In the simple protocol pgx puts the arguments into the
// text, and its idea of where strings, names and comments end is not
// PostgreSQL's: it takes name'\' for the start of an escape string, and the
// second $ of a$b$ for that of a quoted text. So an argument could end up inside
// what PostgreSQL takes for a string, end that string, and have the rest read as
// SQL which nobody has checked. Where every $n of the text is a parameter there
// is no such place, however pgx reads it.
func misreadable(sql string) bool {
	suspects := 0
	for i := 0; i+1 < len(sql); i++ {
		if sql[i] == '$' && sql[i+1] >= '0' && sql[i+1] <= '9' {
			suspects++
		}
	}
	if suspects == 0 {
		return false
	}
	tokens, err := pgparse.Scan(sql)
	if err != nil {
		return true
	}
	for _, t := range tokens {
		if t.Token == pgparse.Token_PARAM {
			suspects--
		}
	}
	return suspects != 0
}
