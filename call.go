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

// A call is one statement, ready to be sent.
type call struct {
	sql   string
	args  []driver.NamedValue
	entry *entry // nil where scopes are disabled and sql is the user's own
	// rewrite is what sql comes from: the entry's, or that with literals.
	rewrite *rewrite.Rewrite
	binding *binding
	// interpolated is set where pgx writes the arguments into the text.
	interpolated bool
}

// A use is what a statement is sent with; pgx reads leading arguments
// differently for each.
type use uint8

const (
	forQuery use = iota
	forExec
	forStmt
)

// scope returns the scope under which a statement runs, nil for none.
func (c *conn) scope(ctx context.Context) *scope {
	if s := fromContext(ctx); s != nil {
		return s
	}
	return c.tx
}

// bind returns what the scope s means here, or nil where it is disabled and
// statements are to be sent as they are.
func (c *conn) bind(s *scope) (*binding, error) {
	b := unscoped
	switch {
	case s == nil:
	case s.fault != nil:
		fault := *s.fault
		return nil, &fault
	case s.disabled:
		return nil, nil
	default:
		if b = s.bind(c.connector.policy); b.fault != nil {
			fault := *b.fault
			return nil, &fault
		}
	}
	if fault := c.checkSession(); fault != nil {
		return nil, fault
	}
	return b, nil
}

// call turns what the user passed into what is sent, or refuses it.
func (c *conn) call(ctx context.Context, sql string, args []driver.NamedValue, u use) (call, error) {
	s := c.scope(ctx)
	b, err := c.bind(s)
	if err != nil {
		return call{}, err
	}
	if b == nil {
		c.connector.logDisabled(ctx, s, sql)
		c.sendAsIs(sql, args)
		return call{sql: sql, args: args}, nil
	}

	options, simple := 0, c.simple
	if len(args) > 0 && isOption(args[0].Value) {
		if u == forStmt {
			return call{}, argumentsError("a prepared statement takes no exec modes, result formats or query rewriters",
				"pass them to QueryContext or ExecContext of the DB, Tx or Conn")
		}
		if sql, args, options, err = c.consumeOptions(ctx, sql, args, u); err != nil {
			return call{}, err
		}
		for _, a := range args[:options] {
			if mode, ok := a.Value.(pgx.QueryExecMode); ok {
				simple = mode == pgx.QueryExecModeSimpleProtocol
			}
		}
	}

	e := c.connector.cache.get(sql, b.shape)
	if e.rewrite == nil {
		return call{}, e.error()
	}
	if n := len(args) - options; n != e.rewrite.Params {
		return call{}, argumentsError(
			fmt.Sprintf("the statement has %d parameters and was given %d arguments", e.rewrite.Params, n),
			"pass one argument for each parameter, up to the highest $n")
	}
	if len(e.rewrite.Cursors) > 0 {
		if err := c.useCursors(sql, e.rewrite.Cursors, b); err != nil {
			return call{}, err
		}
	}
	if e.rewrite.Literal {
		return c.literalCall(args, e, b, u, simple)
	}
	extended, err := c.appendScope(args, e, b)
	if err != nil {
		return call{}, err
	}
	if options > 0 && e.rewrite.Check && e.rewrite.Returning {
		extended = formatCheck(extended, options)
	}
	interpolated := simple && u != forStmt && len(extended) > options
	if interpolated && e.misread() {
		return call{}, &Error{
			Code:    CodeConstruct,
			Message: "a $ with a digit stands in a string, a name or a comment, where the simple protocol may put an argument",
			Hint:    "pass the text as an argument, or use another exec mode such as pgx.QueryExecModeExec",
		}
	}
	return call{sql: e.rewrite.SQL, args: extended, entry: e, rewrite: e.rewrite, binding: b, interpolated: interpolated}, nil
}

