package rewrite

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// totalOperators are PostgreSQL's operators that fail for no values of theirs.
// Arithmetic is not among them: it overflows, and divides by zero.
var totalOperators = map[string]bool{
	"=": true, "<>": true, "!=": true, "<": true, ">": true, "<=": true, ">=": true,
	"@>": true, "<@": true, "&&": true, "->": true, "->>": true, "?": true, "?|": true, "?&": true,
}

// An analysis answers what expressions can do. It remembers its answers about
// subqueries, which are asked for again at every level around them.
type analysis struct {
	types   func() *types // is asked when it is needed first
	columns map[*pgparse.SelectStmt]*columns
	total   map[subLinkTotality]bool
	// columnsIn returns the columns that a FROM item certainly has, and keysOf the unique
	// keys of a table, without the columns of which the guard chooses the values; nil
	// where there is no catalogue.
	columnsIn func(item any) []string
	keysOf    func(*pgparse.RangeVar) [][]string
}

type subLinkTotality struct {
	*pgparse.SubLink
	overCosts bool
}

func newAnalysis(w Rewriter, stmts []statement, shape Shape) *analysis {
	a := &analysis{types: sync.OnceValue(func() *types { return typesOf(stmts) }), columns: make(map[*pgparse.SelectStmt]*columns), total: make(map[subLinkTotality]bool)}
	if w.Catalog == nil {
		return a
	}
	queries := sync.OnceValue(func() map[string]bool { // of WITH, wherever they are visible
		names := make(map[string]bool)
		var add func(any)
		add = func(node any) {
			if cte, ok := node.(*pgparse.CommonTableExpr); ok {
				names[cte.Ctename] = true
			}
			pgparse.Children(node, add)
		}
		for _, s := range stmts {
			add(s.node)
		}
		return names
	})
	table := func(n *pgparse.RangeVar) *policy.Table {
		t := lookup(w.Policy, n)
		if t == nil || t.In != nil || len(n.Alias.GetColnames()) > 0 || n.Schemaname == "" && queries()[n.Relname] {
			return nil
		}
		return t
	}
	a.columnsIn = func(item any) []string {
		switch n := item.(type) {
		case *pgparse.RangeVar:
			if t := table(n); t != nil {
				return columnsOfTable(w.Catalog, t)
			}
		case *pgparse.JoinExpr:
			if n.Alias == nil {
				return slices.Concat(a.columnsIn(pgparse.Unwrap(n.Larg)), a.columnsIn(pgparse.Unwrap(n.Rarg)))
			}
		}
		return nil
	}
	a.keysOf = func(n *pgparse.RangeVar) (keys [][]string) {
		t := table(n)
		if t == nil {
			return nil
		}
		for _, key := range w.Catalog.Keys(t.Schema, t.Name) {
			keys = append(keys, slices.DeleteFunc(slices.Clone(key), func(column string) bool { return isChosen(t, column, shape) }))
		}
		return keys
	}
	return a
}

// isChosen reports whether the rows of t that are visible have one value in a column.
func isChosen(t *policy.Table, column string, shape Shape) bool {
	return slices.ContainsFunc(t.Scopings, func(s policy.Scoping) bool {
		return s.Column == column && s.Path == nil && presenceOf(shape, s.Dimension, toRead) == One && !admitsNull(s, toRead)
	})
}

// isTotal reports whether no row's value can make an expression fail. What is
// not known to be total is partial.
func (a *analysis) isTotal(node any) bool { return totality{analysis: a}.of(node) }

// isTotalCondition is isTotal for a condition, of which the planner estimates how
// many rows satisfy it. For a comparison it computes the side that names no column,
// which so fails before any row is read, or not at all.
func (a *analysis) isTotalCondition(node any) bool {
	switch n := node.(type) {
	case *pgparse.BoolExpr:
		return !slices.ContainsFunc(n.Args, func(arg *pgparse.Node) bool { return !a.isTotalCondition(pgparse.Unwrap(arg)) })
	case *pgparse.A_Expr:
		if !isComparison(n) || a.mixes(n) != bare {
			break
		}
		left, right := pgparse.Unwrap(n.Lexpr), pgparse.Unwrap(n.Rexpr)
		if isEstimated(left) {
			left, right = right, left
		}
		if isEstimated(right) && readsColumn(left) {
			return a.isTotal(left)
		}
	}
	return a.isTotal(node)
}

