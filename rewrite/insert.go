package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// insert rewrites an INSERT: the scope's values are filled in where the user
// names no value for their columns, and checked where he does.
func (r *rewriter) insert(n *pgparse.InsertStmt, visible *ctes, top bool) {
	visible = r.with(n.WithClause, visible)
	t, guard := r.target(n.Relation, "insert")
	if t == nil {
		return
	}
	r.qualify(n.Relation, t)

	filled, checked := r.divide(n, t)
	if len(filled) > 0 {
		r.fill(n, t, filled)
	}
	r.walkAll(n.Cols, visible) // their subscripts are expressions
	r.walkOne(n.SelectStmt, visible)
	defer r.enter(nil, n.Relation, visible)()
	if c := n.OnConflictClause; c != nil {
		r.onConflict(c, t, guard, visible)
		if c.Action == pgparse.OnConflictAction_ONCONFLICT_UPDATE {
			checked = union(t.Table, checked, assigned(t.Table, c.TargetList))
		}
	}
	r.returned(t, checked, n.Relation, nil, pgparse.Returning(n), visible, top)
}

// divide tells the scopings of an INSERT's table whose column is to be filled
// from what has to be checked: the column is named, or all columns are, or the
// value is not the dimension's but a reference, or it may be in either of several
// columns, of which none is the one to fill; or it is no scoping.
func (r *rewriter) divide(n *pgparse.InsertStmt, t *relation) (filled []policy.Scoping, checked demand) {
	if t.Access != policy.Scoped {
		return nil, checked
	}
	checked.condition = conditionOf(t.Table, toCheck) // defaults may decide on it
	leading := r.leading(n, t.Table)
	for _, s := range t.Scopings {
		isAbsent := !names(n.Cols, s.Column)
		if len(n.Cols) == 0 && n.SelectStmt != nil {
			// Where nothing can be filled, a default may still satisfy the check.
			isAbsent = presenceOf(r.shape, s.Dimension, toCheck) == One && r.leavesOut(leading, t.Table, s.Column)
		}
		if s.Path != nil || s.Any != nil || s.Generated || !isAbsent {
			checked.scopings = append(checked.scopings, s)
			continue
		}
		if presenceOf(r.shape, s.Dimension, toCheck) != One {
			r.refuse(Error{
				Code:      CodeFill,
				Message:   fmt.Sprintf("the INSERT names no %s, and the scope has no single value of dimension %q to fill it with: table %s", s.Column, s.Dimension.Name, t.Name),
				Hint:      fmt.Sprintf("name the column %s and its value, or narrow the scope with scoped.With(ctx, %q, value)", s.Column, s.Dimension.Name),
				Table:     t.Schema + "." + t.Name,
				Dimension: s.Dimension.Name,
			}, t.location)
		}
		filled = append(filled, s)
	}
	for _, f := range t.References {
		isWritten := names(n.Cols, f.Column)
		if len(n.Cols) == 0 && n.SelectStmt != nil {
			isWritten = len(filled) == 0 || slices.Contains(leading, f.Column) // to fill, they are listed
		}
		if isWritten {
			checked.references = append(checked.references, f)
		}
	}
	return filled, checked
}

// union returns what is in the demand of an INSERT into t, a, or in b, the
// scopings in the order of the policy.
func union(t *policy.Table, a, b demand) demand {
	var all []policy.Scoping
	for _, s := range t.Scopings {
		for _, x := range append(a.scopings[:len(a.scopings):len(a.scopings)], b.scopings...) {
			if x.Dimension == s.Dimension {
				all = append(all, s)
				break
			}
		}
	}
	a.scopings = all // it has the condition already
	for _, f := range b.references {
		if !slices.Contains(a.references, f) {
			a.references = append(a.references, f)
		}
	}
	return a
}

// fill appends the columns to the column list, and their values to every row of
// VALUES or to the target list of every SELECT that feeds the INSERT.
func (r *rewriter) fill(n *pgparse.InsertStmt, t *relation, filled []policy.Scoping) {
	var columns, values []string
	for _, s := range filled {
		columns = append(columns, pgparse.QuoteIdentifier(s.Column))
		values = append(values, tester{rewriter: r, purpose: toCheck}.value(s.Dimension))
	}
	column, value := strings.Join(columns, ", "), strings.Join(values, ", ")

	if n.SelectStmt == nil { // DEFAULT VALUES
		first := r.find(t.last, pgparse.Token_DEFAULT)
		if r.token(first+1) != pgparse.Token_VALUES {
			return // the certificate refuses what is left
		}
		r.edits.replace(r.start(first), r.end(first+1), fmt.Sprintf("(%s) VALUES (%s)", column, value))
		return
	}
	if len(n.Cols) == 0 {
		for i, name := range r.leading(n, t.Table) {
			columns = slices.Insert(columns, i, pgparse.QuoteIdentifier(name))
		}
		r.edits.suffix(r.end(t.last-1), " ("+strings.Join(columns, ", ")+")")
	} else {
		close := r.closing(t.last)
		if close >= len(r.tokens) {
			return
		}
		r.edits.suffix(r.end(close-1), ", "+column)
	}
	r.fillSource(n.SelectStmt.GetSelectStmt(), ", "+value)
}

