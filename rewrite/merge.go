package rewrite

import (
	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// merge rewrites a MERGE. The guard of its target joins the user's condition, so
// that another scope's row is not matched, as where it does not exist:
//
//	ON t.id = s.id   becomes   ON (t.site_id = $1::bigint) AND (t.id = s.id)
//
// Its actions are filled and checked one by one. They run behind ON, so only its
// conditions have to wait for a guard.
func (r *rewriter) merge(n *pgparse.MergeStmt, visible *ctes) {
	visible = r.with(n.WithClause, visible)
	t, guard := r.target(n.Relation, "merge")
	if t == nil {
		return
	}
	r.qualify(n.Relation, t)
	defer r.enter([]*pgparse.Node{n.SourceRelation}, n.Relation, visible)()

	on := r.lastOn(t.last)
	when := r.findOutsideCase(on+1, pgparse.Token_WHEN)
	end := r.find(on+1, pgparse.Token_RETURNING) // of the WHEN clauses
	if when >= len(r.tokens) {
		return // the certificate refuses what is left
	}
	if guard != "" {
		r.edits.prefix(r.start(on+1), "("+guard+") AND (")
	}
	target := r.targetSource(n.Relation, t)
	target.behindOn = when
	r.protect([]*pgparse.Node{n.SourceRelation}, n.JoinCondition, nil, target, visible)
	r.walkOne(n.SourceRelation, visible)
	r.walkOne(n.JoinCondition, visible)
	if guard != "" {
		r.edits.suffix(r.end(when-1), ")")
	}
	for i, node := range n.MergeWhenClauses {
		w := &mergeWhen{MergeWhenClause: node.GetMergeWhenClause(), when: when}
		w.then = r.findOutsideCase(when+1, pgparse.Token_THEN)
		when = r.findOutsideCase(w.then+1, pgparse.Token_WHEN)
		w.behind = min(when, end)
		if w.then+1 >= len(r.tokens) || r.err != nil {
			return
		}
		if pgparse.MatchOf(w.MergeWhenClause) == pgparse.NotMatchedBySource {
			// The guard in ON makes every row of another scope one of these.
			r.refuseConstruct(int32(r.start(w.when)), "WHEN NOT MATCHED BY SOURCE, which is for rows that the guard in ON excludes",
				"UPDATE or DELETE them by a statement of its own, WHERE NOT EXISTS (SELECT FROM … WHERE …), in the same transaction")
			return
		}
		w.columns = r.columnsOfAction(w, t)
		check, endAction := r.checkAction(w, t)
		if check != "" && w.Condition == nil {
			// The condition that it is given would hide PostgreSQL's own error.
			for _, later := range n.MergeWhenClauses[i+1:] {
				if pgparse.MatchOf(later.GetMergeWhenClause()) == pgparse.MatchOf(w.MergeWhenClause) {
					r.refuseConstruct(int32(r.start(when)), "a WHEN clause that is never reached", "give the one before it a condition")
				}
			}
		}
		r.restrictAction(w, check, visible)
		r.walkAll(w.TargetList, visible)
		r.walkAll(w.Values, visible)
		endAction()
	}
	returning := pgparse.Returning(n)
	r.returning = r.returning || len(returning) > 0
	r.walkAll(returning, visible)
}

// A mergeWhen is one WHEN clause and its tokens.
type mergeWhen struct {
	*pgparse.MergeWhenClause
	when, then int             // the keywords; the action's is behind THEN
	behind     int             // the next WHEN, RETURNING, or the end of the statement
	columns    []*pgparse.Node // its TargetList, also where the user left an INSERT's out and it is known
}

// lastOn finds the ON of a MERGE from the token behind its target. The joins of
// its source have theirs before it, and none can follow outside brackets.
func (r *rewriter) lastOn(i int) int {
	last := len(r.tokens)
	for i = r.find(i, pgparse.Token_ON); r.token(i) == pgparse.Token_ON; i = r.find(i+1, pgparse.Token_ON) {
		last = i
	}
	return last
}

// findOutsideCase is find, for a keyword that CASE has too.
func (r *rewriter) findOutsideCase(i int, wanted pgparse.Token) int {
	for depth := 0; ; i++ {
		i = r.find(i, pgparse.Token_CASE, pgparse.Token_END_P, wanted)
		switch r.token(i) {
		case pgparse.Token_CASE:
			depth++
		case pgparse.Token_END_P:
			depth--
		case wanted:
			if depth == 0 {
				return i
			}
		default:
			return i
		}
	}
}

// restrictAction makes the statement fail where an action is about to write a
// row that the check does not pass. MERGE has no RETURNING before PostgreSQL 17, so the
// check is the last part of the action's condition, where the expressions of the action mean
// the same and keep their own place, and so their types:
//
//	WHEN NOT MATCHED AND s.x > 0 THEN INSERT (site_id) VALUES (s.y)
//
// becomes
//
//	WHEN NOT MATCHED AND CASE WHEN (s.x > 0) THEN CASE WHEN (s.y)::bigint = $1::bigint THEN true
//	ELSE (SELECT 'scoped-pgx:…')::bool END END THEN INSERT (site_id) VALUES (s.y)
//
// The subquery keeps the planner from computing the cast beforehand, which would
// fail the statement although no row comes to this action.
func (r *rewriter) restrictAction(w *mergeWhen, check string, visible *ctes) {
	if check != "" && w.Condition == nil {
		r.edits.suffix(r.end(w.then-1), " AND "+check)
		return
	}
	if check != "" {
		r.edits.prefix(r.start(r.find(w.when, pgparse.Token_AND)+1), "CASE WHEN (")
	}
	r.walkOne(w.Condition, visible)
	if check != "" {
		r.edits.suffix(r.end(w.then-1), ") THEN "+check+" END")
	}
}
