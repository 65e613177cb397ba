package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// target resolves the table that an INSERT, UPDATE or DELETE changes. WITH names
// are never targets.
func (r *rewriter) target(rv *pgparse.RangeVar, access string) (t *relation, guard string) {
	t = r.relation(rv, access)
	if t == nil {
		return nil, ""
	}
	scopings, implied := withoutImplied(t.Scopings, r.implied[rv])
	if t.Access == policy.Scoped {
		guard = r.guard(t.Table, scopings, t.ref, toChange, rv.Location)
	}
	r.record(t, access, append([]string{guard}, implied...)...)
	return t, guard
}

// update rewrites an UPDATE: its guard goes before the condition, and where it
// assigns a column that the policy uses, a check follows.
func (r *rewriter) update(n *pgparse.UpdateStmt, visible *ctes, top bool) {
	visible = r.with(n.WithClause, visible)
	r.implyTarget(n.Relation, n.FromClause, n.WhereClause, visible)
	t, guard := r.target(n.Relation, "update")
	if t == nil {
		return
	}
	r.qualify(n.Relation, t)
	defer r.enter(n.FromClause, n.Relation, visible)()
	endWhere := r.restrict(t, guard, n.WhereClause)
	r.protect(n.FromClause, n.WhereClause, nil, r.targetSource(n.Relation, t), visible)
	r.walkAll(n.TargetList, visible)
	r.walkAll(n.FromClause, visible)
	r.walkOne(n.WhereClause, visible)
	endWhere()
	written := assigned(t.Table, n.TargetList)
	if n.WhereClause.GetCurrentOfExpr() != nil {
		written = r.changeCurrent(t, n.TargetList, written)
	}
	r.returned(t, written, n.Relation, n.FromClause, pgparse.Returning(n), visible, top)
}

// delete rewrites a DELETE.
func (r *rewriter) delete(n *pgparse.DeleteStmt, visible *ctes, top bool) {
	visible = r.with(n.WithClause, visible)
	r.implyTarget(n.Relation, n.UsingClause, n.WhereClause, visible)
	t, guard := r.target(n.Relation, "delete")
	if t == nil {
		return
	}
	r.qualify(n.Relation, t)
	defer r.enter(n.UsingClause, n.Relation, visible)()
	endWhere := r.restrict(t, guard, n.WhereClause)
	r.protect(n.UsingClause, n.WhereClause, nil, r.targetSource(n.Relation, t), visible)
	r.walkAll(n.UsingClause, visible)
	r.walkOne(n.WhereClause, visible)
	endWhere()
	var deleted demand
	if n.WhereClause.GetCurrentOfExpr() != nil {
		deleted = r.changeCurrent(t, nil, deleted)
	}
	r.returned(t, deleted, n.Relation, n.UsingClause, pgparse.Returning(n), visible, top)
}

func (r *rewriter) walkOne(n *pgparse.Node, visible *ctes) {
	if n := pgparse.Unwrap(n); n != nil {
		r.walk(n, visible)
	}
}

func (r *rewriter) walkAll(list []*pgparse.Node, visible *ctes) {
	for _, n := range list {
		r.walkOne(n, visible)
	}
}

// restrict puts the guard of a target before the user's condition, both in
// parentheses, or makes it the condition. It returns what is to be done once the
// condition and all before it is walked.
func (r *rewriter) restrict(t *relation, guard string, condition *pgparse.Node) (end func()) {
	if guard == "" || condition.GetCurrentOfExpr() != nil {
		return func() {}
	}
	if condition == nil {
		return func() {
			r.edits.suffix(r.end(r.find(t.last, pgparse.Token_RETURNING)-1), " WHERE "+guard)
		}
	}
	where := r.find(t.last, pgparse.Token_WHERE)
	if where+1 >= len(r.tokens) {
		return func() {} // the certificate refuses what is left
	}
	r.edits.prefix(r.start(where+1), "("+guard+") AND (")
	return func() {
		r.edits.suffix(r.end(r.find(where+1, pgparse.Token_RETURNING)-1), ")")
	}
}

// targetSource is the target of an UPDATE or DELETE as a source of rows.
func (r *rewriter) targetSource(rv *pgparse.RangeVar, t *relation) *rowSource {
	s := r.tableSource(rv, t.Table, toChange)
	s.target = true
	return s
}

// assigned returns what the rows have to satisfy for which a SET list assigns a
// column that decides on it, or may do so: which columns the database computes a
// generated one or that of a view from is not known.
func assigned(t *policy.Table, set []*pgparse.Node) demand {
	var d demand
	for _, s := range t.Scopings {
		if assigns(set, s) || s.Generated || t.View {
			d.scopings = append(d.scopings, s)
		}
	}
	for _, f := range t.References {
		if names(set, f.Column) {
			d.references = append(d.references, f)
		}
	}
	if c := conditionOf(t, toCheck); c != nil && (t.View || slices.ContainsFunc(c.Columns, func(column string) bool { return names(set, column) })) {
		d.condition = c
	}
	return d
}