func isComparison(n *pgparse.A_Expr) bool {
	switch n.Kind {
	case pgparse.A_Expr_Kind_AEXPR_OP:
		switch dotted(n.Name) {
		case "=", "<>", "!=", "<", "<=", ">", ">=":
			return true
		}
	case pgparse.A_Expr_Kind_AEXPR_BETWEEN:
		return true
	}
	return false
}

// isEstimated reports whether the planner computes an expression to estimate what
// is compared with it: it has no parameters, and no functions that are volatile.
func isEstimated(node any) bool {
	switch n := node.(type) {
	case *pgparse.A_Const, *pgparse.SQLValueFunction:
		return true
	case *pgparse.TypeCast:
		return isEstimated(pgparse.Unwrap(n.Arg))
	case *pgparse.A_Expr:
		return n.Kind == pgparse.A_Expr_Kind_AEXPR_OP && (n.Lexpr == nil || isEstimated(pgparse.Unwrap(n.Lexpr))) && isEstimated(pgparse.Unwrap(n.Rexpr))
	case *pgparse.List:
		return !slices.ContainsFunc(n.Items, func(item *pgparse.Node) bool { return !isEstimated(pgparse.Unwrap(item)) })
	case *pgparse.FuncCall:
		return calendar[unqualified(n.Funcname)] &&
			!slices.ContainsFunc(n.Args, func(arg *pgparse.Node) bool { return !isEstimated(pgparse.Unwrap(arg)) })
	}
	return false
}

// A totality decides what is total; it may be told to overlook casts and what names
// no column, which cost something where they fail.
type totality struct {
	*analysis
	overCosts bool
}

func (t totality) of(node any) bool {
	switch n := node.(type) {
	case *pgparse.ColumnRef, *pgparse.ParamRef, *pgparse.A_Const, *pgparse.SetToDefault, *pgparse.SQLValueFunction:
		return true
	case *pgparse.SubLink:
		key := subLinkTotality{n, t.overCosts}
		total, known := t.total[key]
		if !known {
			total = t.ofSubLink(n)
			t.total[key] = total
		}
		return total
	}
	// What names no column is the same for every row, but may be computed only where
	// one comes to it: 1/(SELECT 0).
	if t.overCosts && !readsColumn(node) && !holdsSubLink(node) || isFolded(node) {
		return true
	}
	switch n := node.(type) {
	case *pgparse.BoolExpr, *pgparse.NullTest, *pgparse.BooleanTest, *pgparse.CaseWhen, *pgparse.RowExpr, *pgparse.List,
		*pgparse.A_Indirection, *pgparse.String, *pgparse.A_Star, *pgparse.ResTarget:
	case *pgparse.A_Indices:
		if !isSubscript(n.Lidx) || !isSubscript(n.Uidx) {
			return false
		}
	case *pgparse.A_ArrayExpr:
		if len(n.Elements) > 1 && !isArrayOfConstants(n) {
			return false // its elements may be arrays of different lengths
		}
	case *pgparse.CaseExpr, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr:
		if !t.admits(t.mixes(node)) {
			return false
		}
	case *pgparse.A_Expr:
		if !isTotalOperator(n) || !t.admits(t.mixes(n)) {
			return false
		}
	case *pgparse.TypeCast:
		return t.ofCast(n)
	case *pgparse.FuncCall:
		name := unqualified(n.Funcname)
		isLength := name == "length" && len(n.Args) == 1 // with an encoding it can fail
		if !builtin.Total(name) && !totalAggregates[name] && !isLength || n.Over != nil {
			return false
		}
	default:
		return false
	}
	total := true
	pgparse.Children(node, func(child any) { total = total && t.of(child) })
	return total
}

// isFolded reports whether the planner computes an expression whatever becomes of
// it: it is made of constants.
func isFolded(node any) bool {
	switch n := node.(type) {
	case *pgparse.A_Const:
		return true
	case *pgparse.A_Expr:
		return n.Kind == pgparse.A_Expr_Kind_AEXPR_OP && (n.Lexpr == nil || isFolded(pgparse.Unwrap(n.Lexpr))) && isFolded(pgparse.Unwrap(n.Rexpr))
	}
	return false
}

func isSubscript(n *pgparse.Node) bool {
	return n == nil || n.GetAConst() != nil || n.GetParamRef() != nil
}

