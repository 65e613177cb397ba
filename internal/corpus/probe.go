package corpus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// What a probe puts into a statement, and the names that no accepted statement
// may then hold.
const (
	forbiddenTable    = "corpus_forbidden_table"
	forbiddenFunction = "corpus_forbidden_function"
)

var probes = []string{
	"(SELECT 1 FROM " + forbiddenTable + ")",
	forbiddenFunction + "()",
	"('x'::text)." + forbiddenFunction, // calls the function where the value has no such field
	forbiddenTable,
}

// probe puts a reference to a table that the policy does not list, and calls of
// functions that are not allowed, in the place of each constant, parameter
// and name of a statement. Wherever the grammar lets it stand the rewriter must
// see it: a statement that is accepted has a place into which neither the editor
// nor the certificate looks.
func (r *Result) probe(s Statement) {
	if s.Kind > Explain || len(s.SQL) > 4000 {
		return
	}
	p, err := policy.Parse("corpus.yaml", []byte(namesOf(s.tree).yaml(Direct)))
	if err != nil {
		return
	}
	shape := shape(p, rewrite.One)
	w := rewrite.Rewriter{Policy: p}
	cell := Cell{Scheme: Direct, Presence: rewrite.One}
	if _, err := w.Rewrite(s.SQL, shape); err != nil {
		w.Catalog, cell.Snapshot = snapshotOf(s.tree), true
		if _, err := w.Rewrite(s.SQL, shape); err != nil {
			return
		}
	}
	tokens, err := pgparse.Scan(s.SQL)
	if err != nil {
		return
	}
	for _, token := range tokens {
		switch token.Token {
		case pgparse.Token_ICONST, pgparse.Token_SCONST, pgparse.Token_FCONST, pgparse.Token_PARAM, pgparse.Token_IDENT:
		default:
			continue
		}
		for _, probe := range probes {
			sql := s.SQL[:token.Start] + probe + s.SQL[token.End:]
			stmts, err := pgparse.Parse(sql)
			if err != nil || len(stmts) != 1 || !holds(pgparse.Unwrap(stmts[0].Stmt)) {
				continue
			}
			r.Probes++
			probed := s
			probed.SQL = sql
			_, err = w.Rewrite(sql, shape)
			var e *rewrite.Error
			switch {
			case err == nil:
				r.fault(probed, cell, "not seen", fmt.Sprintf("%s in %s", probe, s.Kind))
			case !errors.As(err, &e):
				r.fault(probed, cell, "untyped error", err.Error())
			case e.Code == rewrite.CodeCertificate:
				_, why, _ := strings.Cut(general(e), ": ")
				r.fault(probed, cell, "seen by the certificate only", why)
			}
		}
	}
}

// holds reports whether a tree holds what a probe forbids, as a table or a
// function. A WITH query of that name would hide the table.
func holds(node any) bool {
	found, hidden := false, false
	var walk func(any)
	walk = func(node any) {
		switch n := node.(type) {
		case *pgparse.LockingClause: // it names aliases
			return
		case *pgparse.RangeVar:
			found = found || n.Relname == forbiddenTable
		case *pgparse.CommonTableExpr:
			hidden = hidden || n.Ctename == forbiddenTable
		case *pgparse.FuncCall:
			found = found || n.Funcname[len(n.Funcname)-1].GetString_().GetSval() == forbiddenFunction
		case *pgparse.A_Indirection:
			for _, field := range n.Indirection {
				found = found || field.GetString_().GetSval() == forbiddenFunction
			}
		}
		pgparse.Children(node, walk)
	}
	walk(node)
	return found && !hidden
}
