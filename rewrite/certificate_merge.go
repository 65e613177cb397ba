package rewrite

import (
	"fmt"
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
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
		n.JoinCondition = c.guardedTarget(t, n.Relation, n.JoinCondition, tables, nil)
	}
	c.walkNode(n.JoinCondition, scope)
	for _, node := range n.MergeWhenClauses {
		w := node.GetMergeWhenClause()
		if pgparse.MatchOf(w) == pgparse.NotMatchedBySource {
			c.fail("MERGE acts on rows that its guard excludes")
		}
		if t != nil {
			isListed := len(w.TargetList) > 0
			if c.rewritten {
				c.mergeAction(t, refName(n.Relation), w)
			}
			if !isListed {
				c.listActionColumns(t, w)
			}
		}
		c.walkNode(w.Condition, scope)
		c.walkList(w.TargetList, scope)
		c.walkList(w.Values, scope)
	}
	c.walkList(pgparse.Returning(n), scope)
}

// listActionColumns gives an INSERT without a column list the one that it means.
func (c *certifier) listActionColumns(t *policy.Table, w *pgparse.MergeWhenClause) {
	count, columns := width(w.Values), c.columnsOf(t)
	if count > len(columns) {
		return
	}
	for _, name := range columns[:count] {
		w.TargetList = append(w.TargetList, &pgparse.Node{Node: &pgparse.Node_ResTarget{ResTarget: &pgparse.ResTarget{Name: name}}})
	}
}

// mergeAction takes the fills out of an action and the check out of its
// condition: each column that ties a row of t to the scope is filled, or checked,
// or, by an UPDATE, left as it is.
func (c *certifier) mergeAction(t *policy.Table, ref string, w *pgparse.MergeWhenClause) {
	var checked demand
	switch w.CommandType {
	case pgparse.CmdType_CMD_INSERT:
		checked.condition = conditionOf(t, toCheck)
		for _, f := range t.References {
			if isAmong(w.TargetList, f.Column) || len(w.TargetList) == 0 && len(w.Values) > 0 {
				checked.references = append(checked.references, f)
			}
		}
		filled := c.unfillAction(t, w)
		for _, s := range c.needed(t) {
			if !filled[s.Dimension] {
				checked.scopings = append(checked.scopings, s)
			}
		}
	case pgparse.CmdType_CMD_UPDATE:
		checked = c.assigned(t, w.TargetList)
	case pgparse.CmdType_CMD_DELETE, pgparse.CmdType_CMD_NOTHING:
	default:
		c.fail("MERGE has an action of an unknown kind")
	}
	if checked.condition != nil {
		c.fail("MERGE writes rows to table %s that cannot be checked for its condition", t.Name)
	}
	checked.references = slices.DeleteFunc(checked.references, func(f policy.Reference) bool { return len(c.visible(f.Target, "", toRefer)) == 0 })
	c.uncheckInPlace(t, w, &checked)
	if checked.isEmpty() {
		return
	}
	a := &action{table: t, ref: ref, update: w.CommandType == pgparse.CmdType_CMD_UPDATE, values: map[string]*pgparse.Node{}}
	for _, s := range checked.scopings {
		ways := s.Any
		if len(ways) == 0 {
			ways = []policy.Scoping{s}
		}
		for _, way := range ways {
			if len(s.Any) > 0 && !isAmong(w.TargetList, way.Column) {
				continue
			}
			if !c.takeValue(a, w, way.Column) {
				return
			}
		}
	}
	for _, f := range checked.references {
		if !c.takeValue(a, w, f.Column) {
			return
		}
	}
	all := c.writtenBy(a, checked)
	if c.isActionCheck(w.Condition, t, all) {
		w.Condition = nil
		return
	}
	condition, check := c.caseOf(w.Condition, nil)
	if condition == nil || !c.isActionCheck(check, t, all) {
		c.fail("rows that MERGE writes to table %s are not checked", t.Name)
		return
	}
	w.Condition = condition
}