func isArrayOfConstants(n *pgparse.A_ArrayExpr) bool {
	return !slices.ContainsFunc(n.Elements, func(element *pgparse.Node) bool {
		if cast := element.GetTypeCast(); cast != nil && len(cast.TypeName.GetArrayBounds()) == 0 {
			element = cast.Arg
		}
		return element.GetAConst() == nil && element.GetParamRef() == nil && (element.GetAArrayExpr() == nil || !isArrayOfConstants(element.GetAArrayExpr()))
	})
}

// ofCast reports whether a cast is total: to text, or of what PostgreSQL reads as a
// value of the type before any row is there.
func (t totality) ofCast(n *pgparse.TypeCast) bool {
	switch arg := pgparse.Unwrap(n.Arg).(type) {
	case *pgparse.A_Const:
		return !isInformationSchema(dotted(n.TypeName.GetNames())) // whose domains have conditions
	case *pgparse.ParamRef:
		if t.types().isGiven(n) {
			return true
		}
	case *pgparse.A_ArrayExpr:
		if isArrayOfConstants(arg) {
			return true
		}
	}
	name := n.TypeName.GetNames()
	isText := len(name) > 0 && name[len(name)-1].GetString_().GetSval() == "text" && len(n.TypeName.ArrayBounds) == 0
	return (isText || t.overCosts) && t.of(pgparse.Unwrap(n.Arg))
}

// mixes returns what is to be feared where the parts of an expression meet.
func (a *analysis) mixes(node any) form {
	switch n := node.(type) {
	case *pgparse.CaseExpr:
		tests := []any{pgparse.Unwrap(n.Arg)}
		for _, when := range n.Args {
			tests = append(tests, pgparse.Unwrap(when.GetCaseWhen().GetExpr()))
		}
		found := a.types().unify(results(n)...)
		if n.Arg != nil {
			found = max(found, a.types().meet(tests...))
		}
		return found
	case *pgparse.CoalesceExpr:
		return a.types().unify(unwrapped(n.Args)...)
	case *pgparse.MinMaxExpr:
		return a.types().unify(unwrapped(n.Args)...)
	case *pgparse.A_Expr:
		return a.mixed(compared(n))
	case *pgparse.SubLink:
		return a.mixed(comparedWithQuery(n))
	}
	return bare
}

func (a *analysis) mixed(groups [][]any) form {
	found := bare
	for _, nodes := range groups {
		found = max(found, a.types().meet(nodes...))
	}
	return found
}

// admits reports whether something is not to be feared: a cast costs something.
func (t totality) admits(f form) bool { return f == bare || f == odd && t.overCosts }

