package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// certify proves a rewrite before it is used. It shares nothing with what edits
// the text, but only what reads the policy and the original's names: it parses
// the rewritten text, demands at every reference to a table the guard, fill or
// check that the policy requires there, takes it away, and compares what is left
// with the user's own tree. What it cannot prove is refused, so that a bug in the
// editor costs a refusal and never a leak.
//
// The original trees are changed: they must not be used afterwards.
func certify(r *Rewrite, s *source, original []statement, p *policy.Policy, catalog Catalog, shape Shape) error {
	c := &certifier{
		policy: p, catalog: catalog, shape: shape, args: r.Args,
		userText: strings.ToLower(s.text), fresh: make(map[string]bool),
		hasSchemas: p.HasSchemas(), named: make(map[bool]map[string]bool),
	}
	if !slices.ContainsFunc(original, statement.holdsRows) {
		if r.SQL == s.text {
			return nil
		}
		c.fail("statements without rows were changed")
	}
	stmts, err := pgparse.Parse(r.SQL)
	switch {
	case err != nil:
		c.fail("it does not parse: %v", err)
	case len(stmts) != len(original):
		c.fail("it holds %d statements", len(stmts))
	default:
		functions := make([]map[string]map[string]bool, len(original))
		inserts := make([]map[string]*pgparse.InsertStmt, len(original))
		for i, s := range original {
			if s.holdsRows() {
				functions[i], inserts[i] = fields(s.node), insertsOf(s.node)
				c.functions = functions[i]
				c.demandColumns(s.node)
				c.walk(s.node, nil)
			}
		}
		if c.params != r.Params {
			c.fail("the user's parameters are %d, not %d", c.params, r.Params)
		}
		c.rewritten = true
		if c.hasSchemas {
			at := r.places()
			for _, s := range stmts {
				c.demandMarks(pgparse.Unwrap(s.Stmt), at)
			}
		}
		for i, s := range original {
			rewritten := pgparse.Unwrap(stmts[i].Stmt)
			if s.holdsRows() {
				c.functions, c.inserts = functions[i], inserts[i]
				c.walk(rewritten, nil)
			}
			if c.reason == "" && !pgparse.Equal(s.node, rewritten) {
				c.fail("without its guards it is not the statement that was given")
			}
			if s.holdsRows() {
				c.demandVisited(rewritten)
			}
			for ref := range c.unproven {
				c.fail("table %s lacks its guard", ref.table.Name)
			}
		}
		c.demandNamed(r.named)
	}
	if c.reason == "" {
		return nil
	}
	return &Error{
		Code:    CodeCertificate,
		Message: "the rewrite of this statement could not be proven: " + c.reason,
		Hint:    "nothing was sent; please report the statement as a bug of scoped",
	}
}

// A certifier walks the original tree, to write it as the rewrite must be once
// its additions are gone, and then the rewritten tree, to take them away.
type certifier struct {
	policy    *policy.Policy
	catalog   Catalog // may be nil
	shape     Shape
	args      []Arg
	userText  string // in lower case
	fresh     map[string]bool
	params    int     // the highest parameter of the original
	rewritten bool    // which of the two is walked
	nested    bool    // inside a WITH query
	levels    []level // the FROM lists around what is walked
	reason    string
	functions map[string]map[string]bool     // the fields of the functions in FROM
	inserts   map[string]*pgparse.InsertStmt // of the WITH clause, by the names of their queries
	names     []string                       // of the WITH queries that a check sees
	visited   map[any]bool                   // the tables and functions of the rewrite that were judged

	hasSchemas bool                     // the values of a dimension choose schemas
	named      map[bool]map[string]bool // the schemas of values that the original and, under true, the rewrite name

	// unproven are the scopings for which references lack their guard, until a
	// condition is found that implies it.
	unproven map[*guardedRef][]policy.Scoping
}

func (c *certifier) fail(format string, args ...any) {
	if c.reason == "" {
		c.reason = fmt.Sprintf(format, args...)
	}
}