// uncheckInPlace takes the checks out of values that are checked where they stand,
// and what they are for out of the demand.
func (c *certifier) uncheckInPlace(t *policy.Table, w *pgparse.MergeWhenClause, checked *demand) {
	for i := 0; i < len(w.TargetList); {
		target := w.TargetList[i].GetResTarget()
		multi := target.Val.GetMultiAssignRef()
		group := w.TargetList[i : i+1] // the columns whose values one expression gives
		if multi.GetSource().GetSubLink() != nil {
			group = w.TargetList[i:min(i+int(multi.Ncolumns), len(w.TargetList))]
		}
		own, rest := checked.divide(func(column string) bool { return isAmong(group, column) && actionValue(w, column) != nil })
		isChecked := !own.isEmpty()
		switch {
		case !isChecked:
		case w.CommandType == pgparse.CmdType_CMD_INSERT:
			isChecked = c.uncheck(&w.Values[i], t, group, own)
		case multi == nil:
			isChecked = c.uncheck(&target.Val, t, group, own)
		default: // each column has a copy of the subquery
			for _, n := range group {
				multi := n.GetResTarget().Val.GetMultiAssignRef()
				isChecked = multi != nil && c.uncheck(&multi.Source, t, group, own) && isChecked
			}
		}
		if isChecked {
			*checked = rest
		}
		i += len(group)
	}
}

// divide tells what a demand asks of some columns, each by itself, from the rest.
func (d demand) divide(isOwn func(column string) bool) (own, rest demand) {
	rest.condition = d.condition
	for _, s := range d.scopings {
		if len(s.Any) == 0 && isOwn(s.Column) {
			own.scopings = append(own.scopings, s)
		} else {
			rest.scopings = append(rest.scopings, s)
		}
	}
	for _, f := range d.references {
		if isOwn(f.Column) {
			own.references = append(own.references, f)
		} else {
			rest.references = append(rest.references, f)
		}
	}
	return own, rest
}

// uncheck puts a value in the place of the subquery that checks it. That has
// exactly one row, and no other than one that satisfies the demand:
//
//	(SELECT scoped_1.column1 FROM (VALUES (value) OFFSET 0) AS scoped_1 WHERE check)
//
// or, of a subquery in the place of the value, with an alias for each column,
//
//	(SELECT scoped_1.* FROM (SELECT) AS scoped_2 LEFT JOIN (SELECT * FROM (…) AS scoped_1 OFFSET 0) AS scoped_1 (…) ON true WHERE check)
func (c *certifier) uncheck(place **pgparse.Node, t *policy.Table, group []*pgparse.Node, d demand) bool {
	query := (*place).GetSubLink().GetSubselect().GetSelectStmt()
	if len(query.GetFromClause()) != 1 {
		return false
	}
	want, inner := emptySelect(), emptySelect()
	inner.LimitOffset, inner.LimitOption = integer(0), pgparse.LimitOption_LIMIT_OPTION_COUNT
	a := &action{table: t, values: map[string]*pgparse.Node{}}
	var value *pgparse.Node
	if join := query.FromClause[0].GetJoinExpr(); join != nil {
		one, row := join.Larg.GetRangeSubselect().GetAlias(), join.Rarg.GetRangeSubselect().GetAlias()
		from := join.Rarg.GetRangeSubselect().GetSubquery().GetSelectStmt().GetFromClause()
		if !c.areFresh(one, row, group) || len(from) != 1 || from[0].GetRangeSubselect().GetSubquery().GetSelectStmt() == nil {
			return false
		}
		for i, n := range group {
			a.values[n.GetResTarget().Name] = column(row.Aliasname, row.Colnames[i].GetString_().Sval)
		}
		given := from[0].GetRangeSubselect().Subquery.GetSelectStmt()
		value = scalar(given)
		inner.TargetList = []*pgparse.Node{resTarget(star())}
		inner.FromClause = []*pgparse.Node{subselect(given, &pgparse.Alias{Aliasname: row.Aliasname})}
		all := star()
		all.GetColumnRef().Fields = append(stringNodes(row.Aliasname), all.GetColumnRef().Fields...)
		want.TargetList = []*pgparse.Node{resTarget(all)}
		want.FromClause = []*pgparse.Node{{Node: &pgparse.Node_JoinExpr{JoinExpr: &pgparse.JoinExpr{
			Jointype: pgparse.JoinType_JOIN_LEFT, Larg: subselect(emptySelect(), one), Rarg: subselect(inner, row), Quals: boolean(true),
		}}}}
	} else {
		row := query.FromClause[0].GetRangeSubselect()
		inner.ValuesLists = row.GetSubquery().GetSelectStmt().GetValuesLists()
		if !c.isFresh(row.GetAlias()) || len(inner.ValuesLists) != 1 || len(inner.ValuesLists[0].GetList().GetItems()) != 1 {
			return false
		}
		value = inner.ValuesLists[0].GetList().Items[0]
		checked := column(row.Alias.Aliasname, "column1")
		for _, n := range group {
			a.values[n.GetResTarget().Name] = checked
		}
		want.TargetList = []*pgparse.Node{resTarget(checked)}
		want.FromClause = []*pgparse.Node{subselect(inner, row.Alias)}
	}
	want.WhereClause = query.WhereClause
	if !pgparse.Equal(*place, scalar(want)) || !c.isActionCheck(query.WhereClause, t, c.writtenBy(a, d)) {
		return false
	}
	*place = value
	return true
}

