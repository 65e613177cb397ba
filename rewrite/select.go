package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// with makes the WITH queries of a statement visible, as PostgreSQL does: each
// sees those before it, and with RECURSIVE all see all.
func (r *rewriter) with(w *pgparse.WithClause, visible *ctes) *ctes {
	if w == nil {
		return visible
	}
	if w.Recursive {
		for _, c := range w.Ctes {
			visible = visible.with(c.GetCommonTableExpr().GetCtename())
		}
	}
	for _, c := range w.Ctes {
		cte := c.GetCommonTableExpr()
		r.materialize(cte, visible)
		pgparse.Children(cte, func(child any) {
			switch child.(type) {
			case *pgparse.SelectStmt, *pgparse.InsertStmt, *pgparse.UpdateStmt, *pgparse.DeleteStmt, *pgparse.MergeStmt:
				r.query(child, visible, false)
			default:
				r.walk(child, visible)
			}
		})
		if !w.Recursive {
			visible = visible.with(cte.GetCtename())
		}
	}
	return visible
}

// selectStmt rewrites a SELECT, VALUES, TABLE, or an arm of a set operation.
func (r *rewriter) selectStmt(n *pgparse.SelectStmt, visible *ctes, top bool) {
	if n.IntoClause != nil {
		r.refuse(Error{
			Code:    CodeStatement,
			Message: "SELECT INTO makes a table",
			Hint:    "use INSERT INTO … SELECT, or scopes disabled: scoped.Disable(ctx, reason)",
		}, n.IntoClause.GetRel().GetLocation())
		return
	}
	visible = r.with(n.WithClause, visible)
	defer r.enter(n.FromClause, nil, visible)()
	r.protect(n.FromClause, n.WhereClause, n.HavingClause, nil, visible)
	inFrom := make(map[any]bool, len(n.FromClause))
	for _, item := range n.FromClause {
		inFrom[pgparse.Unwrap(item)] = true
	}
	filteredOut := top && n.Op == pgparse.SetOperation_SETOP_NONE && isFalse(pgparse.Unwrap(n.WhereClause))
	fill := r.fills[n]
	pgparse.Children(n, func(child any) {
		switch child := child.(type) {
		case *pgparse.WithClause:
		case *pgparse.LockingClause: // it names aliases, not tables
		case *pgparse.SelectStmt:
			r.selectStmt(child, visible, false)
		default:
			empty := r.empty
			r.empty = empty || filteredOut && inFrom[child]
			r.walk(child, visible)
			r.empty = empty
		}
	})
	if from, ok := r.tableKeyword(n); ok && (fill != "" || r.isGuarded(n)) {
		r.edits.replace(r.start(from), r.end(from), "SELECT *"+fill+" FROM")
	} else if fill != "" {
		r.fillLeaf(n, fill)
	}
	if last, ok := r.fences[n]; ok {
		r.edits.suffix(r.end(last), " OFFSET 0")
		r.edits.ordering()
	}
}

// enter begins a FROM list, and returns what ends it.
func (r *rewriter) enter(from []*pgparse.Node, target *pgparse.RangeVar, visible *ctes) (leave func()) {
	r.levels = append(r.levels, levelOf(from, target, visible.hides))
	return func() { r.levels = r.levels[:len(r.levels)-1] }
}

// tableKeyword finds the TABLE of TABLE post, which is no SELECT to insert into.
func (r *rewriter) tableKeyword(n *pgparse.SelectStmt) (int, bool) {
	if len(n.FromClause) != 1 {
		return 0, false
	}
	rv := n.FromClause[0].GetRangeVar()
	if rv == nil {
		return 0, false
	}
	i := r.tokenAt(rv.Location) - 1
	for r.token(i) == pgparse.Token_ASCII_40 || r.token(i) == pgparse.Token_ONLY {
		i--
	}
	return i, r.token(i) == pgparse.Token_TABLE
}

// isGuarded reports whether the only table of n was just given a guard.
func (r *rewriter) isGuarded(n *pgparse.SelectStmt) bool {
	if len(r.tables) == 0 {
		return false
	}
	last := r.tables[len(r.tables)-1]
	return last.Guard != "" && last.offset == int(n.FromClause[0].GetRangeVar().Location)
}

// limitedToNothing reports whether a query returns no row whatever it reads.
func limitedToNothing(n *pgparse.SelectStmt) bool {
	c := n.LimitCount.GetAConst()
	return c.GetIval() != nil && c.GetIval().Ival == 0
}

// isFalse reports whether a condition is false whatever the rows are: the forms
// that query builders write for a query that is to return nothing.
func isFalse(condition any) bool {
	switch n := condition.(type) {
	case *pgparse.A_Const:
		return n.GetBoolval() != nil && !n.GetBoolval().Boolval
	case *pgparse.BoolExpr:
		if n.Boolop != pgparse.BoolExprType_AND_EXPR {
			return false
		}
		for _, arg := range n.Args {
			if isFalse(pgparse.Unwrap(arg)) {
				return true
			}
		}
	case *pgparse.A_Expr:
		left, right := n.Lexpr.GetAConst().GetIval(), n.Rexpr.GetAConst().GetIval()
		return n.Kind == pgparse.A_Expr_Kind_AEXPR_OP && len(n.Name) == 1 && n.Name[0].GetString_().GetSval() == "=" &&
			left != nil && right != nil && left.Ival != right.Ival
	}
	return false
}
