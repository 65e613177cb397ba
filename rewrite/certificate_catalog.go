package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// What the editor may write out with the help of the catalogue, the certificate
// writes out everywhere, in the original and in the rewrite, before they are
// compared.

// columnsOf returns the columns of t, or nil where they are not known.
func (c *certifier) columnsOf(t *policy.Table) []string {
	if c.catalog == nil {
		return nil
	}
	names, ok := c.catalog.Columns(t.Schema, t.Name)
	if !ok {
		return nil
	}
	return names
}

// listColumns gives an INSERT without a column list the one that it means: as
// many of the table's columns as its source has.
func (c *certifier) listColumns(n *pgparse.InsertStmt, t *policy.Table) {
	if len(n.Cols) > 0 || n.SelectStmt == nil {
		return
	}
	width, columns := sourceWidth(n.SelectStmt.GetSelectStmt()), c.columnsOf(t)
	if width < 1 || width > len(columns) {
		return
	}
	for _, name := range columns[:width] {
		n.Cols = append(n.Cols, &pgparse.Node{Node: &pgparse.Node_ResTarget{ResTarget: &pgparse.ResTarget{Name: name}}})
	}
}

// sourceWidth returns how many columns feed an INSERT, or 0 where a star or a
// difference between its arms leaves it open.
func sourceWidth(s *pgparse.SelectStmt) int {
	if s == nil {
		return 0
	}
	if s.Op != pgparse.SetOperation_SETOP_NONE {
		left, right := sourceWidth(s.Larg), sourceWidth(s.Rarg)
		if left != right {
			return 0
		}
		return left
	}
	if len(s.ValuesLists) == 0 {
		values := make([]*pgparse.Node, len(s.TargetList))
		for i, n := range s.TargetList {
			values[i] = n.GetResTarget().GetVal()
		}
		return width(values)
	}
	all := width(s.ValuesLists[0].GetList().GetItems())
	for _, row := range s.ValuesLists[1:] {
		if width(row.GetList().GetItems()) != all {
			return 0
		}
	}
	return all
}

func width(values []*pgparse.Node) int {
	for _, v := range values {
		stars := v.GetColumnRef().GetFields()
		stars = append(stars[:len(stars):len(stars)], v.GetAIndirection().GetIndirection()...)
		for _, s := range stars {
			if s.GetAStar() != nil {
				return 0
			}
		}
	}
	return len(values)
}

// expanded writes the stars of the target out in the RETURNING list of a WITH
// query. The stars of the items in FROM follow where * means all of them.
func (c *certifier) expanded(t *policy.Table, rv *pgparse.RangeVar, from, list []*pgparse.Node) []*pgparse.Node {
	columns := c.columnsOf(t)
	if !c.nested || len(columns) == 0 {
		return list
	}
	var all []*pgparse.Node
	for _, n := range list {
		fields := n.GetResTarget().GetVal().GetColumnRef().GetFields()
		if len(fields) == 0 || fields[len(fields)-1].GetAStar() == nil {
			all = append(all, n)
			continue
		}
		var others []*pgparse.Node
		known := true
		var qualifier []string
		for _, f := range fields[:len(fields)-1] {
			qualifier = append(qualifier, f.GetString_().GetSval())
		}
		switch {
		case len(qualifier) == 0:
			others, known = c.stars(from)
		case len(qualifier) == 1:
			known = qualifier[0] == refName(rv)
		default:
			known = len(qualifier) == 2 && rv.Alias == nil && qualifier[0] == t.Schema && qualifier[1] == t.Name
		}
		if !known {
			all = append(all, n)
			continue
		}
		for _, name := range columns {
			all = append(all, resTarget(column(refName(rv), name)))
		}
		all = append(all, others...)
	}
	return all
}

// stars returns the stars of the items of a FROM list, one by one, where * is
// nothing but these: no join merges columns.
func (c *certifier) stars(from []*pgparse.Node) ([]*pgparse.Node, bool) {
	var all []*pgparse.Node
	for _, item := range from {
		name := ""
		switch n := pgparse.Unwrap(item).(type) {
		case *pgparse.RangeVar:
			name = refName(n)
		case *pgparse.RangeTableSample:
			name = refName(n.Relation.GetRangeVar())
		case *pgparse.RangeSubselect:
			name = n.GetAlias().GetAliasname()
		case *pgparse.RangeFunction:
			name = n.GetAlias().GetAliasname()
		case *pgparse.JoinExpr:
			sides, ok := c.stars([]*pgparse.Node{n.Larg, n.Rarg})
			if !ok || n.IsNatural || n.Alias != nil || len(n.UsingClause) > 0 {
				return nil, false
			}
			all = append(all, sides...)
			continue
		}
		if name == "" {
			return nil, false
		}
		s := star()
		s.GetColumnRef().Fields = append(stringNodes(name), s.GetColumnRef().Fields...)
		all = append(all, resTarget(s))
	}
	return all, true
}
