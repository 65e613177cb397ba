package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A CursorOp is what a statement does to a cursor.
type CursorOp uint8

const (
	// DeclareCursor is DECLARE.
	DeclareCursor CursorOp = iota + 1
	// FetchCursor is FETCH or MOVE.
	FetchCursor
	// CurrentOfCursor is an UPDATE or DELETE … WHERE CURRENT OF.
	CurrentOfCursor
	// CloseCursor is CLOSE of one cursor.
	CloseCursor
	// CloseAllCursors is what closes every cursor: CLOSE ALL, DISCARD ALL and the
	// end of a transaction. It has no name.
	CloseAllCursors
)

// A CursorUse is one use of a cursor by a statement. What a cursor returns was
// decided by the scope of its DECLARE, so that only whoever sends the statements
// can tell whether a later one may use it.
type CursorUse struct {
	Op     CursorOp
	Name   string // as PostgreSQL knows it: folded, without quotes
	Offset int    // of the statement in the user's text, in bytes
}

// cursorHold is the CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h.
const cursorHold = 0x20

// declare rewrites DECLARE, whose query is that of a SELECT. PostgreSQL takes
// parameters for it, although it is a utility statement: seen on 15 and 18, in
// every exec mode of pgx.
func (r *rewriter) declare(n *pgparse.DeclareCursorStmt) {
	if n.Options&cursorHold != 0 {
		r.refuse(Error{
			Code:    CodeStatement,
			Message: "a cursor WITH HOLD outlives its transaction, and so its scope",
			Hint:    "declare it without WITH HOLD and fetch from it in the same transaction",
		}, r.firstToken())
		return
	}
	query, ok := pgparse.Unwrap(n.Query).(*pgparse.SelectStmt)
	if !ok {
		r.refuseStatement(n)
		return
	}
	before := len(r.edits)
	r.query(query, nil, true)
	// Rows of a subquery are locked as it reads them, and WHERE CURRENT OF means
	// the row that was locked last: with ORDER BY around it, not the one fetched.
	if len(query.LockingClause) > 0 && slices.ContainsFunc(r.edits[before:], edit.isFence) {
		r.refuseConstruct(r.firstToken(), "FOR UPDATE or its like in the query of a cursor that reads through a fence, where WHERE CURRENT OF would mean another row",
			"leave out what can fail on a row, such as casts, or lock the rows by SELECT … FOR UPDATE and name them by their key")
		return
	}
	r.returning = false // the rows are those of FETCH
	r.useCursor(DeclareCursor, n.Portalname)
}

// changeCurrent returns what the row has to satisfy that an UPDATE or DELETE …
// WHERE CURRENT OF changes. The grammar has no room for a guard there, so the row
// is checked as it is returned: that of a DELETE as it was; that of an UPDATE as
// it has become, which tells the same as long as it keeps what decides on it.
func (r *rewriter) changeCurrent(t *relation, set []*pgparse.Node, d demand) demand {
	isAssigned := len(d.scopings) > 0
	d.scopings, d.condition = t.Scopings, conditionOf(t.Table, toChange)
	if d.condition != nil {
		isAssigned = isAssigned || slices.ContainsFunc(d.condition.Columns, func(column string) bool { return names(set, column) })
	}
	if isAssigned {
		r.refuseConstruct(t.location, fmt.Sprintf("WHERE CURRENT OF in an UPDATE that assigns what decides on the scope of the row: table %s", t.Name),
			"name the row by its key")
	}
	return d
}

func (r *rewriter) useCursor(op CursorOp, name string) {
	// The name is a piece of what the parser printed, which nothing should keep.
	r.cursors = append(r.cursors, CursorUse{Op: op, Name: strings.Clone(name), Offset: r.start(r.first)})
}

// useCursors notes what a utility statement that is passed does to cursors.
func (r *rewriter) useCursors(stmt any) {
	switch n := stmt.(type) {
	case *pgparse.FetchStmt:
		r.useCursor(FetchCursor, n.Portalname)
	case *pgparse.ClosePortalStmt:
		if n.Portalname == "" {
			r.useCursor(CloseAllCursors, "")
		} else {
			r.useCursor(CloseCursor, n.Portalname)
		}
	case *pgparse.TransactionStmt:
		if endsTransaction(n) {
			r.useCursor(CloseAllCursors, "")
		}
	case *pgparse.DiscardStmt:
		if n.Target == pgparse.DiscardMode_DISCARD_ALL {
			r.useCursor(CloseAllCursors, "")
		}
	}
}

func endsTransaction(n *pgparse.TransactionStmt) bool {
	switch n.Kind {
	case pgparse.TransactionStmtKind_TRANS_STMT_BEGIN, pgparse.TransactionStmtKind_TRANS_STMT_START,
		pgparse.TransactionStmtKind_TRANS_STMT_SAVEPOINT, pgparse.TransactionStmtKind_TRANS_STMT_RELEASE,
		pgparse.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		return false
	}
	return true
}

// KeepsCursors reports whether a text that is sent as it is, with scopes
// disabled, leaves every cursor the one that it was. A text that cannot be read
// does not, nor does any statement that could declare a cursor, however
// indirectly; functions that do so are trusted, as the rest of the schema.
func KeepsCursors(text string) bool {
	_, stmts, err := parse(text)
	if err != nil {
		return false
	}
	for _, s := range stmts {
		switch n := s.node.(type) {
		case *pgparse.SelectStmt, *pgparse.InsertStmt, *pgparse.UpdateStmt, *pgparse.DeleteStmt, *pgparse.MergeStmt,
			*pgparse.FetchStmt, *pgparse.VariableSetStmt, *pgparse.VariableShowStmt:
		case *pgparse.TransactionStmt:
			if endsTransaction(n) {
				return false
			}
		default:
			return false
		}
	}
	return true
}