// walk visits a node and all below it. Only the kinds that can hold a table
// reference, directly, are treated; the generated Children knows all others.
func (c *certifier) walk(node any, scope []string) {
	switch n := node.(type) {
	case *pgparse.SelectStmt:
		c.selectStmt(n, scope)
		return
	case *pgparse.InsertStmt:
		c.insert(n, c.with(n.WithClause, scope))
		return
	case *pgparse.UpdateStmt:
		c.update(n, c.with(n.WithClause, scope))
		return
	case *pgparse.DeleteStmt:
		c.delete(n, c.with(n.WithClause, scope))
		return
	case *pgparse.MergeStmt:
		c.merge(n, scope)
		return
	case *pgparse.IntoClause, *pgparse.CurrentOfExpr:
		c.fail("it holds a %T", n)
		return
	case *pgparse.RangeVar:
		c.fail("table %s stands where none is expected", n.Relname)
		return
	case *pgparse.A_Indirection:
		if name := attribute(c.policy, c.catalog, c.functions, n); name != "" {
			c.fail("%s behind a dot may be a function", name)
		}
	case *pgparse.ColumnRef:
		if name := attribute(c.policy, c.catalog, c.functions, n); name != "" {
			c.fail("%s behind a dot may be a function", name)
		}
		if table, ok := systemColumn(c.levels); isSystemColumn(n) && !c.rewritten {
			if !ok {
				c.fail("it cannot be told which table a system column belongs to")
			} else if table != "" {
				n.Fields = append(stringNodes(unquoted(table)), n.Fields...)
			}
		}
	case *pgparse.ParamRef:
		if !c.rewritten {
			c.params = max(c.params, int(n.Number))
		} else if int(n.Number) > c.params {
			c.fail("parameter $%d stands outside a guard", n.Number)
		}
	case *pgparse.FuncCall:
		c.visit(n)
		if why, _ := refusedFunction(c.policy, n); why != "" {
			c.fail("%s", why)
			return
		}
		c.function(n)
	case *pgparse.TypeName:
		if c.hasSchemas {
			n.Names = c.qualified(n.Names, tenantType(c.policy, n))
		}
	case *pgparse.TypeCast:
		if c.hasSchemas && isRegclass(n) {
			c.relationConstant(n.Arg)
		}
	}
	if name := operatorInSchemas(c.policy, node); name != "" {
		c.fail("%s lies in a schema of a value", name)
	}
	if !pgparse.Children(node, func(child any) { c.walk(child, scope) }) {
		c.fail("it holds a %T, which is not known", node)
	}
}

// holdsRows reports whether a statement reads or writes rows. One that does not
// has no place for a table.
func (s statement) holdsRows() bool {
	switch s.node.(type) {
	case *pgparse.TransactionStmt, *pgparse.DeallocateStmt, *pgparse.DiscardStmt, *pgparse.ConstraintsSetStmt,
		*pgparse.VariableSetStmt, *pgparse.VariableShowStmt, *pgparse.FetchStmt, *pgparse.ClosePortalStmt:
		return false
	}
	return true
}

func (c *certifier) visit(node any) {
	if c.rewritten {
		if c.visited == nil {
			c.visited = make(map[any]bool)
		}
		c.visited[node] = true
	}
}

// demandVisited is the last line: whatever way the walk took, no table and no
// function may be left in the tree that it did not come by.
func (c *certifier) demandVisited(node any) {
	switch n := node.(type) {
	case *pgparse.RangeVar:
		if !c.visited[n] {
			c.fail("table %s was overlooked", n.Relname)
		}
	case *pgparse.FuncCall:
		if !c.visited[n] {
			c.fail("function %s was overlooked", dotted(n.Funcname))
		}
	case *pgparse.LockingClause: // aliases
		return
	}
	pgparse.Children(node, c.demandVisited)
}

func (c *certifier) walkList(list []*pgparse.Node, scope []string) {
	for _, n := range list {
		c.walkNode(n, scope)
	}
}

func (c *certifier) walkNode(n *pgparse.Node, scope []string) {
	if n := pgparse.Unwrap(n); n != nil {
		c.walk(n, scope)
	}
}

// with walks the queries of a WITH clause and returns the names that are visible
// behind it.
func (c *certifier) with(w *pgparse.WithClause, scope []string) []string {
	if w == nil {
		return scope
	}
	scope = scope[:len(scope):len(scope)]
	own := make([]string, len(w.Ctes))
	for i, n := range w.Ctes {
		cte := n.GetCommonTableExpr()
		own[i] = cte.GetCtename()
		if cte.Ctematerialized == pgparse.CTEMaterialize_CTEMaterializeDefault {
			cte.Ctematerialized = pgparse.CTEMaterialize_CTEMaterializeAlways // a fence too
		}
	}
	nested := c.nested
	c.nested = true
	for i, n := range w.Ctes {
		seen := append(scope[:len(scope):len(scope)], own[:i]...)
		if w.Recursive {
			seen = append(scope[:len(scope):len(scope)], own...)
		}
		c.walkNode(n, seen)
	}
	c.nested = nested
	return append(scope, own...)
}