func assigns(set []*pgparse.Node, s policy.Scoping) bool {
	for _, a := range s.Any {
		if assigns(set, a) {
			return true
		}
	}
	return s.Any == nil && names(set, s.Column)
}

// names reports whether a column list or SET list names a column.
func names(list []*pgparse.Node, column string) bool {
	for _, n := range list {
		if n.GetResTarget().GetName() == column {
			return true
		}
	}
	return false
}

// returned rewrites a RETURNING list, and makes the statement fail when a row
// that it wrote does not satisfy the demand. The check is
// computed for each row as it is returned, with the values that triggers and
// defaults gave it:
//
//	RETURNING id, CASE WHEN post.site_id = $2::bigint THEN NULL ELSE ('scoped-pgx:…' || post.ctid::text)::int END
//
// The cast fails and names the table in its message. It depends on the row, or
// the planner would compute it beforehand. The driver removes the last column.
// In a WITH query nobody would remove it, so there it goes around a column that
// the user returns.
func (r *rewriter) returned(t *relation, d demand, rv *pgparse.RangeVar, from, returning []*pgparse.Node, visible *ctes, top bool) {
	r.returning = r.returning || top && len(returning) > 0
	for _, f := range d.references {
		r.require(f.Target, rv.Location)
	}
	predicate := tester{rewriter: r, purpose: toCheck, perRow: true, visible: visible}.written(d, t.ref)
	if predicate == "" {
		r.walkAll(returning, visible)
		return
	}
	end := r.find(t.last) // of the statement
	switch {
	case top || len(returning) == 0:
		r.walkAll(returning, visible)
		check := fmt.Sprintf("CASE WHEN %s THEN NULL ELSE %s::int END", predicate, failure(t))
		if len(returning) == 0 {
			check = " RETURNING " + check
		} else {
			check = ", " + check
		}
		r.edits.suffix(r.end(end-1), check)
		r.check = r.check || top
	default:
		condition := fmt.Sprintf("CASE WHEN %s THEN true ELSE %s::bool END", predicate, failure(t))
		i, name := namedResult(returning)
		if i < 0 && r.expandStar(t, rv, condition, from, returning) {
			r.walkAll(returning, visible)
			return
		}
		if i < 0 {
			r.refuseConstruct(t.location,
				fmt.Sprintf("a WITH query that writes to %s and returns *, where the row has to be checked", t.Name),
				"name the columns: RETURNING id, …; or use a catalogue, which knows them")
			return
		}
		first := r.tokenAt(returning[i].GetResTarget().Location)
		behind := r.find(first, pgparse.Token_ASCII_44)
		label := ""
		if as := r.find(first, pgparse.Token_AS); as < behind {
			behind = as
		} else if returning[i].GetResTarget().Name != "" {
			behind-- // a label without AS
		} else {
			label = " AS " + pgparse.QuoteIdentifier(name)
		}
		r.edits.prefix(r.start(first), "CASE WHEN "+condition+" THEN ")
		r.walkAll(returning, visible)
		r.edits.suffix(r.end(behind-1), " END"+label)
	}
}

// failure is an expression of type text that no number and no boolean can be
// read from. It names the table for the driver and depends on the row, by its
// ctid, or by a column where it is that of a view.
func failure(t *relation) string {
	row := t.ref + ".ctid::text"
	if t.View {
		row = fmt.Sprintf("coalesce(%s.%s::text, '')", t.ref, pgparse.QuoteIdentifier(viewColumn(t.Table)))
	}
	return fmt.Sprintf("('scoped-pgx:%s:' || %s)", strings.ReplaceAll(t.Schema+"."+t.Name, "'", "''"), row)
}

// viewColumn returns a column that the policy names of a view.
func viewColumn(t *policy.Table) string {
	if s := t.Scopings[0]; s.Any == nil {
		return s.Column
	}
	return t.Scopings[0].Any[0].Column
}

// namedResult returns the first item of a RETURNING list that is one column whose
// name is known, and that name.
func namedResult(list []*pgparse.Node) (int, string) {
	for i, n := range list {
		target := n.GetResTarget()
		if target.GetName() != "" {
			return i, target.Name
		}
		fields := target.GetVal().GetColumnRef().GetFields()
		if len(fields) == 0 {
			continue
		}
		if last := fields[len(fields)-1].GetString_(); last != nil {
			return i, last.Sval
		}
	}
	return -1, ""
}
