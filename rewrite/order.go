package rewrite

import (
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// The order of evaluation. The planner may evaluate a user's condition before a
// guard, on another scope's row; where the condition can fail, it then fails
// where the tenant's own database would not, and PostgreSQL's message shows the
// value. Conditions that can fail are therefore gated, CASE WHEN guard THEN
// (condition) END, and what no gate fits is fenced by OFFSET 0 or MATERIALIZED,
// through which the planner moves no condition. Conditions that cannot fail stay
// as they are, and so do their indexes.

// A strength says how early a guard runs.
type strength uint8

const (
	unguarded strength = iota
	strong             // an equality on a column of the table: before all that costs more
	weak               // any other: the planner may put it anywhere
	barred             // of a target that the policy puts behind a barrier: before everything
)

func (s strength) runsAfter(d danger) bool {
	return s != unguarded && d == cheap || s == weak && d == partial || s == barred
}

// strengthOf returns how early the guard of t runs under the shape.
func (r *rewriter) strengthOf(t *policy.Table, p purpose) strength {
	if t == nil || t.Access != policy.Scoped {
		return unguarded
	}
	if lacksSchema(r.shape, t) { // its guard is false, so nothing is evaluated on its rows
		return unguarded
	}
	found := unguarded
	if t.Where != nil {
		found = weak
	}
	for _, s := range t.Scopings {
		switch presence := presenceOf(r.shape, s.Dimension, p); {
		case presence == Absent: // the same
			return unguarded
		case presence == All:
		case presence == One && s.Path == nil && s.Any == nil && !s.Generated && !admitsNull(s, p): // a virtual column is an expression
			found = max(found, strong)
		default:
			found = weak
		}
	}
	switch {
	case found == unguarded, t.Barrier && p == toRead: // its references are fenced
		return unguarded
	case t.Barrier:
		return barred
	case t.View: // whose join may test the user's condition below the guard
		return weak
	}
	return found
}

// weakest returns the weakest guard that anything below node has.
func (r *rewriter) weakest(node any, visible *ctes) strength {
	found := unguarded
	if rv, ok := node.(*pgparse.RangeVar); ok && !visible.hides(rv) {
		found = r.strengthOf(lookup(r.policy, rv), toRead)
	}
	pgparse.Children(node, func(child any) {
		if _, ok := child.(*pgparse.LockingClause); !ok {
			found = max(found, r.weakest(child, visible))
		}
	})
	return found
}

// A source of rows at one level of a query: a guarded table, or a subquery that
// reads one.
type rowSource struct {
	names    []string // by which conditions call it
	ref      string   // the name of a table, as SQL spells it
	strength strength
	rv       *pgparse.RangeVar   // of a table
	table    *policy.Table       // of a table
	query    *pgparse.SelectStmt // of a subquery
	hidden   bool                // behind the alias of a join, where its name is not known
	renamed  bool                // with a column alias list, behind which the guard's columns are not known
	nullable bool                // on the nullable side of an outer join, as far as seen
	target   bool                // of an UPDATE, DELETE or MERGE, which cannot be fenced
	behindOn int                 // of a MERGE: the token behind its ON condition
}

// A conjunct is a part of a condition, all of which must hold.
type conjunct struct {
	node          any
	first, behind int // its tokens
	gates         []*rowSource
}

// An ordering decides, for one level, which conditions are gated and what is fenced.
type ordering struct {
	*rewriter
	visible   *ctes
	conjuncts []*conjunct
	fenced    map[*rowSource]bool
	behind    int // the token behind the condition, where it is not looked for
}

// protect orders the evaluation of a level: a FROM list, the condition behind
// it, and HAVING. It plans fences, and returns the gates for the caller to make.
func (r *rewriter) protect(from []*pgparse.Node, where, having *pgparse.Node, target *rowSource, visible *ctes) {
	if r.empty || r.err != nil {
		return
	}
	o := &ordering{rewriter: r, visible: visible, fenced: make(map[*rowSource]bool)}
	var sources []*rowSource
	if target != nil {
		sources = append(sources, target)
	}
	for _, item := range from {
		sources = append(sources, o.item(pgparse.Unwrap(item), sources)...)
	}
	if len(sources) == 0 {
		return
	}
	keyword := pgparse.Token_WHERE
	if target != nil && target.behindOn > 0 {
		keyword, o.behind = pgparse.Token_ON, target.behindOn
	}
	o.condition(where, keyword, sources)
	if target == nil {
		o.imply(where, sources, sources)
	}
	if having != nil {
		o.fenceAll(pgparse.Unwrap(having), sources)
	}
	for _, s := range sources {
		switch {
		case !o.fenced[s]:
		case s.query != nil:
			r.fence(s.query)
		default:
			r.fencedTables[s.rv] = true
		}
	}
	for _, c := range o.conjuncts {
		var guards []string
		for _, s := range c.gates {
			if !o.fenced[s] {
				p := toRead
				if s.target {
					p = toChange
				}
				guards = append(guards, tester{rewriter: r, purpose: p, perRow: true}.allVisible(s.table, s.ref))
			}
		}
		if len(guards) > 0 {
			r.edits.prefix(r.start(c.first), "CASE WHEN "+strings.Join(guards, " AND ")+" THEN (")
			r.edits.ordering()
			r.edits.suffix(r.end(c.behind-1), ") END")
			r.edits.ordering()
		}
	}
}

// item collects the sources of rows of a FROM item, and what is evaluated on them.
func (o *ordering) item(node any, before []*rowSource) []*rowSource {
	switch n := node.(type) {
	case *pgparse.RangeVar:
		return o.table(n)
	case *pgparse.RangeTableSample:
		return o.table(n.Relation.GetRangeVar())
	case *pgparse.RangeSubselect:
		if n.Lateral && o.hasPartial(pgparse.Unwrap(n.Subquery)) {
			o.fenceAll(n, before)
		} else if n.Lateral {
			o.passOn(n, n.Alias.GetAliasname(), before)
		}
		query := n.Subquery.GetSelectStmt()
		s := &rowSource{names: []string{n.Alias.GetAliasname()}, strength: o.weakest(query, o.visible), query: query}
		if s.strength == unguarded {
			return nil
		}
		if s.strength.runsAfter(o.dangerOfTargets(query)) {
			o.fenced[s] = true
		}
		return []*rowSource{s}
	case *pgparse.JoinExpr:
		left := o.item(pgparse.Unwrap(n.Larg), before)
		right := o.item(pgparse.Unwrap(n.Rarg), append(before[:len(before):len(before)], left...))
		both := append(left[:len(left):len(left)], right...)
		if n.Jointype == pgparse.JoinType_JOIN_FULL { // the server has no FULL JOIN on a CASE
			o.fenceAll(pgparse.Unwrap(n.Quals), both)
		} else {
			o.condition(n.Quals, pgparse.Token_ON, both)
		}
		if (n.IsNatural || n.UsingClause != nil) && o.types().mixesIn(n) {
			for _, s := range both {
				o.fenced[s] = o.fenced[s] || s.strength.runsAfter(partial) && !s.target
			}
		}
		switch n.Jointype { // the other rows come out of an outer join, with NULLs
		case pgparse.JoinType_JOIN_INNER:
			o.imply(n.Quals, both, both)
		case pgparse.JoinType_JOIN_LEFT:
			o.imply(n.Quals, right, both)
		case pgparse.JoinType_JOIN_RIGHT:
			o.imply(n.Quals, left, both)
		}
		for _, s := range both {
			if n.JoinUsingAlias != nil {
				s.names = append(s.names, n.JoinUsingAlias.Aliasname)
			}
			if n.Alias != nil {
				s.names, s.hidden = []string{n.Alias.Aliasname}, true
			}
		}
		if n.Jointype == pgparse.JoinType_JOIN_RIGHT || n.Jointype == pgparse.JoinType_JOIN_FULL {
			setNullable(left)
		}
		if n.Jointype == pgparse.JoinType_JOIN_LEFT || n.Jointype == pgparse.JoinType_JOIN_FULL {
			setNullable(right)
		}
		return both
	case *pgparse.RangeFunction: // it may be given columns of what stands before it
		if !o.isUnnest(n) {
			o.fenceAll(n, before)
		}
		alias, _ := fieldsOf(n)
		o.passOn(n, alias, before)
	default:
		o.fenceAll(n, before)
	}
	return nil
}

// passOn makes the columns of an item those of the sources that it is given
// columns of: what tests the item tests them.
func (a *analysis) passOn(item any, alias string, before []*rowSource) {
	for _, s := range a.meets(item, before) {
		s.names = append(s.names, alias)
	}
}

// isUnnest reports whether a function in FROM is unnest of a total expression,
// which no array makes fail.
func (a *analysis) isUnnest(n *pgparse.RangeFunction) bool {
	if len(n.Functions) != 1 {
		return false
	}
	items := n.Functions[0].GetList().GetItems()
	if len(items) == 0 {
		return false
	}
	call := items[0].GetFuncCall()
	return call != nil && unqualified(call.Funcname) == "unnest" &&
		len(call.Args) == 1 && a.isTotal(pgparse.Unwrap(call.Args[0]))
}

func setNullable(sources []*rowSource) {
	for _, s := range sources {
		s.nullable = true
	}
}

func (o *ordering) table(rv *pgparse.RangeVar) []*rowSource {
	if o.visible.hides(rv) {
		return nil
	}
	table := lookup(o.policy, rv)
	if o.strengthOf(table, toRead) == unguarded {
		return nil
	}
	return []*rowSource{o.tableSource(rv, table, toRead)}
}

func (r *rewriter) tableSource(rv *pgparse.RangeVar, table *policy.Table, p purpose) *rowSource {
	name := refName(rv)
	return &rowSource{names: []string{name}, ref: pgparse.QuoteIdentifier(name), strength: r.strengthOf(table, p), rv: rv, table: table,
		renamed: len(rv.Alias.GetColnames()) > 0}
}

// dangerOfTargets classifies what a subquery computes, which becomes part of the
// conditions around it.
func (a *analysis) dangerOfTargets(query *pgparse.SelectStmt) danger {
	found := harmless
	if query.GetOp() > pgparse.SetOperation_SETOP_NONE && slices.ContainsFunc(outputs(query), func(column []output) bool { return a.types().ofOutput(column) > fixed }) {
		found = partial // the queries cast to the type of the others
	}
	for q := query; q != nil; q = q.Larg {
		if q.Rarg != nil {
			found = max(found, a.dangerOfTargets(q.Rarg))
		}
		for _, target := range q.TargetList {
			found = max(found, a.dangerOf(pgparse.Unwrap(target.GetResTarget().GetVal())))
		}
	}
	return found
}

// meets returns the sources that an expression may look at.
func (a *analysis) meets(node any, sources []*rowSource) []*rowSource {
	c := a.columnsOf(node)
	var met []*rowSource
	for _, s := range sources {
		named := c.unqualified
		for _, name := range s.names {
			named = named || c.qualifiers[name]
		}
		if named {
			met = append(met, s)
		}
	}
	return met
}

// fenceAll fences the sources that an expression meets too early and for which
// there is no place for a gate.
func (o *ordering) fenceAll(node any, sources []*rowSource) {
	d := o.dangerOf(node)
	for _, s := range o.meets(node, sources) {
		if s.strength.runsAfter(d) && !s.target {
			o.fenced[s] = true
		}
	}
}

// condition splits the condition behind WHERE or ON and decides what protects
// each part from the rows that it meets.
func (o *ordering) condition(n *pgparse.Node, keyword pgparse.Token, sources []*rowSource) {
	if n == nil {
		return
	}
	for _, c := range o.split(n, keyword) {
		d := o.dangerOf(c.node)
		if o.becomesJoin(c.node) {
			d = min(d, partial) // for a strong guard runs where its table is scanned
		}
		for _, s := range o.meets(c.node, sources) {
			switch {
			case !s.strength.runsAfter(d):
			case s.target || s.table != nil && !s.hidden && !s.renamed && !s.nullable && c.behind > 0:
				c.gates = append(c.gates, s)
			default:
				o.fenced[s] = true
			}
		}
		if len(c.gates) > 0 {
			o.conjuncts = append(o.conjuncts, c)
		}
	}
}

// split returns the conjuncts of a condition with their tokens. Where they
// cannot be told apart it is one; where its tokens are not found it has none.
func (o *ordering) split(n *pgparse.Node, keyword pgparse.Token) []*conjunct {
	whole := &conjunct{node: pgparse.Unwrap(n)}
	first := o.firstTokenOf(whole.node)
	if o.token(first-1) != keyword {
		return []*conjunct{whole}
	}
	whole.first, whole.behind = first, o.behind
	if o.behind == 0 {
		whole.behind = o.behindCondition(first)
	}
	and := n.GetBoolExpr()
	if and == nil || and.Boolop != pgparse.BoolExprType_AND_EXPR {
		return []*conjunct{whole}
	}
	parts := make([]*conjunct, len(and.Args))
	for i, arg := range and.Args {
		parts[i] = &conjunct{node: pgparse.Unwrap(arg), first: first, behind: whole.behind}
		if i > 0 {
			parts[i].first = o.firstTokenOf(parts[i].node)
			if o.token(parts[i].first-1) != pgparse.Token_AND {
				return []*conjunct{whole}
			}
			parts[i-1].behind = parts[i].first - 1
		}
	}
	for _, p := range parts {
		if p.first >= p.behind || !o.isBalanced(p.first, p.behind) {
			return []*conjunct{whole}
		}
	}
	return parts
}

// firstTokenOf returns the first token of an expression, the brackets before it
// included.
func (r *rewriter) firstTokenOf(node any) int {
	i := r.tokenAt(leftmost(node))
	for r.token(i-1) == pgparse.Token_ASCII_40 {
		i--
	}
	return i
}

// isBalanced reports whether the brackets in a run of tokens belong together.
func (s *source) isBalanced(first, behind int) bool {
	depth := 0
	for i := first; i < behind; i++ {
		switch s.token(i) {
		case pgparse.Token_ASCII_40, pgparse.Token_ASCII_91:
			depth++
		case pgparse.Token_ASCII_41, pgparse.Token_ASCII_93:
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// behindCondition returns the index behind the condition that begins at i.
func (s *source) behindCondition(i int) int {
	for {
		i = s.find(i, pgparse.Token_JOIN, pgparse.Token_LEFT, pgparse.Token_RIGHT, pgparse.Token_FULL,
			pgparse.Token_INNER_P, pgparse.Token_CROSS, pgparse.Token_NATURAL, pgparse.Token_ON, pgparse.Token_USING,
			pgparse.Token_ASCII_44, pgparse.Token_WHERE, pgparse.Token_GROUP_P, pgparse.Token_HAVING,
			pgparse.Token_WINDOW, pgparse.Token_UNION, pgparse.Token_INTERSECT, pgparse.Token_EXCEPT,
			pgparse.Token_ORDER, pgparse.Token_LIMIT, pgparse.Token_OFFSET, pgparse.Token_FETCH, pgparse.Token_FOR,
			pgparse.Token_RETURNING)
		switch s.token(i) {
		case pgparse.Token_LEFT, pgparse.Token_RIGHT, pgparse.Token_FULL: // or the functions left and right
			if next := s.token(i + 1); next != pgparse.Token_JOIN && next != pgparse.Token_OUTER_P {
				i++
				continue
			}
		}
		return i
	}
}

// fence keeps the planner from moving conditions into a subquery, or what the
// subquery computes out of it. A LIMIT does so already. Where the end of the
// subquery is not found, its tables are fenced one by one.
func (r *rewriter) fence(query *pgparse.SelectStmt) {
	if query.LimitCount != nil || query.LimitOffset != nil {
		return
	}
	if open := r.opening(query); open >= 0 {
		r.fences[query] = r.closing(open) - 1
		return
	}
	r.fenceTables(query)
}

func (r *rewriter) fenceTables(node any) {
	if rv, ok := node.(*pgparse.RangeVar); ok {
		r.fencedTables[rv] = true
	}
	pgparse.Children(node, r.fenceTables)
}

// opening returns the bracket before the first word of a subquery, or -1.
func (r *rewriter) opening(query *pgparse.SelectStmt) int {
	if query.Op != pgparse.SetOperation_SETOP_NONE || query.WithClause == nil && len(query.TargetList) == 0 {
		return -1 // the first word is not found from what the tree locates
	}
	i := r.tokenAt(leftmost(query))
	if query.WithClause != nil {
		i = r.tokenAt(query.WithClause.Location)
	}
	for depth := 0; i > 0; {
		i--
		switch r.token(i) {
		case pgparse.Token_ASCII_41:
			depth++
		case pgparse.Token_ASCII_40:
			if depth > 0 {
				depth--
				continue
			}
			switch r.token(i + 1) {
			case pgparse.Token_SELECT, pgparse.Token_WITH, pgparse.Token_TABLE:
				return i
			case pgparse.Token_ASCII_40: // around an expression, or around the whole subquery
				continue
			}
		}
	}
	return -1
}

// materialize fences a WITH query that reads guarded tables, where anything in
// the statement could be evaluated on its rows too early.
func (r *rewriter) materialize(cte *pgparse.CommonTableExpr, visible *ctes) {
	query := cte.Ctequery.GetSelectStmt()
	if query == nil || r.empty {
		return
	}
	s := r.weakest(query, visible)
	if s == unguarded || !s.runsAfter(max(r.dangerOfTargets(query), r.dangerOfRoot())) {
		return
	}
	switch cte.Ctematerialized {
	case pgparse.CTEMaterialize_CTEMaterializeDefault:
		i := r.identifier(r.tokenAt(cte.Location))
		if len(cte.Aliascolnames) > 0 {
			i = r.closing(i) + 1
		}
		r.edits.suffix(r.end(i), " MATERIALIZED")
		r.edits.ordering()
	case pgparse.CTEMaterialize_CTEMaterializeNever:
		r.fence(query)
	}
}

// dangerOfStatement returns the greatest danger of any condition in a statement.
func (a *analysis) dangerOfStatement(node any) danger {
	found := harmless
	add := func(n *pgparse.Node) {
		if c := pgparse.Unwrap(n); c != nil {
			for _, part := range conjuncts(n) {
				found = max(found, a.dangerOf(pgparse.Unwrap(part)))
			}
		}
	}
	switch n := node.(type) {
	case *pgparse.SelectStmt:
		add(n.WhereClause)
		add(n.HavingClause)
	case *pgparse.JoinExpr:
		add(n.Quals)
	case *pgparse.UpdateStmt:
		add(n.WhereClause)
	case *pgparse.DeleteStmt:
		add(n.WhereClause)
	case *pgparse.MergeStmt:
		add(n.JoinCondition)
	case *pgparse.RangeFunction, *pgparse.RangeTableFunc:
		if readsColumn(n) {
			found = cheap
		}
	case *pgparse.RangeSubselect:
		if n.Lateral {
			found = a.dangerOfTargets(n.Subquery.GetSelectStmt())
		}
	}
	pgparse.Children(node, func(child any) { found = max(found, a.dangerOfStatement(child)) })
	return found
}
