package rewrite

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A Copy is a COPY … TO STDOUT, of which the query is still to be rewritten. No
// other use of COPY can be: the server's files and programs belong to no scope,
// and rows that come in are not part of the text.
type Copy struct {
	// Query is the query in the statement, or the SELECT that its table stands for.
	Query string

	// Table is set where Query stands for a table.
	Table bool

	stmt           *pgparse.CopyStmt
	text           string
	offset         int    // of the query or table in text, in bytes
	before, behind string // what stands around Query, brackets included
}

// copyOptions are the options of COPY … TO, which all say how a row is written.
var copyOptions = []string{"format", "delimiter", "null", "header", "quote", "escape", "force_quote", "encoding"}

// ParseCopy reads a COPY … TO STDOUT, or says in an *Error why it is refused. A
// table without a list of columns stands for those that columns returns, of which
// none are generated; it returns none where they are not known.
func ParseCopy(text string, columns func(schema, table string) []string) (*Copy, error) {
	s, stmts, err := parse(text)
	if err != nil {
		return nil, err
	}
	refuse := func(at int, message, hint string) (*Copy, error) {
		return nil, &Error{Code: CodeStatement, Message: message, Hint: hint, Position: PositionAt(text, at)}
	}
	const write = "write COPY (SELECT …) TO STDOUT, with its options as WITH (…)"
	switch {
	case len(stmts) == 0:
		return refuse(0, "there is no statement", write)
	case len(stmts) > 1:
		return nil, s.severalStatements(stmts, "COPY must stand alone")
	}
	start := s.start(stmts[0].first)
	n, ok := stmts[0].node.(*pgparse.CopyStmt)
	switch {
	case !ok:
		return refuse(start, kind(stmts[0].node)+" is not COPY", write)
	case n.IsFrom:
		return refuse(start, "COPY … FROM is not accepted", "use scoped.CopyFrom")
	case n.IsProgram || n.Filename != "":
		return refuse(start, "COPY to a file or a program of the server is not accepted", write)
	case s.params > 0:
		return refuse(start, "COPY has no parameters", "write the values into the query")
	}
	for _, o := range n.Options {
		if name := o.GetDefElem().GetDefname(); !slices.Contains(copyOptions, name) {
			return refuse(start, fmt.Sprintf("the option %q of COPY is not known", name), "use "+strings.Join(copyOptions, ", "))
		}
	}
	c := &Copy{stmt: n, text: text, Table: n.Relation != nil}
	if !c.Table {
		open := stmts[0].first + 1
		if n.Query.GetSelectStmt() == nil {
			return refuse(s.start(open+1), "only a SELECT can be copied", "send the "+kind(pgparse.Unwrap(n.Query))+" in a call of its own")
		}
		c.take(s.end(open), s.start(s.closing(open)))
	} else if err := c.takeTable(s, columns); err != nil {
		return nil, err
	}
	if _, err := c.With(c.Query); err != nil {
		return refuse(start, "options of COPY in an old form", write)
	}
	return c, nil
}

func (c *Copy) take(from, to int) {
	c.offset, c.before, c.Query, c.behind = from, c.text[:from], c.text[from:to], c.text[to:]
}

// takeTable puts a SELECT into the place of a table and its columns.
func (c *Copy) takeTable(s *source, columns func(schema, table string) []string) error {
	t := c.stmt.Relation
	from := s.tokenAt(t.Location)
	behind := s.name(from)
	name := s.text[s.start(from):s.end(behind-1)]
	var list []string
	for _, column := range c.stmt.Attlist {
		list = append(list, column.GetString_().GetSval())
	}
	if len(list) > 0 {
		behind = s.closing(behind) + 1
	} else if list = columns(t.Schemaname, t.Relname); len(list) == 0 {
		return &Error{
			Code:     CodeStatement,
			Message:  "the columns of the table are not known, of which COPY leaves out the generated ones",
			Hint:     "name them: COPY table (column, …) TO STDOUT; or give a catalogue",
			Position: PositionAt(s.text, int(t.Location)),
		}
	}
	for i := range list {
		list[i] = pgparse.QuoteIdentifier(list[i])
	}
	c.take(s.start(from), s.end(behind-1))
	c.Query = fmt.Sprintf("SELECT %s FROM %s", strings.Join(list, ", "), name)
	c.before, c.behind = c.before+"(", ")"+c.behind
	return nil
}

// With returns the statement with a query in the place of its own. The error is an
// *Error, of a query with which it would be another statement.
func (c *Copy) With(query string) (string, error) {
	text := c.before + query + c.behind
	fault := &Error{
		Code:    CodeCertificate,
		Message: "the rewrite of this COPY could not be proven",
		Hint:    "nothing was sent; please report the statement as a bug of scoped",
	}
	whole, err := pgparse.Parse(text)
	if err != nil || len(whole) != 1 || whole[0].Stmt.GetCopyStmt() == nil {
		return "", fault
	}
	inner, err := pgparse.Parse(query)
	if err != nil || len(inner) != 1 {
		return "", fault
	}
	want := &pgparse.CopyStmt{Query: inner[0].Stmt, Options: c.stmt.Options}
	if !pgparse.Equal(want, whole[0].Stmt.GetCopyStmt()) {
		return "", fault
	}
	return text, nil
}

// Position returns the position in the statement of one in Query, or that of the
// table that Query stands for.
func (c *Copy) Position(inQuery Position) Position {
	switch {
	case c.Table:
		return PositionAt(c.text, c.offset)
	case inQuery.Char == 0:
		return Position{}
	}
	return PositionAt(c.text, c.offset+inQuery.Offset)
}

// Before returns the number of characters before Query in what With returns.
func (c *Copy) Before() int { return utf8.RuneCountInString(c.before) }
