package rewrite

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/scoped-pgx/scoped/internal/pgparse"
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
	columns map[*pgparse.SelectStmt]*columns
	total   map[subLinkTotality]bool
	// columnsIn returns the columns that a FROM item certainly has; nil where there is
	// no catalogue.
	columnsIn func(item any) []string
}

type subLinkTotality struct {
	*pgparse.SubLink
	overCasts bool
}

func newAnalysis(w Rewriter, stmts []statement) *analysis {
	a := &analysis{columns: make(map[*pgparse.SelectStmt]*columns), total: make(map[subLinkTotality]bool)}
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
	a.columnsIn = func(item any) []string {
		switch n := item.(type) {
		case *pgparse.RangeVar:
			t := lookup(w.Policy, n)
			if t == nil || t.In != nil || len(n.Alias.GetColnames()) > 0 || n.Schemaname == "" && queries()[n.Relname] {
				return nil
			}
			return columnsOfTable(w.Catalog, t)
		case *pgparse.JoinExpr:
			if n.Alias == nil {
				return slices.Concat(a.columnsIn(pgparse.Unwrap(n.Larg)), a.columnsIn(pgparse.Unwrap(n.Rarg)))
			}
		}
		return nil
	}
	return a
}

// isTotal reports whether no row's value can make an expression fail. What is
// not known to be total is partial.
func (a *analysis) isTotal(node any) bool { return totality{analysis: a}.of(node) }

// A totality decides what is total; it may be told to overlook casts.
type totality struct {
	*analysis
	overCasts bool
}

