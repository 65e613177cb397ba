// Package rewrite turns one statement text, under a policy and a shape, into
// the text that is sent in its place, or refuses it. It is pure: it knows
// nothing of drivers, connections, contexts or the values of a scope.
package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// Presence says how a dimension is active in a scope.
type Presence uint8

const (
	Absent   Presence = iota // no value: tables scoped on it are refused
	One                      // exactly one value
	Many                     // several values
	All                      // explicitly unrestricted
	WriteOne                 // several values are read, and one of them is written
)

// A Shape says which dimensions are active and how, without their values: three
// bits a dimension. The zero Shape is no scope at all. Shapes are compared with
// == and serve as part of a cache key. Disabled scopes have no shape: their
// statements are sent as they are.
type Shape uint64

// With returns the shape in which dimension d has presence p.
func (s Shape) With(d *policy.Dimension, p Presence) Shape {
	shift := 3 * uint(d.Index)
	return s&^(7<<shift) | Shape(p)<<shift
}

// Presence returns how dimension d is active.
func (s Shape) Presence(d *policy.Dimension) Presence {
	if p := Presence(s >> (3 * uint(d.Index)) & 7); p <= WriteOne {
		return p
	}
	return Absent // it was made by no With
}

// A Rewrite is what becomes of one statement text under one shape. It holds no
// scope value, so one Rewrite, and one prepared statement, serves every tenant.
// It is immutable.
type Rewrite struct {
	// SQL is the text to send.
	SQL string

	// Params is the number of bind parameters of the user's own text, the
	// highest $n in it. A caller must pass exactly that many arguments: one
	// more or less would shift the scope's values.
	Params int

	// Args says, in order, what is bound to $Params+1, $Params+2, ….
	Args []Arg

	// Check is set where the last column of the result is a check that the user
	// did not ask for and must not see.
	Check bool

	// Returning is set where the user's own statement returns rows. With Check
	// and without Returning neither the column nor the rows are the user's.
	Returning bool

	// Literal is set for several statements in one string, which the protocol has
	// no parameters for. What is to be sent is the SQL of WithLiterals. Check and
	// Returning are those of the first statement, because pgx returns the rows of
	// no other.
	Literal bool

	// Cursors lists the uses of cursors, in the order of the text. A caller must
	// not send a statement that uses a cursor of another scope.
	Cursors []CursorUse

	// Tables lists every reference to a table, in the order of the text.
	Tables []TableRef

	// Schemas lists the dimensions whose values choose the schemas of what SQL names.
	// SQL names their templates; what is to be sent is the SQL of In.
	Schemas []*policy.Dimension

	edits edits

	text string // the user's

	// Where Schemas may be set: what edits and Tables are made from, the templates by
	// the index of their dimensions, and the schemas that the user's text names.
	marked       edits
	markedTables []TableRef
	templates    []string
	named        []namedSchema

	// Where Literal is set: the places of the parameters in the edits and in the
	// guards of Tables.
	slots      []slot
	guardSlots [][]slot
}

// An Arg is a dimension of which something is bound to a parameter: the value
// where it is present with One, the array of the values where it is present with
// Many or WriteOne.
type Arg struct {
	*policy.Dimension
	Write bool // of WriteOne: the value that is written
}

// A TableRef is one reference to a table in a statement, and what was done with it.
type TableRef struct {
	Table  string // schema-qualified
	Access string // read, insert, update, delete or merge
	Guard  string // the predicate that restricts it, the user's own where that implies it; empty where nothing does
}

// New rewrites text for the shape, or returns an *Error that says why it is
// refused. Nothing of a refused text may be sent, however many statements it
// holds. Every rewrite it returns is certified.
func New(text string, p *policy.Policy, shape Shape) (*Rewrite, error) {
	return Rewriter{Policy: p}.Rewrite(text, shape)
}

// Rewrite is New with the Rewriter's policy and catalogue.
func (w Rewriter) Rewrite(text string, shape Shape) (*Rewrite, error) {
	s, stmts, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(stmts) == 0 {
		return &Rewrite{SQL: text, Params: s.params}, nil
	}
	if len(stmts) > 1 && s.params > 0 {
		return nil, s.severalStatements(stmts, "there are several statements in one string, which can have no parameters")
	}
	r := &rewriter{source: s, analysis: newAnalysis(w, stmts, shape), policy: w.Policy, catalog: w.Catalog, shape: shape, aliasPrefix: freshPrefix(text)}
	r.fences, r.fencedTables = make(map[*pgparse.SelectStmt]int), make(map[*pgparse.RangeVar]bool)
	rewrite := r.rewriteAll(stmts)
	if r.err != nil {
		return nil, r.err
	}
	if err := certify(rewrite, s, stmts, w.Policy, w.Catalog, shape); err != nil {
		return nil, err
	}
	if rewrite.Literal {
		if err := rewrite.findSlots(); err != nil {
			return nil, err
		}
	}
	return rewrite, nil
}

// Params returns the number of bind parameters of a text that is to be prepared,
// the highest $n in it, or the *Error for which it cannot be under any shape:
// that it cannot be read, or holds several statements.
func Params(text string) (int, error) {
	s, stmts, err := parse(text)
	if err != nil {
		return 0, err
	}
	if len(stmts) > 1 {
		return 0, s.severalStatements(stmts, "several statements in one string cannot be prepared")
	}
	return s.params, nil
}

// A statement is one of those that a text holds.
type statement struct {
	node  any
	first int // its first token
}

// parse reads the statements of a text, none where it holds only comments.
func parse(text string) (*source, []statement, error) {
	s, err := newSource(text)
	if err != nil {
		return nil, nil, err
	}
	raw, err := s.parse()
	if err != nil {
		return nil, nil, err
	}
	stmts := make([]statement, len(raw))
	for i, r := range raw {
		stmts[i] = statement{node: pgparse.Unwrap(r.Stmt), first: s.tokenAt(r.StmtLocation)}
	}
	return s, stmts, nil
}

func (s *source) severalStatements(stmts []statement, message string) *Error {
	return &Error{
		Code:     CodeStatement,
		Message:  message,
		Hint:     "send each in a call of its own, inside a transaction if they belong together",
		Position: PositionAt(s.text, s.start(stmts[1].first)),
	}
}