func isTotalOperator(n *pgparse.A_Expr) bool {
	name := ""
	if len(n.Name) == 1 {
		name = n.Name[0].GetString_().GetSval()
	}
	switch n.Kind {
	case pgparse.A_Expr_Kind_AEXPR_OP, pgparse.A_Expr_Kind_AEXPR_OP_ANY, pgparse.A_Expr_Kind_AEXPR_OP_ALL,
		pgparse.A_Expr_Kind_AEXPR_IN, pgparse.A_Expr_Kind_AEXPR_DISTINCT, pgparse.A_Expr_Kind_AEXPR_NOT_DISTINCT,
		pgparse.A_Expr_Kind_AEXPR_NULLIF:
		return totalOperators[name]
	case pgparse.A_Expr_Kind_AEXPR_BETWEEN, pgparse.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pgparse.A_Expr_Kind_AEXPR_BETWEEN_SYM, pgparse.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return true
	case pgparse.A_Expr_Kind_AEXPR_LIKE, pgparse.A_Expr_Kind_AEXPR_ILIKE:
		// A pattern that ends with the escape character fails on the rows that
		// match so far, so a parameter could ask about their values.
		pattern := n.Rexpr.GetAConst().GetSval()
		return pattern != nil && !strings.HasSuffix(pattern.Sval, `\`)
	}
	return false
}

// ofSubLink reports whether a subquery in an expression cannot fail. It runs on the
// rows of its own scope, but may do so because of a row outside it, and not at all
// otherwise. EXISTS and IN may be turned into joins, whose conditions then meet the
// rows around them.
func (t totality) ofSubLink(n *pgparse.SubLink) bool {
	query := n.Subselect.GetSelectStmt()
	switch {
	case n.Testexpr != nil && !t.of(pgparse.Unwrap(n.Testexpr)),
		len(n.OperName) > 0 && !totalOperators[dotted(n.OperName)],
		!t.admits(t.mixes(n)),
		n.SubLinkType == pgparse.SubLinkType_EXPR_SUBLINK && !t.hasOneRow(query):
		return false
	}
	return !t.hasPartial(pgparse.Unwrap(n.Subselect))
}

// totalAggregates fail for no values. Sums and averages overflow.
var totalAggregates = map[string]bool{"count": true, "min": true, "max": true, "bool_and": true, "bool_or": true, "every": true}

// hasOneRow reports whether a scalar subquery cannot fail by returning more rows
// than one.
func (a *analysis) hasOneRow(n *pgparse.SelectStmt) bool {
	if limit := n.GetLimitCount().GetAConst().GetIval(); limit != nil && n.LimitOption == pgparse.LimitOption_LIMIT_OPTION_COUNT {
		return limit.Ival <= 1
	}
	if n == nil || len(n.GroupClause) > 0 || len(n.TargetList) != 1 || n.Op != pgparse.SetOperation_SETOP_NONE {
		return false
	}
	if len(n.FromClause) == 0 || a.readsByKey(n) {
		return true
	}
	call := n.TargetList[0].GetResTarget().GetVal().GetFuncCall()
	return call != nil && call.Over == nil && totalAggregates[dotted(call.Funcname)]
}

// readsByKey reports whether a query reads the row of a table that has the values of
// a unique key.
func (a *analysis) readsByKey(n *pgparse.SelectStmt) bool {
	if a.keysOf == nil || len(n.FromClause) > 1 || n.FromClause[0].GetRangeVar() == nil || n.WhereClause == nil {
		return false
	}
	rv := n.FromClause[0].GetRangeVar()
	conditions := conjuncts(n.WhereClause)
	return slices.ContainsFunc(a.keysOf(rv), func(key []string) bool {
		for _, column := range key {
			if !slices.ContainsFunc(conditions, func(c *pgparse.Node) bool { return a.givesValue(c, refName(rv), column) }) {
				return false
			}
		}
		return true
	})
}

// givesValue reports whether a condition is the equality of a table's column with one
// value.
func (a *analysis) givesValue(condition *pgparse.Node, table, column string) bool {
	isIt := func(n *pgparse.Node) bool {
		return isColumn(n, []string{table, column}) || isColumn(n, []string{column})
	}
	left, right, ok := equation(condition)
	return ok && (isIt(left) && a.isOneValue(pgparse.Unwrap(right), table) || isIt(right) && a.isOneValue(pgparse.Unwrap(left), table))
}

// isOneValue reports whether an expression is equal to one value of a unique key of
// the table: its type does not round those of the key, and it is no column of it.
func (a *analysis) isOneValue(node any, table string) bool {
	switch n := node.(type) {
	case *pgparse.A_Const:
		return true
	case *pgparse.ParamRef:
		return len(a.types().params[n.Number]) == 1
	case *pgparse.TypeCast:
		_, isConst := pgparse.Unwrap(n.Arg).(*pgparse.A_Const)
		return (isConst || a.types().isGiven(n)) && len(n.TypeName.ArrayBounds) == 0 &&
			exactTypes[unqualified(n.TypeName.GetNames())]
	case *pgparse.ColumnRef: // of a row around the query
		return len(n.Fields) == 2 && n.Fields[0].GetString_().GetSval() != table && a.types().of(n) == fixed
	}
	return false
}

// exactTypes are those to which a unique key may be compared without two of its
// values becoming the same.
var exactTypes = setOf("int2 int4 int8 text uuid")

// hasPartial reports whether an expression anywhere in a query is partial.
func (a *analysis) hasPartial(node any) bool {
	switch n := node.(type) {
	case *pgparse.ResTarget:
		return n.Val != nil && !a.isTotal(pgparse.Unwrap(n.Val))
	case *pgparse.SelectStmt:
		if mayBeNegative(n.LimitCount) || mayBeNegative(n.LimitOffset) {
			return true
		}
	case *pgparse.RangeFunction:
		return !a.isUnnest(n)
	case *pgparse.JoinExpr, *pgparse.RangeSubselect, *pgparse.WithClause, *pgparse.CommonTableExpr:
	case *pgparse.RangeVar, *pgparse.LockingClause, *pgparse.Alias:
		return false
	case *pgparse.SortBy:
		return !a.isTotal(pgparse.Unwrap(n.Node))
	default:
		return !a.isTotalCondition(node)
	}
	partial := false
	pgparse.Children(node, func(child any) { partial = partial || a.hasPartial(child) })
	return partial
}

func mayBeNegative(n *pgparse.Node) bool {
	c := n.GetAConst()
	return n != nil && !(c.GetIsnull() || c.GetIval() != nil && c.GetIval().Ival >= 0)
}

// readsColumn reports whether an expression names a column.
func readsColumn(node any) bool {
	_, found := node.(*pgparse.ColumnRef)
	if !found {
		pgparse.Children(node, func(child any) { found = found || readsColumn(child) })
	}
	return found
}

// columns are the columns that an expression names.
type columns struct {
	unqualified bool            // some have no qualifier and are not known to be of a subquery inside it
	qualifiers  map[string]bool // by alias or table name
	declared    map[string]bool // the aliases and tables of subqueries inside it
}

// reachesOut reports whether a name is qualified by something that is not
// declared inside.
func (c *columns) reachesOut() bool {
	for q := range c.qualifiers {
		if !c.declared[q] {
			return true
		}
	}
	return false
}

func (a *analysis) columnsOf(node any) *columns {
	c := &columns{}
	a.collect(node, c, nil)
	return c
}

// collect adds the columns of node to c, but for those that have no qualifier and
// are a subquery's own.
func (a *analysis) collect(node any, c *columns, own []string) {
	switch n := node.(type) {
	case *pgparse.SelectStmt:
		inner, known := a.columns[n]
		if !known {
			inner = &columns{}
			a.collectLevel(n, inner)
			a.columns[n] = inner
		}
		c.add(inner)
		return
	case *pgparse.ColumnRef:
		switch len(n.Fields) {
		case 0, 1:
			c.unqualified = c.unqualified || len(n.Fields) == 0 || !slices.Contains(own, n.Fields[0].GetString_().GetSval())
		default: // table.column or schema.table.column
			c.qualify(n.Fields[len(n.Fields)-2].GetString_().GetSval())
		}
		return
	case *pgparse.RangeVar:
		c.declare(refName(n))
	case *pgparse.Alias:
		c.declare(n.Aliasname)
	}
	pgparse.Children(node, func(child any) { a.collect(child, c, own) })
}

// collectLevel adds the columns of a query to c. A name without a qualifier is a
// column of the query's own tables wherever they have one, and of a query around
// it only where they have none. The items of FROM do not see each other.
func (a *analysis) collectLevel(n *pgparse.SelectStmt, c *columns) {
	var own []string
	from := make(map[any]bool, len(n.FromClause))
	for _, item := range n.FromClause {
		item := pgparse.Unwrap(item)
		from[item] = true
		if a.columnsIn != nil {
			own = append(own, a.columnsIn(item)...)
		}
	}
	pgparse.Children(n, func(child any) {
		if _, ok := child.(*pgparse.WithClause); ok || from[child] {
			a.collect(child, c, nil)
			return
		}
		a.collect(child, c, own)
	})
}

func (c *columns) add(other *columns) {
	c.unqualified = c.unqualified || other.unqualified
	for q := range other.qualifiers {
		c.qualify(q)
	}
	for name := range other.declared {
		c.declare(name)
	}
}

func (c *columns) qualify(name string) {
	if c.qualifiers == nil {
		c.qualifiers = make(map[string]bool)
	}
	c.qualifiers[name] = true
}

func (c *columns) declare(name string) {
	if c.declared == nil {
		c.declared = make(map[string]bool)
	}
	c.declared[name] = true
}

// A danger says which guards an expression may be evaluated before.
type danger uint8

const (
	harmless danger = iota // it is total
	partial                // before a weak guard
	cheap                  // before any guard: the planner may find it no dearer
)

// dangerOf classifies a condition. The planner runs the conditions on a table in
// the order of their cost, and an equality with a parameter, a strong guard, may
// come last among those of equal cost. No function of PostgreSQL costs less
// than the operator of an equality.
func (a *analysis) dangerOf(node any) danger {
	if a.isTotalCondition(node) {
		return harmless
	}
	if holdsSubLink(node) {
		return cheap // it may become a join, and its conditions be evaluated one by one
	}
	cost := a.leastCost(node)
	if (totality{analysis: a, overCosts: true}).of(node) {
		cost++ // it is a cast that fails, and one between types of the same form does not; or computed from no row
	}
	if cost > 1 {
		return partial
	}
	return cheap
}

// becomesJoin reports whether a condition is IN with a query that names nothing of
// the rows around it, which the planner always makes a join.
func (a *analysis) becomesJoin(condition any) bool {
	n, ok := condition.(*pgparse.SubLink)
	if !ok || n.SubLinkType != pgparse.SubLinkType_ANY_SUBLINK || len(n.OperName) > 0 || !a.isTotal(pgparse.Unwrap(n.Testexpr)) {
		return false
	}
	inner := a.columnsOf(pgparse.Unwrap(n.Subselect))
	return !inner.unqualified && !inner.reachesOut()
}

func holdsSubLink(node any) bool {
	_, found := node.(*pgparse.SubLink)
	pgparse.Children(node, func(child any) { found = found || holdsSubLink(child) })
	return found
}

// leastCost returns a lower bound on what evaluating an expression costs, in
// operators, whatever the planner folds or inlines. A cast may cost nothing.
func (a *analysis) leastCost(node any) int {
	if !readsColumn(node) {
		return 0
	}
	sum, least := 0, -1
	pgparse.Children(node, func(child any) {
		if !readsColumn(child) {
			return
		}
		cost := a.leastCost(child)
		sum += cost
		if least < 0 || cost < least {
			least = cost
		}
	})
	switch n := node.(type) {
	case *pgparse.FuncCall:
		if builtin.IsFunction(unqualified(n.Funcname)) {
			sum++
		}
	case *pgparse.A_Expr:
		if mayBeSame(pgparse.Unwrap(n.Lexpr), pgparse.Unwrap(n.Rexpr)) {
			return max(least, 0) // of x = x the planner makes x IS NOT NULL
		}
		if n.Kind != pgparse.A_Expr_Kind_AEXPR_OP || len(n.Name) != 1 || n.Lexpr.GetRowExpr() != nil || n.Rexpr.GetRowExpr() != nil {
			return max(least, 0) // rows are compared column by column
		}
		if name := n.Name[0].GetString_().GetSval(); name != "=" && name != "<>" && name != "!=" || !mayVanish(n) || a.mixes(n) == odd || a.mayWait(n.Lexpr) || a.mayWait(n.Rexpr) {
			sum++
		}
	case *pgparse.BoolExpr, *pgparse.CaseExpr, *pgparse.CaseWhen, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr,
		*pgparse.RowExpr, *pgparse.A_ArrayExpr, *pgparse.List:
		return max(least, 0)
	}
	return sum
}

// mayBeSame reports whether two expressions may be one: a column can be written
// with its table and without, so that their text does not tell.
func mayBeSame(left, right any) bool {
	return left != nil && reflect.TypeOf(left) == reflect.TypeOf(right) && readsColumn(left) && readsColumn(right)
}

// mayWait reports whether an expression that names no column may fail once a row is
// there, and so is no constant by then.
func (a *analysis) mayWait(n *pgparse.Node) bool {
	return n != nil && !readsColumn(pgparse.Unwrap(n)) && !a.isTotal(pgparse.Unwrap(n))
}

// mayVanish reports whether an equality may be one of a boolean with a constant,
// which the planner replaces by the boolean alone.
func mayVanish(n *pgparse.A_Expr) bool {
	left, right := pgparse.Unwrap(n.Lexpr), pgparse.Unwrap(n.Rexpr)
	if readsColumn(left) && readsColumn(right) {
		return false
	}
	for _, side := range []any{left, right} {
		switch side := side.(type) {
		case *pgparse.TypeCast:
			name := side.TypeName.GetNames()
			if len(name) > 0 && name[len(name)-1].GetString_().GetSval() != "bool" && readsColumn(side) {
				return false
			}
		case *pgparse.A_Expr:
			switch side.Name[len(side.Name)-1].GetString_().GetSval() {
			case "+", "-", "*", "/", "%", "^", "||", "->", "->>", "#>", "#>>":
				return false
			}
		}
	}
	return true
}