func (r *rewriter) fillSource(n *pgparse.SelectStmt, value string) {
	switch {
	case n == nil:
	case n.Op != pgparse.SetOperation_SETOP_NONE:
		r.fillSource(n.Larg, value)
		r.fillSource(n.Rarg, value)
	case len(n.ValuesLists) > 0:
		r.fillValues(n, value)
	default:
		if r.fills == nil {
			r.fills = make(map[*pgparse.SelectStmt]string)
		}
		r.fills[n] = value
	}
}

// fillValues appends to every row of VALUES. The tree locates what is in the
// first row, from which VALUES is found behind the brackets before it.
func (r *rewriter) fillValues(n *pgparse.SelectStmt, value string) {
	i := r.tokenAt(leftmost(pgparse.Unwrap(n.ValuesLists[0]))) - 1
	for r.token(i) == pgparse.Token_ASCII_40 {
		i--
	}
	for range n.ValuesLists {
		close := r.closing(i + 1) // i is VALUES, or the comma before the row
		if close >= len(r.tokens) {
			return
		}
		r.edits.suffix(r.end(close-1), value)
		i = close + 1
	}
}

// leftmost returns the smallest location in a tree.
func leftmost(node any) int32 {
	least := location(node)
	pgparse.Children(node, func(child any) {
		if l := leftmost(child); l >= 0 && (least < 0 || l < least) {
			least = l
		}
	})
	return least
}

func location(node any) int32 {
	if n, ok := node.(interface{ GetLocation() int32 }); ok {
		return n.GetLocation()
	}
	return -1
}

// fillLeaf appends to the target list of a SELECT.
func (r *rewriter) fillLeaf(n *pgparse.SelectStmt, value string) {
	if len(n.TargetList) == 0 {
		r.refuseConstruct(-1, "an INSERT from a SELECT without columns", "use DEFAULT VALUES")
		return
	}
	first := r.tokenAt(n.TargetList[len(n.TargetList)-1].GetResTarget().GetLocation())
	behind := r.find(first, pgparse.Token_FROM, pgparse.Token_WHERE, pgparse.Token_GROUP_P, pgparse.Token_HAVING,
		pgparse.Token_WINDOW, pgparse.Token_UNION, pgparse.Token_INTERSECT, pgparse.Token_EXCEPT, pgparse.Token_ORDER,
		pgparse.Token_LIMIT, pgparse.Token_OFFSET, pgparse.Token_FETCH, pgparse.Token_FOR, pgparse.Token_ON,
		pgparse.Token_RETURNING)
	r.edits.suffix(r.end(behind-1), value)
}

// onConflict makes ON CONFLICT DO UPDATE fail, as row-level security does, where
// the row in conflict is another scope's. Neither the user's condition nor his
// assignments are evaluated on such a row.
func (r *rewriter) onConflict(c *pgparse.OnConflictClause, t *relation, guard string, visible *ctes) {
	if guard != "" && c.Action == pgparse.OnConflictAction_ONCONFLICT_UPDATE {
		guard = tester{rewriter: r, purpose: toCheck, perRow: true}.allVisible(t.Table, t.ref)
	} else {
		guard = ""
	}
	if guard == "" {
		r.walk(c, visible)
		return
	}
	set := r.find(r.tokenAt(c.Location), pgparse.Token_DO)
	where := r.find(set, pgparse.Token_WHERE, pgparse.Token_RETURNING)
	if c.WhereClause == nil {
		r.walk(c, visible)
		r.edits.suffix(r.end(where-1), fmt.Sprintf(" WHERE CASE WHEN %s THEN true ELSE %s::bool END", guard, failure(t)))
		return
	}
	if where+1 >= len(r.tokens) {
		return // the certificate refuses what is left
	}
	r.edits.prefix(r.start(where+1), fmt.Sprintf("CASE WHEN %s THEN (", guard))
	r.walk(c, visible)
	r.edits.suffix(r.end(r.find(where+1, pgparse.Token_RETURNING)-1), fmt.Sprintf(") ELSE %s::bool END", failure(t)))
}
