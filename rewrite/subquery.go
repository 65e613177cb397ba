package rewrite

import (
	"fmt"
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A table that is fenced, or has a column alias list, becomes a subquery, which
// has no system columns. Under a column alias list its row has other names for
// its fields, so row_to_json would show them. What asks for either is refused.

// madeSubquery notes that a reference becomes a subquery.
func (r *rewriter) madeSubquery(rv *pgparse.RangeVar) {
	if r.subqueries == nil {
		r.subqueries = make(map[string]*pgparse.RangeVar)
	}
	if name := refName(rv); r.subqueries[name] == nil || len(rv.Alias.GetColnames()) > 0 {
		r.subqueries[name] = rv
	}
}

// refuseLost refuses, anywhere below node, a system column or a row as a whole
// that a table has lost by becoming a subquery.
func (r *rewriter) refuseLost(node any) {
	if r.err != nil || len(r.subqueries) == 0 {
		return
	}
	if n, ok := node.(*pgparse.ColumnRef); ok {
		r.refuseLostColumn(n)
		return
	}
	pgparse.Children(node, r.refuseLost)
}

func (r *rewriter) refuseLostColumn(n *pgparse.ColumnRef) {
	last := n.Fields[len(n.Fields)-1].GetString_().GetSval()
	table := ""
	if len(n.Fields) > 1 {
		table = n.Fields[len(n.Fields)-2].GetString_().GetSval()
	}
	switch {
	case systemColumns[last] && (table == "" || r.subqueries[table] != nil):
		r.refuseConstruct(n.Location, fmt.Sprintf("the system column %s of a table that has a column alias list, or is fenced for the order of evaluation", last),
			"name the row by its key, leave the column alias list out, or test it in a query of its own")
	case table == "" && r.subqueries[last] != nil && hidesRow(r.subqueries[last].Alias.GetColnames(), last):
		r.refuseConstruct(n.Location, fmt.Sprintf("the row of %s as a whole, whose fields a column alias list would rename", last),
			"name its columns, or leave the column alias list out")
	}
}

// hidesRow reports whether there is a column alias list, and it does not give
// the name of the table to a column.
func hidesRow(list []*pgparse.Node, name string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(c *pgparse.Node) bool { return c.GetString_().GetSval() == name })
}
