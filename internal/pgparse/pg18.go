//go:build !cgo || !linux || musl

package pgparse

import (
	"errors"

	pg_query "github.com/sqlc-dev/oliphant"
	"github.com/sqlc-dev/oliphant/parser"
	"google.golang.org/protobuf/proto"
)

// Version is the version of PostgreSQL whose grammar this is.
const Version = 18

func scan(text string) ([]*ScanToken, error) {
	result, err := pg_query.Scan(text)
	return result.GetTokens(), err
}

func parse(text string) ([]*RawStmt, error) {
	result, err := pg_query.Parse(text)
	for _, s := range result.GetStmts() {
		unshare(s)
	}
	return result.GetStmts(), err
}

// unshare gives each column of SET (a, b) = (…) a source of its own. The parser
// lets them share one.
func unshare(node any) {
	if n, ok := node.(*MultiAssignRef); ok && n.Colno > 1 {
		n.Source = proto.Clone(n.Source).(*Node)
	}
	Children(node, unshare)
}

// cursor returns the position in an error of the parser's, or 0.
func cursor(err error) int {
	if e := (*parser.Error)(nil); errors.As(err, &e) {
		return e.Cursorpos
	}
	return 0
}

// Returning returns the list behind the RETURNING of a statement.
func Returning(stmt any) []*Node {
	if s, ok := stmt.(interface{ GetReturningClause() *ReturningClause }); ok {
		return s.GetReturningClause().GetExprs()
	}
	return nil
}

// SetReturning replaces the list behind RETURNING. Without one there is no clause.
func SetReturning(stmt any, list []*Node) {
	var clause **ReturningClause
	switch s := stmt.(type) {
	case *InsertStmt:
		clause = &s.ReturningClause
	case *UpdateStmt:
		clause = &s.ReturningClause
	case *DeleteStmt:
		clause = &s.ReturningClause
	default:
		return
	}
	c := *clause
	if c == nil {
		c = &ReturningClause{}
	}
	c.Exprs = list
	if len(c.Exprs)+len(c.Options) == 0 {
		c = nil
	}
	*clause = c
}

// ReturningNames returns the names that RETURNING has for the old and the new
// row: old and new, unless RETURNING WITH gives others.
func ReturningNames(stmt any) (old, new string) {
	old, new = "old", "new"
	s, ok := stmt.(interface{ GetReturningClause() *ReturningClause })
	if !ok {
		return old, new
	}
	for _, n := range s.GetReturningClause().GetOptions() {
		switch o := n.GetReturningOption(); o.GetOption() {
		case pg_query.ReturningOptionKind_RETURNING_OPTION_OLD:
			old = o.Value
		case pg_query.ReturningOptionKind_RETURNING_OPTION_NEW:
			new = o.Value
		}
	}
	return old, new
}

// MatchOf returns for which rows a WHEN clause is.
func MatchOf(w *MergeWhenClause) Match {
	switch w.MatchKind {
	case pg_query.MergeMatchKind_MERGE_WHEN_MATCHED:
		return Matched
	case pg_query.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_TARGET:
		return NotMatched
	}
	return NotMatchedBySource
}

// IsNewExpression reports whether a node is an expression that only newer grammars
// have, and that reads nothing but what stands below it.
func IsNewExpression(node any) bool {
	switch node.(type) {
	case *MergeSupportFunc,
		*JsonParseExpr, *JsonScalarExpr, *JsonSerializeExpr, *JsonFuncExpr, *JsonArgument, *JsonBehavior:
		return true
	}
	return false
}
