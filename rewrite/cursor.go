package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A CursorOp is what a statement does to a cursor.
type CursorOp uint8

const (
	// DeclareCursor is DECLARE.
	DeclareCursor CursorOp = iota + 1
	// FetchCursor is FETCH or MOVE.
	FetchCursor
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
	if len(query.LockingClause) > 0 {
		r.refuseConstruct(r.firstToken(), "FOR UPDATE or its like in the query of a cursor, which serves WHERE CURRENT OF",
			"lock the rows by SELECT … FOR UPDATE, and name them by their key")
		return
	}
	r.query(query, nil, true)
	r.returning = false // the rows are those of FETCH
	r.useCursor(DeclareCursor, n.Portalname)
}

func (r *rewriter) useCursor(op CursorOp, name string) {
	r.cursors = append(r.cursors, CursorUse{Op: op, Name: name, Offset: r.start(r.first)})
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
