package rewrite

import (
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A wanted is a conjunct that is demanded. It returns the tree that a condition
// must equal to be it, or nil. The aliases of a path and the order of
// alternatives are taken from the condition.
type wanted func(condition *pgparse.Node) *pgparse.Node

// needed returns the scopings of t that restrict it under the shape.
func (c *certifier) needed(t *policy.Table) []policy.Scoping {
	var needed []policy.Scoping
	for _, s := range t.Scopings {
		if presenceOf(c.shape, s.Dimension, toRead) != All {
			needed = append(needed, s)
		}
	}
	return needed
}

// lacksScope reports whether a dimension that t is scoped on, or that chooses its
// schema, is not active.
func (c *certifier) lacksScope(t *policy.Table) bool {
	return lacksSchema(c.shape, t) || slices.ContainsFunc(c.needed(t), func(s policy.Scoping) bool {
		return presenceOf(c.shape, s.Dimension, toRead) == Absent
	})
}

// visible returns what the rows of t, called ref, must satisfy to be visible; it
// is empty where all of them are.
func (c *certifier) visible(t *policy.Table, ref string, p purpose) []wanted {
	if t.Access != policy.Scoped {
		return nil
	}
	return c.all(c.needed(t), conditionOf(t, p), ref, p)
}

func (c *certifier) all(scopings []policy.Scoping, condition *policy.Condition, ref string, p purpose) []wanted {
	var all []wanted
	for _, s := range scopings {
		all = append(all, func(n *pgparse.Node) *pgparse.Node { return c.predicate(n, s, ref, p) })
	}
	if condition == nil {
		return all
	}
	if len(all) == 0 {
		all = append(all, exactly(boolean(true)))
	}
	return append(all, func(*pgparse.Node) *pgparse.Node { return c.conditionTree(condition, ref) })
}

func exactly(tree *pgparse.Node) wanted {
	return func(*pgparse.Node) *pgparse.Node { return tree }
}

// conditionTree returns a condition of the policy with its columns qualified.
func (c *certifier) conditionTree(condition *policy.Condition, ref string) *pgparse.Node {
	stmts, err := pgparse.Parse("SELECT (" + condition.Text + ")")
	if err != nil || len(stmts) != 1 || len(stmts[0].Stmt.GetSelectStmt().GetTargetList()) != 1 {
		c.fail("the condition %q of the policy cannot be read", condition.Text)
		return nil
	}
	tree := stmts[0].Stmt.GetSelectStmt().TargetList[0].GetResTarget().GetVal()
	var qualify func(node any)
	qualify = func(node any) {
		if n, ok := node.(*pgparse.ColumnRef); ok {
			n.Fields = append(stringNodes(ref), n.Fields...)
			return
		}
		pgparse.Children(node, qualify)
	}
	qualify(pgparse.Unwrap(tree))
	return tree
}

func conjuncts(n *pgparse.Node) []*pgparse.Node {
	if b := n.GetBoolExpr(); b != nil && b.Boolop == pgparse.BoolExprType_AND_EXPR {
		return b.Args
	}
	return []*pgparse.Node{n}
}

// isConjunction reports whether the conditions are exactly what is wanted, in
// any order.
func (c *certifier) isConjunction(conditions []*pgparse.Node, all []wanted) bool {
	if len(conditions) != len(all) {
		return false
	}
	used := make([]bool, len(conditions))
next:
	for _, want := range all {
		for i, condition := range conditions {
			if used[i] {
				continue
			}
			if tree := want(condition); tree != nil && pgparse.Equal(condition, tree) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

// demand requires guard to be what the policy requires of t, called ref. It
// returns the paths of which nothing is in the guard, and which must be implied.
func (c *certifier) demand(t *policy.Table, ref string, guard *pgparse.Node) (implied []policy.Scoping) {
	var conditions []*pgparse.Node
	if guard != nil {
		conditions = conjuncts(guard)
	}
	scopings, implied := c.splitImplied(t, ref, conditions, toRead)
	all := c.all(scopings, conditionOf(t, toRead), ref, toRead)
	switch {
	case c.lacksScope(t):
		if !pgparse.Equal(guard, boolean(false)) {
			c.fail("table %s is read without a scope", t.Name)
		}
		return nil
	case len(c.visible(t, ref, toRead)) == 0:
		if guard != nil {
			c.fail("table %s has a guard that it does not need", t.Name)
		}
	case !c.isConjunction(conditions, all):
		c.fail("table %s lacks its guard", t.Name)
	}
	return implied
}

// imply finds what lacks no guard because a condition demands that its column
// refers to another reference's row. Those references are proven themselves, by
// their guards or in this way, which ends because paths do not lead in a circle.
// Of the refs, no row comes out of which the condition does not hold.
func (c *certifier) imply(condition *pgparse.Node, refs, others []*guardedRef) {
	if condition == nil {
		return
	}
	for _, ref := range refs {
		for _, other := range others {
			if len(c.unproven[ref]) == 0 {
				continue
			}
			c.unproven[ref] = slices.DeleteFunc(c.unproven[ref], func(s policy.Scoping) bool { return implies(condition, ref, other, s) })
			if len(c.unproven[ref]) == 0 {
				delete(c.unproven, ref)
			}
		}
	}
}

// implies reports whether a condition says that a row of ref refers, over the path
// of a scoping, to the row of other that it is joined with.
func implies(condition *pgparse.Node, ref, other *guardedRef, s policy.Scoping) bool {
	if ref.nullable || other.nullable || s.Path.Target != other.table {
		return false
	}
	from, to := column(ref.name, s.Column), column(other.name, s.Path.Key)
	return slices.ContainsFunc(conjuncts(condition), func(n *pgparse.Node) bool {
		return pgparse.Equal(n, operator(pgparse.A_Expr_Kind_AEXPR_OP, "=", from, to)) ||
			pgparse.Equal(n, operator(pgparse.A_Expr_Kind_AEXPR_OP, "=", to, from))
	})
}

// splitImplied returns the scopings of t, called ref, that the guard must hold, and
// the paths of which nothing is among the conditions, and which must be implied.
func (c *certifier) splitImplied(t *policy.Table, ref string, conditions []*pgparse.Node, p purpose) (scopings, implied []policy.Scoping) {
	for _, s := range c.needed(t) {
		isThere := func(condition *pgparse.Node) bool {
			tree := c.predicate(condition, s, ref, p)
			return tree != nil && pgparse.Equal(condition, tree)
		}
		if s.Path == nil || t.Barrier || slices.ContainsFunc(conditions, isThere) {
			scopings = append(scopings, s)
		} else {
			implied = append(implied, s)
		}
	}
	return scopings, implied
}

// predicate builds the tree of the predicate that a scoping requires.
func (c *certifier) predicate(condition *pgparse.Node, s policy.Scoping, ref string, p purpose) *pgparse.Node {
	if len(s.Any) > 0 {
		return c.alternatives(condition, s.Any, ref, p)
	}
	value := column(ref, s.Column)
	if s.Path == nil {
		return c.orNull(condition, s, value, p, func(*pgparse.Node) *pgparse.Node { return c.inScope(s.Dimension, value, p) })
	}
	return c.orInserted(condition, s.Path.Target, s.Path.Key, value, p, func(condition *pgparse.Node) *pgparse.Node {
		return c.orNull(condition, s, value, p, func(condition *pgparse.Node) *pgparse.Node {
			return c.refers(condition, s.Path.Target, s.Path.Key, value, ref, c.pathVisible(s.Path, p))
		})
	})
}

// orInserted builds the tree of (value IN (SELECT key FROM query) OR predicate)
// where the condition begins so, for WITH queries that insert rows into target.
func (c *certifier) orInserted(condition *pgparse.Node, target *policy.Table, key string, value *pgparse.Node, p purpose, predicate wanted) *pgparse.Node {
	either := condition.GetBoolExpr()
	if either == nil || either.Boolop != pgparse.BoolExprType_OR_EXPR || p != toCheck && p != toRefer {
		return predicate(condition)
	}
	last := len(either.Args) - 1
	for _, arg := range either.Args[:last] {
		if !c.isInserted(arg, target, key, value) {
			return predicate(condition)
		}
	}
	tree := predicate(either.Args[last])
	if tree == nil {
		return nil
	}
	return or(append(slices.Clone(either.Args[:last]), tree)...)
}

// isInserted reports whether a condition is that a value is the key of a row
// which a visible WITH query inserts into target.
func (c *certifier) isInserted(condition *pgparse.Node, target *policy.Table, key string, value *pgparse.Node) bool {
	from := condition.GetSubLink().GetSubselect().GetSelectStmt().GetFromClause()
	if len(from) != 1 {
		return false
	}
	rv := from[0].GetRangeVar()
	insert := c.inserts[rv.GetRelname()]
	if insert == nil || !isVisible(c.names, rv.Relname) || !c.isFresh(rv.Alias) {
		return false
	}
	name := returnedKey(c.policy, insert, target, key)
	if name == "" {
		return false
	}
	sub := emptySelect()
	sub.TargetList = []*pgparse.Node{resTarget(column(rv.Alias.Aliasname, name))}
	sub.FromClause = []*pgparse.Node{rangeVar(&policy.Table{Name: rv.Relname}, rv.Alias.Aliasname)}
	return pgparse.Equal(condition, in(value, sub))
}

// orNull builds the tree of a predicate of a value, and where the scoping admits
// NULL, of (predicate OR value IS NULL).
func (c *certifier) orNull(condition *pgparse.Node, s policy.Scoping, value *pgparse.Node, p purpose, predicate wanted) *pgparse.Node {
	if !admitsNull(s, p) {
		return predicate(condition)
	}
	return eitherNull(condition, predicate, value, false)
}

// eitherNull builds the tree of (predicate OR value IS NULL), the latter first
// where it is to be.
func eitherNull(condition *pgparse.Node, predicate wanted, value *pgparse.Node, first bool) *pgparse.Node {
	args := condition.GetBoolExpr().GetArgs()
	if len(args) != 2 {
		return nil
	}
	i := 0
	if first {
		i = 1
	}
	tree := predicate(args[i])
	if tree == nil {
		return nil
	}
	both := []*pgparse.Node{isNullTest(value), isNullTest(value)}
	both[i] = tree
	return or(both...)
}

// inScope builds the tree of the comparison of a value with that of the scope.
func (c *certifier) inScope(d *policy.Dimension, value *pgparse.Node, p purpose) *pgparse.Node {
	switch presenceOf(c.shape, d, p) {
	case One:
		return operator(pgparse.A_Expr_Kind_AEXPR_OP, "=", value, c.value(d, p))
	case Many:
		return operator(pgparse.A_Expr_Kind_AEXPR_OP_ANY, "=", value, c.value(d, p))
	}
	return nil
}

// pathVisible returns what the rows of a path's target, by their alias, must satisfy.
func (c *certifier) pathVisible(path *policy.Path, p purpose) func(alias string) []wanted {
	return func(alias string) []wanted { return c.all([]policy.Scoping{*path.Via}, path.Target.Where, alias, p) }
}

// refers builds the tree of the predicate that a column of the rows called ref
// refers to a visible row: value IN (SELECT key …) or EXISTS (SELECT …).
func (c *certifier) refers(condition *pgparse.Node, target *policy.Table, key string, value *pgparse.Node, ref string, visible func(alias string) []wanted) *pgparse.Node {
	from := condition.GetSubLink().GetSubselect().GetSelectStmt()
	if from == nil || len(from.FromClause) != 1 {
		return nil
	}
	alias := from.FromClause[0].GetRangeVar().GetAlias()
	if !c.isFresh(alias) || alias.Aliasname == ref {
		return nil
	}
	sub := emptySelect()
	sub.FromClause = []*pgparse.Node{rangeVar(target, alias.Aliasname)}
	keyColumn := column(alias.Aliasname, key)
	all := visible(alias.Aliasname)
	isExists := condition.GetSubLink().SubLinkType == pgparse.SubLinkType_EXISTS_SUBLINK
	if isExists {
		all = append([]wanted{exactly(operator(pgparse.A_Expr_Kind_AEXPR_OP, "=", keyColumn, value))}, all...)
	}
	if from.WhereClause == nil || !c.isConjunction(conjuncts(from.WhereClause), all) {
		return nil
	}
	sub.WhereClause = from.WhereClause
	if isExists {
		return exists(sub)
	}
	sub.TargetList = []*pgparse.Node{resTarget(keyColumn)}
	return in(value, sub)
}

// reference returns what a reference of the rows called ref must satisfy, or nil
// where every row may be referred to.
func (c *certifier) reference(f policy.Reference, ref string) wanted {
	visible := func(alias string) []wanted { return c.visible(f.Target, alias, toRefer) }
	if len(visible("")) == 0 {
		return nil
	}
	value := column(ref, f.Column)
	return func(condition *pgparse.Node) *pgparse.Node {
		return eitherNull(condition, func(condition *pgparse.Node) *pgparse.Node {
			return c.orInserted(condition, f.Target, f.Key, value, toRefer, func(condition *pgparse.Node) *pgparse.Node {
				return c.refers(condition, f.Target, f.Key, value, ref, visible)
			})
		}, value, true)
	}
}

// alternatives builds the tree of a OR b OR c from a scoping of either of several.
// Each of them must be there once, and nothing else.
func (c *certifier) alternatives(condition *pgparse.Node, all []policy.Scoping, ref string, p purpose) *pgparse.Node {
	args := condition.GetBoolExpr().GetArgs()
	if len(args) != len(all) {
		return nil
	}
	left := append([]policy.Scoping{}, all...)
	var ways []*pgparse.Node
next:
	for _, arg := range args {
		for i, s := range left {
			if want := c.predicate(arg, s, ref, p); want != nil && pgparse.Equal(arg, want) {
				ways = append(ways, want)
				left = append(left[:i], left[i+1:]...)
				continue next
			}
		}
		return nil
	}
	return or(ways...)
}

// value builds the tree of the parameter that holds a dimension's value, or the
// array of its values.
func (c *certifier) value(d *policy.Dimension, p purpose) *pgparse.Node {
	a := Arg{Dimension: d, Write: p != toRead && c.shape.Presence(d) == WriteOne}
	number := 0
	if i := slices.Index(c.args, a); i >= 0 {
		number = c.params + 1 + i
	}
	return cast(parameter(number), string(d.Type), presenceOf(c.shape, d, p) == Many)
}