func isVisible(scope []string, name string) bool {
	for _, s := range scope {
		if s == name {
			return true
		}
	}
	return false
}

func (c *certifier) selectStmt(n *pgparse.SelectStmt, scope []string) {
	scope = c.with(n.WithClause, scope)
	defer c.enter(n.FromClause, nil, scope)()
	tables := c.fromList(n.FromClause, scope)
	n.WhereClause = c.ungated(n.WhereClause, tables)
	c.imply(n.WhereClause, tables, tables)
	if pgparse.Equal(n.LimitOffset, integer(0)) {
		n.LimitOffset = nil // a fence, which changes no row
		if n.LimitCount == nil {
			n.LimitOption = pgparse.LimitOption_LIMIT_OPTION_DEFAULT
		}
	}
	from := make(map[any]bool, len(n.FromClause))
	for _, item := range n.FromClause {
		from[pgparse.Unwrap(item)] = true
	}
	pgparse.Children(n, func(child any) {
		switch child.(type) {
		case *pgparse.WithClause:
		case *pgparse.LockingClause: // aliases
		default:
			if !from[child] {
				c.walk(child, scope)
			}
		}
	})
}

// enter begins a FROM list of the original, and returns what ends it.
func (c *certifier) enter(from []*pgparse.Node, target *pgparse.RangeVar, scope []string) (leave func()) {
	c.levels = append(c.levels, levelOf(from, target, func(rv *pgparse.RangeVar) bool {
		return rv.Schemaname == "" && isVisible(scope, rv.Relname)
	}))
	return func() { c.levels = c.levels[:len(c.levels)-1] }
}

