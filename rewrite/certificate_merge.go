package rewrite

import (
	"fmt"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

func (c *certifier) merge(n *pgparse.MergeStmt, scope []string) {
	if c.nested {
		c.fail("it holds a MERGE in a WITH query")
		return
	}
	scope = c.with(n.WithClause, scope)
	t := c.written(n.Relation)
	defer c.enter([]*pgparse.Node{n.SourceRelation}, n.Relation, scope)()
	source, tables := c.fromItem(n.SourceRelation, scope)
	n.SourceRelation = source
	if t != nil {
		n.JoinCondition = c.guardedTarget(t, n.Relation, n.JoinCondition, tables)
	}
	c.walkNode(n.JoinCondition, scope)
	for _, node := range n.MergeWhenClauses {
		w := node.GetMergeWhenClause()
		if t != nil && c.rewritten {
			c.mergeAction(t, w)
		}
		c.walkNode(w.Condition, scope)
		c.walkList(w.TargetList, scope)
		c.walkList(w.Values, scope)
	}
}

// mergeAction takes the fills out of an action and the check out of its
// condition: each column that ties a row of t to the scope is filled, or checked,
// or, by an UPDATE, left as it is.
func (c *certifier) mergeAction(t *policy.Table, w *pgparse.MergeWhenClause) {
	var checked []policy.Scoping
	switch w.CommandType {
	case pgparse.CmdType_CMD_INSERT:
		filled := c.unfillAction(t, w)
		for _, s := range c.needed(t) {
			if !filled[s.Dimension] {
				checked = append(checked, s)
			}
		}
	case pgparse.CmdType_CMD_UPDATE:
		checked = c.assigned(t, w.TargetList)
	case pgparse.CmdType_CMD_DELETE, pgparse.CmdType_CMD_NOTHING:
	default:
		c.fail("MERGE has an action of an unknown kind")
	}
	if len(checked) == 0 {
		return
	}
	values := make([]*pgparse.Node, len(checked))
	for i, s := range checked {
		if values[i] = actionValue(w, s.Column); values[i] == nil || !isRepeatable(pgparse.Unwrap(values[i])) {
			c.fail("MERGE gives %s of table %s a value that cannot be checked", s.Column, t.Name)
			return
		}
	}
	if c.isActionCheck(w.Condition, t, checked, values) {
		w.Condition = nil
		return
	}
	condition, check := c.caseOf(w.Condition, nil)
	if condition == nil || !c.isActionCheck(check, t, checked, values) {
		c.fail("rows that MERGE writes to table %s are not checked", t.Name)
		return
	}
	w.Condition = condition
}

// unfillAction takes the filled columns of an INSERT and their values away, and
// returns their dimensions.
func (c *certifier) unfillAction(t *policy.Table, w *pgparse.MergeWhenClause) map[*policy.Dimension]bool {
	filled := map[*policy.Dimension]bool{}
	for len(w.TargetList) > 0 && len(w.TargetList) == len(w.Values) {
		last := len(w.TargetList) - 1
		column := w.TargetList[last].GetResTarget()
		var dimension *policy.Dimension
		for _, s := range c.needed(t) {
			if s.Path == nil && s.Column == column.GetName() && c.shape.Presence(s.Dimension) == One && !filled[s.Dimension] {
				dimension = s.Dimension
			}
		}
		if dimension == nil || len(column.Indirection) > 0 || !pgparse.Equal(w.Values[last], c.value(dimension)) {
			break
		}
		w.TargetList, w.Values = w.TargetList[:last], w.Values[:last]
		filled[dimension] = true
	}
	return filled
}

// actionValue returns the expression that an action gives a column, or nil where
// there is not exactly one.
func actionValue(w *pgparse.MergeWhenClause, column string) *pgparse.Node {
	var value *pgparse.Node
	found := 0
	for i, n := range w.TargetList {
		target := n.GetResTarget()
		if target.GetName() != column {
			continue
		}
		if found++; found > 1 || len(target.Indirection) > 0 {
			return nil
		}
		switch multi := target.Val.GetMultiAssignRef(); {
		case w.CommandType == pgparse.CmdType_CMD_INSERT:
			if len(w.Values) != len(w.TargetList) {
				return nil
			}
			value = w.Values[i]
		case multi == nil:
			value = target.Val
		default:
			row := multi.Source.GetRowExpr().GetArgs()
			if len(row) != int(multi.Ncolumns) || multi.Colno < 1 || int(multi.Colno) > len(row) {
				return nil
			}
			value = row[multi.Colno-1]
		}
	}
	return value
}

// isRepeatable reports whether an expression may be computed twice for one row.
// What is not known to be the same both times may not.
func isRepeatable(node any) bool {
	same := true
	switch node.(type) {
	case *pgparse.FuncCall, *pgparse.SubLink, *pgparse.SetToDefault, *pgparse.A_Star:
		return false
	case *pgparse.A_Const, *pgparse.ParamRef, *pgparse.ColumnRef, *pgparse.TypeName, *pgparse.SQLValueFunction,
		*pgparse.String, *pgparse.Integer, *pgparse.Float, *pgparse.Boolean, *pgparse.List,
		*pgparse.TypeCast, *pgparse.CollateClause, *pgparse.A_Expr, *pgparse.BoolExpr, *pgparse.NullTest,
		*pgparse.BooleanTest, *pgparse.CaseExpr, *pgparse.CaseWhen, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr,
		*pgparse.A_ArrayExpr, *pgparse.A_Indirection, *pgparse.A_Indices:
		if !pgparse.Children(node, func(child any) { same = same && isRepeatable(child) }) {
			return false
		}
		return same
	}
	return false
}

// isActionCheck reports whether a condition is the check that each value lies in
// its scoping: CASE WHEN … AND … THEN true ELSE (SELECT 'scoped-pgx:…')::bool END.
func (c *certifier) isActionCheck(n *pgparse.Node, t *policy.Table, scopings []policy.Scoping, values []*pgparse.Node) bool {
	message := emptySelect()
	message.TargetList = []*pgparse.Node{resTarget(literal(fmt.Sprintf("scoped-pgx:%s.%s:(new)", t.Schema, t.Name)))}
	failure := cast(&pgparse.Node{Node: &pgparse.Node_SubLink{SubLink: &pgparse.SubLink{
		SubLinkType: pgparse.SubLinkType_EXPR_SUBLINK, Subselect: selectNode(message),
	}}}, "bool", false)
	condition, yes := c.caseOf(n, failure)
	if condition == nil || !pgparse.Equal(yes, boolean(true)) {
		return false
	}
	all := conjuncts(condition)
	if len(all) != len(scopings) {
		return false
	}
	for i, s := range scopings {
		if want := c.valuePredicate(all[i], s, values[i]); want == nil || !pgparse.Equal(all[i], want) {
			return false
		}
	}
	return true
}

// valuePredicate builds the tree of the predicate that a value must satisfy. The
// alias of a path is taken from the condition it is to be compared with.
func (c *certifier) valuePredicate(condition *pgparse.Node, s policy.Scoping, value *pgparse.Node) *pgparse.Node {
	if s.Path == nil {
		kind := pgparse.A_Expr_Kind_AEXPR_OP
		if c.shape.Presence(s.Dimension) == Many {
			kind = pgparse.A_Expr_Kind_AEXPR_OP_ANY
		}
		return operator(kind, "=", cast(value, string(s.Dimension.Type), false), c.value(s.Dimension))
	}
	from := condition.GetSubLink().GetSubselect().GetSelectStmt()
	if from == nil || len(from.FromClause) != 1 {
		return nil
	}
	alias := from.FromClause[0].GetRangeVar().GetAlias()
	if !c.isFresh(alias) {
		return nil
	}
	key := column(alias.Aliasname, s.Path.Key)
	sub := emptySelect()
	sub.TargetList = []*pgparse.Node{resTarget(key)}
	sub.FromClause = []*pgparse.Node{rangeVar(s.Path.Target, alias.Aliasname)}
	if sub.WhereClause = c.predicate(from.WhereClause, *s.Path.Via, alias.Aliasname); sub.WhereClause == nil {
		return nil
	}
	if value.GetAConst() == nil && value.GetParamRef() == nil { // it has a type of its own
		sub.TargetList = append(sub.TargetList, resTarget(cast(key, "text", false)))
		value = &pgparse.Node{Node: &pgparse.Node_RowExpr{RowExpr: &pgparse.RowExpr{
			Args: []*pgparse.Node{value, cast(value, "text", false)}, RowFormat: pgparse.CoercionForm_COERCE_IMPLICIT_CAST,
		}}}
	}
	return in(value, sub)
}