func (t totality) of(node any) bool {
	switch n := node.(type) {
	case *pgparse.ColumnRef, *pgparse.ParamRef, *pgparse.A_Const, *pgparse.SetToDefault, *pgparse.SQLValueFunction:
		return true
	case *pgparse.SubLink:
		key := subLinkTotality{n, t.overCasts}
		total, known := t.total[key]
		if !known {
			total = t.ofSubLink(n)
			t.total[key] = total
		}
		return total
	}
	if !readsColumn(node) {
		return true // the same for every row
	}
	switch n := node.(type) {
	case *pgparse.BoolExpr, *pgparse.NullTest, *pgparse.BooleanTest, *pgparse.CaseExpr, *pgparse.CaseWhen,
		*pgparse.CoalesceExpr, *pgparse.MinMaxExpr, *pgparse.A_ArrayExpr, *pgparse.RowExpr, *pgparse.List,
		*pgparse.A_Indirection, *pgparse.A_Indices, *pgparse.String, *pgparse.A_Star, *pgparse.ResTarget:
	case *pgparse.A_Expr:
		if !isTotalOperator(n) {
			return false
		}
	case *pgparse.TypeCast:
		name := n.TypeName.GetNames()
		isText := len(name) > 0 && name[len(name)-1].GetString_().GetSval() == "text" && len(n.TypeName.ArrayBounds) == 0
		return (isText || t.overCasts) && t.of(pgparse.Unwrap(n.Arg))
	case *pgparse.FuncCall:
		name := strings.TrimPrefix(dotted(n.Funcname), "pg_catalog.")
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

// ofSubLink reports whether a subquery in an expression cannot fail because
// of a row outside it. EXISTS and IN may be turned into joins, whose conditions
// then meet the rows around them. A scalar subquery that looks at no such row is
// computed once.
func (t totality) ofSubLink(n *pgparse.SubLink) bool {
	inner := t.columnsOf(pgparse.Unwrap(n.Subselect))
	if n.Testexpr != nil && !t.of(pgparse.Unwrap(n.Testexpr)) {
		return false
	}
	if !inner.unqualified && !inner.reachesOut() {
		return true
	}
	switch n.SubLinkType {
	case pgparse.SubLinkType_EXPR_SUBLINK:
		return hasOneRow(n.Subselect.GetSelectStmt()) && !t.hasPartial(pgparse.Unwrap(n.Subselect))
	case pgparse.SubLinkType_EXISTS_SUBLINK, pgparse.SubLinkType_ANY_SUBLINK, pgparse.SubLinkType_ALL_SUBLINK,
		pgparse.SubLinkType_ARRAY_SUBLINK:
		return !t.hasPartial(pgparse.Unwrap(n.Subselect))
	}
	return false
}

// totalAggregates fail for no values. Sums and averages overflow.
var totalAggregates = map[string]bool{"count": true, "min": true, "max": true, "bool_and": true, "bool_or": true, "every": true}

// hasOneRow reports whether a scalar subquery cannot fail by returning more rows
// than one.
func hasOneRow(n *pgparse.SelectStmt) bool {
	if limit := n.GetLimitCount().GetAConst().GetIval(); limit != nil {
		return limit.Ival <= 1
	}
	if n == nil || len(n.GroupClause) > 0 || len(n.TargetList) != 1 || n.Op != pgparse.SetOperation_SETOP_NONE {
		return false
	}
	call := n.TargetList[0].GetResTarget().GetVal().GetFuncCall()
	return call != nil && call.Over == nil && totalAggregates[dotted(call.Funcname)]
}

// hasPartial reports whether an expression anywhere in a query is partial.
func (a *analysis) hasPartial(node any) bool {
	switch n := node.(type) {
	case *pgparse.ResTarget:
		return n.Val != nil && !a.isTotal(pgparse.Unwrap(n.Val))
	case *pgparse.SelectStmt, *pgparse.JoinExpr, *pgparse.RangeSubselect, *pgparse.WithClause, *pgparse.CommonTableExpr:
	case *pgparse.RangeVar, *pgparse.LockingClause, *pgparse.Alias:
		return false
	case *pgparse.SortBy:
		return !a.isTotal(pgparse.Unwrap(n.Node))
	default:
		return !a.isTotal(node)
	}
	partial := false
	pgparse.Children(node, func(child any) { partial = partial || a.hasPartial(child) })
	return partial
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
	if a.isTotal(node) {
		return harmless
	}
	if holdsSubLink(node) {
		return cheap // it may become a join, and its conditions be evaluated one by one
	}
	cost := leastCost(node)
	if (totality{analysis: a, overCasts: true}).of(node) {
		cost++ // it is a cast that fails, and one between types of the same form does not
	}
	if cost > 1 {
		return partial
	}
	return cheap
}

func holdsSubLink(node any) bool {
	_, found := node.(*pgparse.SubLink)
	pgparse.Children(node, func(child any) { found = found || holdsSubLink(child) })
	return found
}

// leastCost returns a lower bound on what evaluating an expression costs, in
// operators, whatever the planner folds or inlines. A cast may cost nothing.
func leastCost(node any) int {
	if !readsColumn(node) {
		return 0
	}
	sum, least := 0, -1
	pgparse.Children(node, func(child any) {
		if !readsColumn(child) {
			return
		}
		cost := leastCost(child)
		sum += cost
		if least < 0 || cost < least {
			least = cost
		}
	})
	switch n := node.(type) {
	case *pgparse.FuncCall:
		if builtin.IsFunction(strings.TrimPrefix(dotted(n.Funcname), "pg_catalog.")) {
			sum++
		}
	case *pgparse.A_Expr:
		if mayBeSame(pgparse.Unwrap(n.Lexpr), pgparse.Unwrap(n.Rexpr)) {
			return max(least, 0) // of x = x the planner makes x IS NOT NULL
		}
		if n.Kind != pgparse.A_Expr_Kind_AEXPR_OP || len(n.Name) != 1 || n.Lexpr.GetRowExpr() != nil || n.Rexpr.GetRowExpr() != nil {
			return max(least, 0) // rows are compared column by column
		}
		if name := n.Name[0].GetString_().GetSval(); name != "=" && name != "<>" && name != "!=" || !mayVanish(n) {
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