// unquoted returns the name that QuoteIdentifier spelled.
func unquoted(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// A guardedRef is a reference to a table as far as gates may name it.
type guardedRef struct {
	table    *policy.Table
	name     string
	nullable bool
	target   bool
}

func (c *certifier) fromList(list []*pgparse.Node, scope []string) []*guardedRef {
	var all []*guardedRef
	for i := range list {
		item, tables := c.fromItem(list[i], scope)
		list[i] = item
		all = append(all, tables...)
	}
	return all
}

// fromItem visits an item of a FROM list or a side of a join and returns it
// without its guard, and the tables in it.
func (c *certifier) fromItem(item *pgparse.Node, scope []string) (*pgparse.Node, []*guardedRef) {
	switch n := pgparse.Unwrap(item).(type) {
	case *pgparse.RangeVar:
		return item, c.read(n, scope, nil)
	case *pgparse.RangeTableSample:
		return item, c.sampled(n, scope, nil)
	case *pgparse.JoinExpr:
		if guard := c.joinedGuard(n); guard != nil {
			if rv := n.Larg.GetRangeVar(); rv != nil {
				c.demandBarrier(rv, false)
				return n.Larg, c.read(rv, scope, guard)
			}
			if sample := n.Larg.GetRangeTableSample(); sample != nil {
				c.demandBarrier(sample.Relation.GetRangeVar(), false)
				return n.Larg, c.sampled(sample, scope, guard)
			}
			c.fail("a guard is joined to something that is no table")
			return n.Larg, nil
		}
		return item, c.join(n, scope)
	case *pgparse.RangeSubselect:
		if table, guard := c.enclosedGuard(n, scope); guard != nil {
			return table, c.enclosed(n, table, scope, guard)
		}
		c.walk(n, scope)
	default:
		c.walk(n, scope)
	}
	return item, nil
}

// join visits a join of the user's own.
func (c *certifier) join(n *pgparse.JoinExpr, scope []string) []*guardedRef {
	var left, right []*guardedRef
	n.Larg, left = c.fromItem(n.Larg, scope)
	n.Rarg, right = c.fromItem(n.Rarg, scope)
	tables := append(left[:len(left):len(left)], right...)
	n.Quals = c.ungated(n.Quals, tables)
	c.walkNode(n.Quals, scope)
	switch n.Jointype {
	case pgparse.JoinType_JOIN_INNER:
		c.imply(n.Quals, tables, tables)
	case pgparse.JoinType_JOIN_LEFT:
		c.imply(n.Quals, right, tables)
	case pgparse.JoinType_JOIN_RIGHT:
		c.imply(n.Quals, left, tables)
	}
	if n.Alias != nil {
		return nil // their names are hidden
	}
	for _, t := range left {
		t.nullable = t.nullable || n.Jointype == pgparse.JoinType_JOIN_RIGHT || n.Jointype == pgparse.JoinType_JOIN_FULL
	}
	for _, t := range right {
		t.nullable = t.nullable || n.Jointype == pgparse.JoinType_JOIN_LEFT || n.Jointype == pgparse.JoinType_JOIN_FULL
	}
	return tables
}

// enclosed gives a table back the alias that its guard's subquery took.
func (c *certifier) enclosed(n *pgparse.RangeSubselect, table *pgparse.Node, scope []string, guard *pgparse.Node) []*guardedRef {
	rv := table.GetRangeVar()
	if sample := table.GetRangeTableSample(); sample != nil {
		rv = sample.Relation.GetRangeVar()
		c.walkList(sample.Args, scope)
		c.walkNode(sample.Repeatable, scope)
	}
	c.demandBarrier(rv, n.Subquery.GetSelectStmt().LimitOffset != nil)
	tables := c.read(rv, scope, guard)
	if refName(rv) != n.Alias.Aliasname || rv.Alias != nil && len(rv.Alias.Colnames) > 0 {
		c.fail("a guard's subquery has another alias than its table")
	}
	if rv.Alias != nil || len(n.Alias.Colnames) > 0 {
		rv.Alias = n.Alias
	}
	if len(n.Alias.Colnames) > 0 {
		return nil // no gate can name their columns
	}
	return tables
}

// demandBarrier requires a fence where the policy demands one.
func (c *certifier) demandBarrier(rv *pgparse.RangeVar, fenced bool) {
	if t := lookup(c.policy, rv); t != nil && t.Barrier && !fenced {
		c.fail("table %s lacks its barrier", t.Name)
	}
}

// ungated takes the gates out of a condition: CASE WHEN guard THEN (condition) END,
// where the guards are those of tables whose rows all satisfy them, so that the
// gate is open for every row of the scope.
func (c *certifier) ungated(condition *pgparse.Node, tables []*guardedRef) *pgparse.Node {
	if !c.rewritten || condition == nil {
		return condition
	}
	and := condition.GetBoolExpr()
	if and == nil || and.Boolop != pgparse.BoolExprType_AND_EXPR {
		return c.ungatedOne(condition, tables)
	}
	for i, arg := range and.Args {
		and.Args[i] = c.ungatedOne(arg, tables)
	}
	return condition
}

func (c *certifier) ungatedOne(condition *pgparse.Node, tables []*guardedRef) *pgparse.Node {
	gate, result := c.caseOf(condition, nil)
	if gate == nil {
		return condition
	}
	rest := conjuncts(gate)
next:
	for len(rest) > 0 {
		for _, t := range tables {
			purpose := toRead
			if t.target {
				purpose = toChange
			}
			all := c.visible(t.table, t.name, purpose)
			if n := len(all); n > 0 && n <= len(rest) && !t.nullable && c.isConjunction(rest[:n], all) {
				rest = rest[n:]
				continue next
			}
		}
		return condition
	}
	return result
}

func (c *certifier) sampled(n *pgparse.RangeTableSample, scope []string, guard *pgparse.Node) []*guardedRef {
	c.walkList(n.Args, scope)
	c.walkNode(n.Repeatable, scope)
	return c.read(n.Relation.GetRangeVar(), scope, guard)
}

// joinedGuard returns the condition of table JOIN (SELECT) AS scoped_1 ON guard.
func (c *certifier) joinedGuard(n *pgparse.JoinExpr) *pgparse.Node {
	sub := n.Rarg.GetRangeSubselect()
	if !c.rewritten || n.Jointype != pgparse.JoinType_JOIN_INNER || n.IsNatural || n.Alias != nil ||
		len(n.UsingClause) > 0 || n.JoinUsingAlias != nil || sub == nil || sub.Lateral || !c.isFresh(sub.Alias) {
		return nil
	}
	if !pgparse.Equal(sub.Subquery, selectNode(emptySelect())) {
		return nil
	}
	return n.Quals
}

// enclosedGuard returns the table and condition of
// (SELECT * FROM table AS p WHERE guard [OFFSET 0]) AS p[(a, b)].
func (c *certifier) enclosedGuard(n *pgparse.RangeSubselect, scope []string) (table, guard *pgparse.Node) {
	s := n.Subquery.GetSelectStmt()
	if !c.rewritten || n.Lateral || n.Alias == nil || s == nil || len(s.FromClause) != 1 || s.WhereClause == nil {
		return nil, nil
	}
	rv := s.FromClause[0].GetRangeVar()
	if sample := s.FromClause[0].GetRangeTableSample(); sample != nil {
		rv = sample.Relation.GetRangeVar()
	}
	if rv == nil || rv.Schemaname == "" {
		return nil, nil
	}
	if t := c.policy.Table(rv.Schemaname, rv.Relname); t == nil || len(c.visible(t, "", toRead)) == 0 && !c.lacksScope(t) {
		return nil, nil
	}
	want := emptySelect()
	want.TargetList = []*pgparse.Node{resTarget(star())}
	want.FromClause = s.FromClause
	want.WhereClause = s.WhereClause
	if s.LimitOffset != nil {
		want.LimitOffset = integer(0)
		want.LimitOption = s.LimitOption
	}
	if !pgparse.Equal(s, want) {
		return nil, nil
	}
	return s.FromClause[0], s.WhereClause
}

// read demands that a table from which rows are read is a visible WITH
// query, shared, or guarded, and that it is named in full.
func (c *certifier) read(rv *pgparse.RangeVar, scope []string, guard *pgparse.Node) []*guardedRef {
	if rv == nil {
		c.fail("a table sample without a table")
		return nil
	}
	if rv.Schemaname == "" && rv.Catalogname == "" && isVisible(scope, rv.Relname) {
		c.visit(rv)
		if guard != nil {
			c.fail("a guard on the WITH query %s", rv.Relname)
		}
		return nil
	}
	t := c.table(rv)
	if t == nil {
		return nil
	}
	if !lacksSchema(c.shape, t) { // else its guard must be false
		c.choose(t.In)
	}
	ref := &guardedRef{table: t, name: refName(rv)}
	if c.rewritten {
		implied := c.demand(t, ref.name, guard)
		if len(implied) > 0 && len(rv.Alias.GetColnames()) > 0 {
			c.fail("table %s lacks its guard", t.Name) // its columns have other names
		}
		if len(implied) > 0 {
			if c.unproven == nil {
				c.unproven = make(map[*guardedRef][]policy.Scoping)
			}
			c.unproven[ref] = implied
		}
	}
	return []*guardedRef{ref}
}

// table resolves a table reference. In the original it writes the name out in
// full; in the rewrite it demands that this was done.
func (c *certifier) table(rv *pgparse.RangeVar) *policy.Table {
	c.visit(rv)
	t := lookup(c.policy, rv)
	if t == nil || t.Access == policy.Denied {
		c.fail("table %s is not one that the policy admits", rv.Relname)
		return nil
	}
	rv.Schemaname = c.schema(rv.Schemaname)
	if !c.rewritten {
		rv.Schemaname = t.Schema
	}
	if rv.Schemaname != t.Schema || rv.Relname != t.Name || rv.Catalogname != "" {
		c.fail("table %s is not named in full", rv.Relname)
	}
	return t
}

func refName(rv *pgparse.RangeVar) string {
	if rv.Alias != nil {
		return rv.Alias.Aliasname
	}
	return rv.Relname
}

// isFresh reports whether an alias was inserted: the user's text does not hold
// it, not even without its number, which is looked for once.
func (c *certifier) isFresh(a *pgparse.Alias) bool {
	if a == nil || len(a.Colnames) > 0 || !strings.HasPrefix(a.Aliasname, "scoped") {
		return false
	}
	prefix := strings.TrimRight(a.Aliasname, "0123456789")
	fresh, ok := c.fresh[prefix]
	if !ok {
		fresh = !strings.Contains(c.userText, prefix)
		c.fresh[prefix] = fresh
	}
	return fresh
}
