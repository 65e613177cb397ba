//go:build cgo && linux && !musl

package pgparse

/*
#include <features.h>
#ifndef __GLIBC__
#error "the parser in C needs the stacks of glibc: build with -tags musl, which takes the one in Go"
#endif
*/
import "C"

import (
	"errors"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"github.com/pganalyze/pg_query_go/v5/parser"
)

// Version is the version of PostgreSQL whose grammar this is.
const Version = 16

func scan(text string) ([]*ScanToken, error) {
	result, err := pg_query.Scan(text)
	return result.GetTokens(), err
}

func parse(text string) ([]*RawStmt, error) {
	json, err := pg_query.ParseToJSON(text)
	if err != nil {
		return nil, err
	}
	if stmts, ok := decode(text, json); ok {
		return stmts, nil
	}
	result, err := pg_query.Parse(text)
	return result.GetStmts(), err
}

// bound has nothing to bound: the parser in C reads each token once.
func bound(string) error { return nil }

// cursor returns the position in an error of the parser's, or 0.
func cursor(err error) int {
	if e := (*parser.Error)(nil); errors.As(err, &e) {
		return e.Cursorpos
	}
	return 0
}

// Returning returns the list behind the RETURNING of a statement.
func Returning(stmt any) []*Node {
	if s, ok := stmt.(interface{ GetReturningList() []*Node }); ok {
		return s.GetReturningList()
	}
	return nil
}

// SetReturning replaces the list behind RETURNING. Without one there is no clause.
func SetReturning(stmt any, list []*Node) {
	switch s := stmt.(type) {
	case *InsertStmt:
		s.ReturningList = list
	case *UpdateStmt:
		s.ReturningList = list
	case *DeleteStmt:
		s.ReturningList = list
	}
}

// ReturningNames returns the names that RETURNING WITH gives to OLD and NEW, which
// this grammar lacks.
func ReturningNames(any) (old, new string) { return "old", "new" }

// MatchOf returns for which rows a WHEN clause is.
func MatchOf(w *MergeWhenClause) Match {
	if w.Matched {
		return Matched
	}
	return NotMatched
}

// IsNewExpression reports whether a node is an expression that only newer grammars
// have, and that reads nothing but what stands below it.
func IsNewExpression(any) bool { return false }
