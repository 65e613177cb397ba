package rewrite

import (
	"fmt"
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// With a catalogue it is known which columns a table has. PostgreSQL takes p.f,
// where the table p has no column f, for the call f(p), which goes round the list
// of functions. What p refers to is looked up here as PostgreSQL does it, in the
// FROM lists around the reference.

// A namespaceItem is something in FROM that a name before a dot may refer to.
type namespaceItem struct {
	name          string
	schema, table string // of a table without an alias, which may be named in full

	// columns of a table that the catalogue knows; of anything else those names
	// that the text shows, which may not be all.
	columns  []string
	known    bool // columns is all there is
	function bool // it is a function in FROM, whose row may be a plain value
	scalar   bool // it is one, and PostgreSQL's own, so that columns is all there is

	lateralOnly bool
}

// A namespace is what one FROM list makes visible.
type namespace struct {
	items   []*namespaceItem
	lateral bool // the items that are visible to LATERAL only are so now
	outer   *namespace
}

// find returns the item that a name refers to, or nil.
func (n *namespace) find(schema, name string) *namespaceItem {
	for ; n != nil; n = n.outer {
		for _, i := range n.items {
			switch {
			case i.lateralOnly && !n.lateral:
			case schema == "" && i.name == name, schema != "" && i.schema == schema && i.table == name:
				return i
			}
		}
	}
	return nil
}

// A namedQuery is a WITH query that is visible, with the columns that its text shows.
type namedQuery struct {
	name    string
	columns []string
	outer   *namedQuery
}

// A caller looks for calls of functions in the form of columns.
type caller struct {
	policy  *policy.Policy
	catalog Catalog
	refuse  func(e Error, location int32)
}

// refuseCalls refuses references to columns that may call functions which are not
// known to stay inside the scope.
func (r *rewriter) refuseCalls(stmt any) {
	if r.catalog != nil {
		caller{r.policy, r.catalog, r.refuse}.walk(stmt, nil, nil)
	}
}

// demandColumns does the same for the certificate.
func (c *certifier) demandColumns(stmt any) {
	if c.catalog != nil {
		caller{c.policy, c.catalog, func(e Error, _ int32) { c.fail("%s", e.Message) }}.walk(stmt, nil, nil)
	}
}

func (c caller) walk(node any, n *namespace, queries *namedQuery) {
	switch s := node.(type) {
	case *pgparse.ColumnRef:
		c.column(s, n)
	case *pgparse.SelectStmt:
		c.selectStmt(s, n, queries)
	case *pgparse.InsertStmt:
		queries = c.with(s.WithClause, n, queries)
		c.walkNode(s.SelectStmt, &namespace{outer: n}, queries)
		target := c.table(s.Relation, nil)
		excluded := *target
		excluded.name, excluded.schema, excluded.table = "excluded", "", ""
		inner := &namespace{items: []*namespaceItem{target, &excluded}, outer: n}
		c.walkAllNodes(s.Cols, inner, queries)
		if s.OnConflictClause != nil {
			c.walk(s.OnConflictClause, inner, queries)
		}
		c.returning(s, inner, queries)
	case *pgparse.UpdateStmt:
		queries = c.with(s.WithClause, n, queries)
		inner := c.target(s.Relation, s.FromClause, n, queries)
		c.walkAllNodes(s.TargetList, inner, queries)
		c.walkNode(s.WhereClause, inner, queries)
		c.returning(s, inner, queries)
	case *pgparse.DeleteStmt:
		queries = c.with(s.WithClause, n, queries)
		inner := c.target(s.Relation, s.UsingClause, n, queries)
		c.walkNode(s.WhereClause, inner, queries)
		c.returning(s, inner, queries)
	case *pgparse.MergeStmt:
		queries = c.with(s.WithClause, n, queries)
		inner := c.target(s.Relation, []*pgparse.Node{s.SourceRelation}, n, queries)
		c.walkNode(s.JoinCondition, inner, queries)
		c.walkAllNodes(s.MergeWhenClauses, inner, queries)
		c.returning(s, inner, queries)
	default:
		pgparse.Children(node, func(child any) { c.walk(child, n, queries) })
	}
}

func (c caller) walkNode(node *pgparse.Node, n *namespace, queries *namedQuery) {
	if node := pgparse.Unwrap(node); node != nil {
		c.walk(node, n, queries)
	}
}

func (c caller) walkAllNodes(list []*pgparse.Node, n *namespace, queries *namedQuery) {
	for _, node := range list {
		c.walkNode(node, n, queries)
	}
}

// returning walks what stands behind RETURNING, where, from PostgreSQL 18 on, the
// target's row goes by two more names, unless something else has them. The target
// is the first item of n.
func (c caller) returning(stmt any, n *namespace, queries *namedQuery) {
	inner := &namespace{outer: n}
	before, after := pgparse.ReturningNames(stmt)
	for _, name := range []string{before, after} {
		if n.find("", name) == nil {
			row := *n.items[0]
			row.name, row.schema, row.table = name, "", ""
			inner.items = append(inner.items, &row)
		}
	}
	c.walkAllNodes(pgparse.Returning(stmt), inner, queries)
}

// with walks WITH queries and makes them visible.
func (c caller) with(w *pgparse.WithClause, n *namespace, queries *namedQuery) *namedQuery {
	if w == nil {
		return queries
	}
	add := func(node *pgparse.Node) {
		cte := node.GetCommonTableExpr()
		queries = &namedQuery{name: cte.GetCtename(), outer: queries,
			columns: append(namesIn(cte.GetAliascolnames()), shownColumns(pgparse.Unwrap(cte.GetCtequery()))...)}
	}
	if w.Recursive {
		for _, node := range w.Ctes {
			add(node)
		}
	}
	for _, node := range w.Ctes {
		c.walkNode(node, n, queries)
		if !w.Recursive {
			add(node)
		}
	}
	return queries
}

func (c caller) selectStmt(s *pgparse.SelectStmt, outer *namespace, queries *namedQuery) {
	queries = c.with(s.WithClause, outer, queries)
	n := &namespace{outer: outer}
	c.from(s.FromClause, n, queries)
	inFrom := make(map[any]bool, len(s.FromClause))
	for _, item := range s.FromClause {
		inFrom[pgparse.Unwrap(item)] = true
	}
	pgparse.Children(s, func(child any) {
		switch child.(type) {
		case *pgparse.WithClause, *pgparse.LockingClause:
		default:
			if !inFrom[child] {
				c.walk(child, n, queries)
			}
		}
	})
}

// target returns what the clauses of an UPDATE, DELETE or MERGE see.
func (c caller) target(rv *pgparse.RangeVar, from []*pgparse.Node, outer *namespace, queries *namedQuery) *namespace {
	target := c.table(rv, nil)
	target.lateralOnly = true // a subquery in FROM does not see it
	n := &namespace{items: []*namespaceItem{target}, outer: outer}
	c.from(from, n, queries)
	return n
}

// from walks a FROM list and adds its items to n. Each is visible to those behind
// it where these are LATERAL.
func (c caller) from(list []*pgparse.Node, n *namespace, queries *namedQuery) {
	for _, node := range list {
		items := c.fromItem(pgparse.Unwrap(node), n, queries)
		setLateralOnly(items, true)
		n.items = append(n.items, items...)
	}
	setLateralOnly(n.items, false)
}

func setLateralOnly(items []*namespaceItem, lateralOnly bool) {
	for _, i := range items {
		i.lateralOnly = lateralOnly
	}
}

func (c caller) fromItem(node any, n *namespace, queries *namedQuery) []*namespaceItem {
	switch f := node.(type) {
	case *pgparse.RangeVar:
		return []*namespaceItem{c.table(f, queries)}
	case *pgparse.RangeTableSample:
		c.walkAllNodes(f.Args, n, queries)
		c.walkNode(f.Repeatable, n, queries)
		return []*namespaceItem{c.table(f.Relation.GetRangeVar(), queries)}
	case *pgparse.RangeSubselect:
		n.lateral = f.Lateral
		c.walkNode(f.Subquery, n, queries)
		n.lateral = false
		return []*namespaceItem{{
			name:    f.Alias.GetAliasname(),
			columns: append(namesIn(f.Alias.GetColnames()), shownColumns(pgparse.Unwrap(f.Subquery))...),
		}}
	case *pgparse.JoinExpr:
		return c.join(f, n, queries)
	}
	// A function, XMLTABLE and whatever else may look at what stands before it.
	n.lateral = true
	c.walk(node, n, queries)
	n.lateral = false
	if f, ok := node.(*pgparse.RangeFunction); ok {
		name, fields := fieldsOf(f)
		item := &namespaceItem{name: name, columns: namesIn(f.Alias.GetColnames()), function: true, scalar: fields != nil}
		for field := range fields {
			item.columns = append(item.columns, field)
		}
		for _, d := range f.Coldeflist {
			item.columns = append(item.columns, d.GetColumnDef().GetColname())
		}
		return []*namespaceItem{item}
	}
	if f, ok := node.(interface{ GetAlias() *pgparse.Alias }); ok {
		return []*namespaceItem{{name: f.GetAlias().GetAliasname(), columns: namesIn(f.GetAlias().GetColnames())}}
	}
	return nil
}

func (c caller) join(f *pgparse.JoinExpr, n *namespace, queries *namedQuery) []*namespaceItem {
	before := n.items
	left := c.fromItem(pgparse.Unwrap(f.Larg), n, queries)
	setLateralOnly(left, true)
	n.items = append(before[:len(before):len(before)], left...)
	right := c.fromItem(pgparse.Unwrap(f.Rarg), n, queries)

	both := append(left[:len(left):len(left)], right...)
	if f.JoinUsingAlias != nil {
		both = append(both, &namespaceItem{name: f.JoinUsingAlias.Aliasname, columns: namesIn(f.UsingClause)})
	}
	setLateralOnly(both, false)
	n.items = both // ON sees nothing else of this FROM list
	c.walkNode(f.Quals, n, queries)
	n.items = before
	if f.Alias == nil {
		return both
	}
	joined := &namespaceItem{name: f.Alias.Aliasname, columns: namesIn(f.Alias.Colnames)}
	for _, i := range both {
		joined.columns = append(joined.columns, i.columns...)
	}
	return []*namespaceItem{joined}
}

// table returns the item of a table or WITH query.
func (c caller) table(rv *pgparse.RangeVar, queries *namedQuery) *namespaceItem {
	item := &namespaceItem{name: refName(rv)}
	renamed := namesIn(rv.GetAlias().GetColnames())
	if rv.Schemaname == "" && rv.Catalogname == "" {
		for q := queries; q != nil; q = q.outer {
			if q.name == rv.Relname {
				item.columns = append(renamed, q.columns...)
				return item
			}
		}
	}
	t := lookup(c.policy, rv)
	if t == nil {
		return item // and refused as such
	}
	if rv.Alias == nil {
		item.schema, item.table = t.Schema, t.Name
	}
	columns, ok := c.catalog.Columns(t.Schema, t.Name)
	if item.known = ok; ok {
		columns = columns[min(len(renamed), len(columns)):]
	}
	item.columns = append(renamed, columns...)
	return item
}

// column refuses a reference that may be the call of a function.
func (c caller) column(ref *pgparse.ColumnRef, n *namespace) {
	fields := ref.Fields
	if len(fields) < 2 || len(fields) > 3 {
		return
	}
	last := fields[len(fields)-1].GetString_()
	if last == nil || fieldAllowed(c.policy, last.Sval) {
		return
	}
	schema, name := "", fields[len(fields)-2].GetString_().GetSval()
	if len(fields) == 3 {
		schema = fields[0].GetString_().GetSval()
		if d := c.policy.TenantSchema(schema); d != nil {
			schema = d.Schemas.Template
		}
	}
	item := n.find(schema, name)
	if item == nil || slices.Contains(item.columns, last.Sval) || item.known && systemColumns[last.Sval] {
		return
	}
	isCall := c.catalog.CallsFunction(last.Sval, !item.function)
	if item.function {
		isOwn := builtin.IsFunction(last.Sval)
		isCall = isCall || isOwn || item.scalar && !c.catalog.IsField(last.Sval)
	}
	switch {
	case item.known:
		c.refuse(Error{
			Code:    CodeFunction,
			Message: fmt.Sprintf("%s.%s is not a column in the catalogue, and may be the call of a function that is not known to stay inside the scope", name, last.Sval),
			Hint: "correct the name; if it is a function that reads no scoped table, list it in the policy under functions: {allow: […]}; " +
				"if the column is new, take another snapshot of the catalogue",
		}, ref.Location)
	case isCall:
		c.refuse(Error{
			Code:    CodeFunction,
			Message: fmt.Sprintf("%s.%s may be the call of a function that is not known to stay inside the scope", name, last.Sval),
			Hint:    "give the column another name, or, if the function reads no scoped table, list it in the policy under functions: {allow: […]}",
		}, ref.Location)
	}
}

// namesIn returns the names in a list.
func namesIn(list []*pgparse.Node) []string {
	names := make([]string, 0, len(list))
	for _, n := range list {
		names = append(names, n.GetString_().GetSval())
	}
	return names
}

// shownColumns returns the names of a query's columns as far as its own text
// shows them: not those behind a star.
func shownColumns(query any) []string {
	var list []*pgparse.Node
	switch q := query.(type) {
	case *pgparse.SelectStmt:
		for q.Op != pgparse.SetOperation_SETOP_NONE {
			q = q.Larg
		}
		list = q.TargetList
	case *pgparse.InsertStmt:
		list = pgparse.Returning(q)
	case *pgparse.UpdateStmt:
		list = pgparse.Returning(q)
	case *pgparse.DeleteStmt:
		list = pgparse.Returning(q)
	}
	var names []string
	for _, n := range list {
		if name := shownName(n.GetResTarget()); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// shownName returns the name that PostgreSQL gives a column of a query's, or
// nothing where the text does not show it.
func shownName(t *pgparse.ResTarget) string {
	if t.GetName() != "" {
		return t.Name
	}
	for n := t.GetVal(); ; {
		switch v := pgparse.Unwrap(n).(type) {
		case *pgparse.ColumnRef:
			return v.Fields[len(v.Fields)-1].GetString_().GetSval()
		case *pgparse.FuncCall:
			return v.Funcname[len(v.Funcname)-1].GetString_().GetSval()
		case *pgparse.A_Indirection:
			if name := v.Indirection[len(v.Indirection)-1].GetString_(); name != nil {
				return name.Sval
			}
			n = v.Arg
		case *pgparse.TypeCast:
			n = v.Arg
		case *pgparse.CollateClause:
			n = v.Arg
		default:
			return ""
		}
	}
}