// areFresh reports whether two aliases, and one for each column of the second,
// were inserted and are different.
func (c *certifier) areFresh(one, row *pgparse.Alias, group []*pgparse.Node) bool {
	if one == nil || row == nil || len(row.Colnames) != len(group) {
		return false
	}
	all := []string{one.Aliasname, row.Aliasname}
	for _, n := range row.Colnames {
		all = append(all, n.GetString_().GetSval())
	}
	for i, name := range all {
		if slices.Contains(all[:i], name) || !c.isFresh(&pgparse.Alias{Aliasname: name}) {
			return false
		}
	}
	return true
}

// An action is what a WHEN clause of a MERGE writes.
type action struct {
	table  *policy.Table
	ref    string // of the table
	update bool
	values map[string]*pgparse.Node // by column, of those that are checked
}

// takeValue finds the value that an action gives a column, which has to be one
// that can be checked.
func (c *certifier) takeValue(a *action, w *pgparse.MergeWhenClause, column string) bool {
	value := actionValue(w, column)
	if value == nil || !c.isRepeatable(pgparse.Unwrap(value)) {
		c.fail("MERGE gives %s of table %s a value that cannot be checked", column, a.table.Name)
		return false
	}
	a.values[column] = value
	return true
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
			if s.Path == nil && len(s.Any) == 0 && !s.Generated && s.Column == column.GetName() && presenceOf(c.shape, s.Dimension, toCheck) == One && !filled[s.Dimension] {
				dimension = s.Dimension
			}
		}
		if dimension == nil || len(column.Indirection) > 0 || !pgparse.Equal(w.Values[last], c.value(dimension, toCheck)) {
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
		case multi == nil, multi.Source.GetSubLink() != nil:
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
func (c *certifier) isRepeatable(node any) bool {
	same := true
	switch n := node.(type) {
	case *pgparse.ColumnRef:
		name := n.Fields[len(n.Fields)-1].GetString_().GetSval()
		if len(n.Fields) > 1 && (builtin.IsFunction(name) || c.policy.FunctionAllowed("", name)) {
			return false // s.nextval is nextval(s)
		}
		return name != ""
	case *pgparse.FuncCall, *pgparse.SubLink, *pgparse.SetToDefault, *pgparse.A_Star:
		return false
	case *pgparse.A_Const, *pgparse.ParamRef, *pgparse.TypeName, *pgparse.SQLValueFunction,
		*pgparse.String, *pgparse.Integer, *pgparse.Float, *pgparse.Boolean, *pgparse.List,
		*pgparse.TypeCast, *pgparse.CollateClause, *pgparse.A_Expr, *pgparse.BoolExpr, *pgparse.NullTest,
		*pgparse.BooleanTest, *pgparse.CaseExpr, *pgparse.CaseWhen, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr,
		*pgparse.A_ArrayExpr:
		if !pgparse.Children(node, func(child any) { same = same && c.isRepeatable(child) }) {
			return false
		}
		return same
	}
	return false
}

// writtenBy returns what the values of an action must satisfy.
func (c *certifier) writtenBy(a *action, d demand) []wanted {
	var all []wanted
	for _, s := range d.scopings {
		all = append(all, func(n *pgparse.Node) *pgparse.Node {
			if len(s.Any) > 0 {
				return c.eitherWritten(n, a, s.Any)
			}
			return c.valuePredicate(n, s, a.values[s.Column])
		})
	}
	for _, f := range d.references {
		visible := func(alias string) []wanted { return c.visible(f.Target, alias, toRefer) }
		value := a.values[f.Column]
		all = append(all, func(n *pgparse.Node) *pgparse.Node {
			return eitherNull(n, func(n *pgparse.Node) *pgparse.Node {
				return c.refersByValue(n, f.Target, f.Key, value, visible)
			}, value, true)
		})
	}
	return all
}

// isActionCheck reports whether a condition is the check that each value lies in
// its scoping: CASE WHEN … AND … THEN true ELSE (SELECT 'scoped-pgx:…')::bool END.
func (c *certifier) isActionCheck(n *pgparse.Node, t *policy.Table, all []wanted) bool {
	message := emptySelect()
	message.TargetList = []*pgparse.Node{resTarget(literal(fmt.Sprintf("scoped-pgx:%s.%s:(new)", t.Schema, t.Name)))}
	failure := cast(scalar(message), "bool", false)
	condition, yes := c.caseOf(n, failure)
	if condition == nil || !pgparse.Equal(yes, boolean(true)) {
		return false
	}
	return c.isConjunction(conjuncts(condition), all)
}

// eitherWritten builds the tree of the predicate that one of the columns leads to
// the scope, by the value that it is given or, in an UPDATE, by the one that it
// keeps. A column that an INSERT does not name must not be looked at.
func (c *certifier) eitherWritten(condition *pgparse.Node, a *action, ways []policy.Scoping) *pgparse.Node {
	var asked []policy.Scoping
	for _, s := range ways {
		if a.values[s.Column] != nil || a.update {
			asked = append(asked, s)
		}
	}
	args := []*pgparse.Node{condition}
	if len(asked) > 1 {
		args = condition.GetBoolExpr().GetArgs()
	}
	if len(args) != len(asked) {
		return nil
	}
	trees := make([]*pgparse.Node, len(asked))
	for i, s := range asked {
		if value := a.values[s.Column]; value != nil {
			trees[i] = c.valuePredicate(args[i], s, value)
		} else {
			trees[i] = c.predicate(args[i], s, a.ref, toCheck)
		}
		if trees[i] == nil {
			return nil
		}
	}
	switch len(trees) {
	case 0:
		return nil
	case 1:
		return trees[0]
	}
	return or(trees...)
}

// valuePredicate builds the tree of the predicate that a value must satisfy. The
// alias of a path is taken from the condition it is to be compared with.
func (c *certifier) valuePredicate(condition *pgparse.Node, s policy.Scoping, value *pgparse.Node) *pgparse.Node {
	return c.orNull(condition, s, value, toCheck, func(condition *pgparse.Node) *pgparse.Node {
		if s.Path != nil {
			return c.refersByValue(condition, s.Path.Target, s.Path.Key, value, c.pathVisible(s.Path, toCheck))
		}
		return c.inScope(s.Dimension, cast(value, string(s.Dimension.Type), false), toCheck)
	})
}

// refersByValue builds the tree of the predicate that a value refers to a
// visible row.
func (c *certifier) refersByValue(condition *pgparse.Node, target *policy.Table, key string, value *pgparse.Node, visible func(alias string) []wanted) *pgparse.Node {
	from := condition.GetSubLink().GetSubselect().GetSelectStmt()
	if from == nil || len(from.FromClause) != 1 {
		return nil
	}
	alias := from.FromClause[0].GetRangeVar().GetAlias()
	if !c.isFresh(alias) || !c.isConjunction(conjuncts(from.WhereClause), visible(alias.Aliasname)) {
		return nil
	}
	keyColumn := column(alias.Aliasname, key)
	sub := emptySelect()
	sub.TargetList = []*pgparse.Node{resTarget(keyColumn)}
	sub.FromClause = []*pgparse.Node{rangeVar(target, alias.Aliasname)}
	sub.WhereClause = from.WhereClause
	if value.GetAConst() == nil && value.GetParamRef() == nil { // it has a type of its own
		sub.TargetList = append(sub.TargetList, resTarget(cast(keyColumn, "text", false)))
		value = &pgparse.Node{Node: &pgparse.Node_RowExpr{RowExpr: &pgparse.RowExpr{
			Args: []*pgparse.Node{value, cast(value, "text", false)}, RowFormat: pgparse.CoercionForm_COERCE_IMPLICIT_CAST,
		}}}
	}
	return in(value, sub)
}