// literalCall is call for several statements in one string, which pgx sends by
// the simple protocol where there are no arguments. Its Query does so only in
// that mode, and returns the rows of the first; in any other mode the server
// refuses them. Of another base neither is known.
func (c *conn) literalCall(options []driver.NamedValue, e *entry, b *binding, u use, simple bool) (call, error) {
	switch {
	case u == forStmt:
		return call{}, severalPrepared()
	case u == forQuery && (c.pgx == nil || !simple):
		return call{}, &Error{
			Code:    CodeStatement,
			Message: "several statements in one string return rows only with pgx and in the simple protocol",
			Hint:    "use ExecContext, or a call for each, or pass pgx.QueryExecModeSimpleProtocol for the rows of the first",
		}
	}
	values := make([]any, len(e.rewrite.Args))
	for i, d := range e.rewrite.Args {
		if d.Index < len(b.values) {
			values[i] = b.values[d.Index]
		}
	}
	literal, err := e.rewrite.WithLiterals(values)
	if err != nil {
		return call{}, err
	}
	return call{sql: literal.SQL, args: options, entry: e, rewrite: literal, binding: b}, nil
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

// appendScope returns the arguments with the scope's values behind them. The
// caller's slice is never written to: database/sql may send it again.
func (c *conn) appendScope(args []driver.NamedValue, e *entry, b *binding) ([]driver.NamedValue, error) {
	if len(e.rewrite.Args) == 0 {
		return args, nil
	}
	values := b.values
	if c.literals {
		values = b.literals
	}
	extended := make([]driver.NamedValue, len(args), len(args)+len(e.rewrite.Args))
	copy(extended, args)
	for _, d := range e.rewrite.Args {
		if d.Index >= len(values) || values[d.Index] == nil {
			return nil, &Error{
				Code:      CodeCertificate,
				Dimension: d.Name,
				Message:   fmt.Sprintf("the rewrite asks for a value of dimension %q, which the scope does not have", d.Name),
				Hint:      "this is a bug of scoped; please report it",
			}
		}
		extended = append(extended, driver.NamedValue{Ordinal: len(extended) + 1, Value: values[d.Index]})
	}
	return extended, nil
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
func (c *conn) consumeOptions(ctx context.Context, sql string, args []driver.NamedValue, u use) (
	_ string, _ []driver.NamedValue, n int, err error,
) {
	var rewriter pgx.QueryRewriter
	var options []driver.NamedValue
	rest := args
loop:
	for len(rest) > 0 {
		switch v := rest[0].Value.(type) {
		case pgx.QueryExecMode:
			options = append(options, rest[0])
		case pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			if u == forExec {
				break loop // pgx's Exec takes them for values
			}
			options = append(options, rest[0])
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

	values := make([]any, len(rest))
	for i, a := range rest {
		values[i] = a.Value
	}
	sql, values, err = rewriter.RewriteQuery(ctx, c.pgx, sql, values)
	if err != nil {
		return "", nil, 0, fmt.Errorf("rewrite query failed: %w", err)
	}
	// pgx would take one of these for an option of the text we send, and a
	// rewriter would change that text behind our back.
	if len(values) > 0 && isOption(values[0]) {
		return "", nil, 0, argumentsError("a query rewriter returned another option as its first argument",
			"return the values of the parameters only")
	}
	args = slices.Grow(options, len(values))
	for _, v := range values {
		args = append(args, driver.NamedValue{Value: v})
	}
	for i := range args {
		args[i].Ordinal = i + 1
		if i < n || c.pgx != nil {
			continue
		}
		// database/sql has not seen these, and a base other than pgx relies on it.
		if err := c.checkValue(&args[i]); err != nil {
			return "", nil, 0, err
		}
	}
	return sql, args, n, nil
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
// each column. Neither the list nor the slice may be the caller's.
func formatCheck(args []driver.NamedValue, options int) []driver.NamedValue {
	args = slices.Clone(args)
	for i, o := range args[:options] {
		if formats, ok := o.Value.(pgx.QueryResultFormats); ok && len(formats) > 1 {
			args[i].Value = append(slices.Clone(formats), pgx.TextFormatCode)
		}
	}
	return args
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
