package rewrite

import (
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// written resolves the target of a statement that changes rows. WITH queries are
// never targets.
func (c *certifier) written(rv *pgparse.RangeVar) *policy.Table {
	t := c.table(rv)
	if t != nil && t.Access != policy.Shared && t.Access != policy.Scoped {
		c.fail("table %s may not be written to", t.Name)
		return nil
	}
	if t != nil {
		c.choose(t.In)
	}
	return t
}

func (c *certifier) update(n *pgparse.UpdateStmt, scope []string) {
	c.names = scope
	t := c.written(n.Relation)
	defer c.enter(n.FromClause, n.Relation, scope)()
	tables := c.fromList(n.FromClause, scope)
	if t != nil {
		written := c.assigned(t, n.TargetList)
		if n.WhereClause.GetCurrentOfExpr() != nil {
			written = c.current(t, n.TargetList, written)
		} else {
			n.WhereClause = c.guardedTarget(t, n.Relation, n.WhereClause, tables, tables)
		}
		pgparse.SetReturning(n, c.expanded(t, n.Relation, n.FromClause, c.checked(t, n.Relation, written, pgparse.Returning(n))))
	}
	c.walkList(n.TargetList, scope)
	c.walkCondition(n.WhereClause, scope)
	c.walkList(pgparse.Returning(n), scope)
}

func (c *certifier) delete(n *pgparse.DeleteStmt, scope []string) {
	t := c.written(n.Relation)
	defer c.enter(n.UsingClause, n.Relation, scope)()
	tables := c.fromList(n.UsingClause, scope)
	if t != nil {
		var deleted demand
		if n.WhereClause.GetCurrentOfExpr() != nil {
			deleted = c.current(t, nil, deleted)
		} else {
			n.WhereClause = c.guardedTarget(t, n.Relation, n.WhereClause, tables, tables)
		}
		pgparse.SetReturning(n, c.expanded(t, n.Relation, n.UsingClause, c.checked(t, n.Relation, deleted, pgparse.Returning(n))))
	}
	c.walkCondition(n.WhereClause, scope)
	c.walkList(pgparse.Returning(n), scope)
}

// current demands of the row that WHERE CURRENT OF means all that a guard would,
// of which an UPDATE must assign nothing, or the row could have been another's.
func (c *certifier) current(t *policy.Table, set []*pgparse.Node, d demand) demand {
	all := demand{scopings: c.needed(t), condition: conditionOf(t, toChange), references: d.references}
	isAssigned := len(d.scopings) > 0
	if all.condition != nil {
		isAssigned = isAssigned || slices.ContainsFunc(all.condition.Columns, func(column string) bool { return isAmong(set, column) })
	}
	if isAssigned || c.lacksScope(t) {
		c.fail("the row of a cursor, of table %s, may be another scope's", t.Name)
	}
	return all
}

// walkCondition walks the condition of an UPDATE or DELETE. In that of WHERE
// CURRENT OF there is only the name of a cursor.
func (c *certifier) walkCondition(n *pgparse.Node, scope []string) {
	if n.GetCurrentOfExpr() == nil {
		c.walkNode(n, scope)
	}
}

// guardedTarget takes the guard of a target out of guard AND (condition) and
// returns the user's condition, without its gates. What the guard lacks, that
// condition has to imply by the rows of others.
func (c *certifier) guardedTarget(t *policy.Table, rv *pgparse.RangeVar, where *pgparse.Node, tables, others []*guardedRef) *pgparse.Node {
	if !c.rewritten || len(c.visible(t, refName(rv), toChange)) == 0 {
		return c.ungated(where, tables)
	}
	target := &guardedRef{table: t, name: refName(rv), target: true}
	all := conjuncts(where)
	scopings, implied := c.splitImplied(t, target.name, all, toChange)
	guard := c.all(scopings, conditionOf(t, toChange), target.name, toChange)
	n := len(guard)
	if where == nil || len(all) < n || n > 0 && len(all) > n+1 || c.lacksScope(t) || !c.isConjunction(all[:n], guard) {
		c.fail("the condition on table %s does not begin with its guard", t.Name)
		return where
	}
	switch {
	case n == 0:
	case len(all) == n:
		where = nil
	default:
		where = all[n]
	}
	where = c.ungated(where, append(tables[:len(tables):len(tables)], target))
	for _, s := range implied {
		if !changesWhatIsRead(c.shape, t, s) || !slices.ContainsFunc(others, func(other *guardedRef) bool { return implies(where, target, other, s) }) {
			c.fail("table %s lacks its guard", t.Name)
		}
	}
	return where
}

// assigned returns the scopings of t, restricted under the shape, the references
// and the condition that use a column which is in a SET list.
func (c *certifier) assigned(t *policy.Table, set []*pgparse.Node) demand {
	isSet := func(column string) bool { return isAmong(set, column) }
	var found demand
	for _, f := range t.References {
		if isSet(f.Column) {
			found.references = append(found.references, f)
		}
	}
	if condition := conditionOf(t, toCheck); condition != nil && (t.View || slices.ContainsFunc(condition.Columns, isSet)) {
		found.condition = condition
	}
	for _, s := range c.needed(t) {
		used := t.View || s.Generated || len(s.Any) == 0 && isSet(s.Column)
		for _, alternative := range s.Any {
			used = used || isSet(alternative.Column)
		}
		if used {
			found.scopings = append(found.scopings, s)
		}
	}
	return found
}

func (c *certifier) insert(n *pgparse.InsertStmt, scope []string) {
	c.names = scope
	t := c.written(n.Relation)
	if t != nil {
		isListed := len(n.Cols) > 0
		check := demand{condition: conditionOf(t, toCheck)}
		for _, f := range t.References {
			if !isListed && n.SelectStmt != nil || isAmong(n.Cols, f.Column) {
				check.references = append(check.references, f)
			}
		}
		filled := c.unfill(n, t)
		switch {
		case !isListed:
			c.listColumns(n, t)
		case len(n.Cols) == 0 && n.SelectStmt != nil:
			c.fail("an INSERT into table %s lists no columns for its values", t.Name)
		}
		for _, s := range c.needed(t) {
			if !filled[s.Dimension] {
				check.scopings = append(check.scopings, s)
			}
		}
		if update := n.OnConflictClause; update != nil && update.Action == pgparse.OnConflictAction_ONCONFLICT_UPDATE {
			assigned := c.assigned(t, update.TargetList)
			for _, s := range assigned.scopings {
				if filled[s.Dimension] {
					check.scopings = append(check.scopings, s)
				}
			}
			for _, f := range assigned.references {
				if !slices.Contains(check.references, f) {
					check.references = append(check.references, f)
				}
			}
			update.WhereClause = c.guardedConflict(t, n.Relation, update.WhereClause)
		}
		pgparse.SetReturning(n, c.expanded(t, n.Relation, nil, c.checked(t, n.Relation, check, pgparse.Returning(n))))
	}
	c.walkList(n.Cols, scope)
	c.walkNode(n.SelectStmt, scope)
	defer c.enter(nil, n.Relation, scope)()
	if n.OnConflictClause != nil {
		c.walk(n.OnConflictClause, scope)
	}
	c.walkList(pgparse.Returning(n), scope)
}

// unfill takes the filled columns and their values away and returns their
// dimensions. A column is filled when it is one of the last, and the last value
// of every row is its dimension's parameter, which no text of the user's can be.
func (c *certifier) unfill(n *pgparse.InsertStmt, t *policy.Table) map[*policy.Dimension]bool {
	filled := map[*policy.Dimension]bool{}
	if !c.rewritten {
		return filled
	}
	for len(n.Cols) > 0 {
		last := n.Cols[len(n.Cols)-1].GetResTarget()
		var dimension *policy.Dimension
		for _, s := range c.needed(t) {
			if s.Path == nil && len(s.Any) == 0 && !s.Generated && s.Column == last.GetName() && presenceOf(c.shape, s.Dimension, toCheck) == One {
				dimension = s.Dimension
			}
		}
		if dimension == nil || len(last.Indirection) > 0 || !endsWith(n.SelectStmt.GetSelectStmt(), c.value(dimension, toCheck)) {
			break
		}
		n.Cols = n.Cols[:len(n.Cols)-1]
		dropLast(n.SelectStmt.GetSelectStmt())
		filled[dimension] = true
	}
	if len(filled) > 0 && len(n.Cols) == 0 { // it was DEFAULT VALUES
		rows := n.SelectStmt.GetSelectStmt().GetValuesLists()
		if len(rows) == 1 && len(rows[0].GetList().GetItems()) == 0 {
			n.SelectStmt = nil
		}
	}
	return filled
}

// endsWith reports whether the last value of every row that s feeds is value.
func endsWith(s *pgparse.SelectStmt, value *pgparse.Node) bool {
	switch {
	case s == nil:
		return false
	case s.Op != pgparse.SetOperation_SETOP_NONE:
		return endsWith(s.Larg, value) && endsWith(s.Rarg, value)
	case len(s.ValuesLists) > 0:
		for _, row := range s.ValuesLists {
			items := row.GetList().GetItems()
			if len(items) == 0 || !pgparse.Equal(items[len(items)-1], value) {
				return false
			}
		}
		return true
	}
	return len(s.TargetList) > 0 && pgparse.Equal(s.TargetList[len(s.TargetList)-1], resTarget(value))
}

func dropLast(s *pgparse.SelectStmt) {
	switch {
	case s.Op != pgparse.SetOperation_SETOP_NONE:
		dropLast(s.Larg)
		dropLast(s.Rarg)
	case len(s.ValuesLists) > 0:
		for _, row := range s.ValuesLists {
			items := row.GetList().Items
			row.GetList().Items = items[:len(items)-1]
		}
	default:
		s.TargetList = s.TargetList[:len(s.TargetList)-1]
	}
}

// guardedConflict takes the guard out of ON CONFLICT DO UPDATE's
// WHERE CASE WHEN guard THEN condition ELSE failure END. No condition is the
// same as true, which is how the original is written here.
func (c *certifier) guardedConflict(t *policy.Table, rv *pgparse.RangeVar, where *pgparse.Node) *pgparse.Node {
	guard := c.visible(t, refName(rv), toCheck)
	if len(guard) == 0 {
		return where
	}
	if !c.rewritten {
		if where == nil {
			return boolean(true)
		}
		return where
	}
	found, condition := c.caseOf(where, failing(t, refName(rv), "bool"))
	if found == nil || !c.isConjunction(conjuncts(found), guard) {
		c.fail("ON CONFLICT DO UPDATE on table %s lacks its guard", t.Name)
		return where
	}
	return condition
}

// caseOf takes CASE WHEN guard THEN result ELSE otherwise END apart.
func (c *certifier) caseOf(n *pgparse.Node, otherwise *pgparse.Node) (guard, result *pgparse.Node) {
	e := n.GetCaseExpr()
	if e == nil || e.Arg != nil || len(e.Args) != 1 || !pgparse.Equal(e.Defresult, otherwise) {
		return nil, nil
	}
	when := e.Args[0].GetCaseWhen()
	return when.GetExpr(), when.GetResult()
}

// checked takes the check of a demand out of a RETURNING list. It is the last
// item, or, in a WITH query that returns rows, it goes around one of them.
func (c *certifier) checked(t *policy.Table, rv *pgparse.RangeVar, d demand, list []*pgparse.Node) []*pgparse.Node {
	if c.nested {
		defer func() { forgetLabels(list) }()
	}
	ref := refName(rv)
	all := c.all(d.scopings, d.condition, ref, toCheck)
	for _, f := range d.references {
		if want := c.reference(f, ref); want != nil {
			all = append(all, want)
		}
	}
	if !c.rewritten || len(all) == 0 {
		return list
	}
	if len(list) > 0 {
		last := list[len(list)-1].GetResTarget()
		guard, result := c.caseOf(last.GetVal(), failing(t, ref, "integer"))
		if guard != nil && last.Name == "" && isNull(result) && (!c.nested || len(list) == 1) &&
			c.isConjunction(conjuncts(guard), all) {
			return list[:len(list)-1]
		}
	}
	for _, item := range list {
		target := item.GetResTarget()
		if !c.nested || target.GetName() == "" {
			continue
		}
		condition, value := c.caseOf(target.Val, nil)
		guard, yes := c.caseOf(condition, failing(t, ref, "bool"))
		if guard != nil && pgparse.Equal(yes, boolean(true)) && c.isConjunction(conjuncts(guard), all) {
			target.Val = value
			return list
		}
	}
	c.fail("rows written to table %s are not checked", t.Name)
	return list
}

func isNull(n *pgparse.Node) bool { return n.GetAConst().GetIsnull() }

// forgetLabels removes the labels of a WITH query's result that only repeat the
// name that the column has without one.
func forgetLabels(list []*pgparse.Node) {
	for _, n := range list {
		target := n.GetResTarget()
		fields := target.GetVal().GetColumnRef().GetFields()
		if len(fields) > 0 && fields[len(fields)-1].GetString_().GetSval() == target.Name {
			target.Name = ""
		}
	}
}

// isAmong reports whether a column list names a column.
func isAmong(list []*pgparse.Node, column string) bool {
	return slices.ContainsFunc(list, func(n *pgparse.Node) bool { return n.GetResTarget().GetName() == column })
}
