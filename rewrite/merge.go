package rewrite

import (
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
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
		check := r.mergeCheck(w, t)
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
	}
	returning := pgparse.Returning(n)
	r.returning = r.returning || len(returning) > 0
	r.walkAll(returning, visible)
}

// A mergeWhen is one WHEN clause and its tokens.
type mergeWhen struct {
	*pgparse.MergeWhenClause
	when, then int // the keywords; the action's is behind THEN
	behind     int // the next WHEN, RETURNING, or the end of the statement
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

// mergeCheck returns the check of an action, or nothing where it needs none, and
// fills in what an INSERT does not name.
func (r *rewriter) mergeCheck(w *mergeWhen, t *relation) string {
	var checked demand
	var values []tokenRange
	switch w.CommandType {
	case pgparse.CmdType_CMD_INSERT:
		if t.Access == policy.Scoped && len(w.TargetList) > 0 && len(w.TargetList) != len(w.Values) {
			r.refuseConstruct(int32(r.start(w.then+1)), fmt.Sprintf("an INSERT of %d values into %d columns", len(w.Values), len(w.TargetList)),
				"give each column its value")
			return ""
		}
		insert := &pgparse.InsertStmt{Cols: w.TargetList}
		if len(w.Values) > 0 {
			insert.SelectStmt = w.Values[0] // it is not DEFAULT VALUES
		}
		var filled []policy.Scoping
		filled, checked = r.divide(insert, t)
		r.fillAction(w, filled)
		if len(w.Values) > 0 {
			values = r.items(r.find(w.then+1, pgparse.Token_VALUES) + 1)
		}
	case pgparse.CmdType_CMD_UPDATE:
		checked = assigned(t.Table, w.TargetList)
		values = r.assignments(w)
	}
	if checked.condition != nil {
		r.refuseConstruct(int32(r.start(w.then+1)), fmt.Sprintf("a MERGE whose rows have to satisfy %s, which cannot be checked: table %s", checked.condition.Text, t.Name),
			"use INSERT … ON CONFLICT or UPDATE, or let the policy say where: {condition: …, check: false}")
		return ""
	}
	var predicates []string
	for _, s := range checked.scopings {
		if presenceOf(r.shape, s.Dimension, toCheck) == All {
			continue
		}
		predicate := r.writtenPredicate(w, s, t, values)
		if predicate == "" {
			return ""
		}
		predicates = append(predicates, predicate)
	}
	for _, f := range checked.references {
		predicate, ok := r.writtenReference(w, f, t, values)
		if !ok {
			return ""
		}
		if predicate != "" {
			predicates = append(predicates, predicate)
		}
	}
	if len(predicates) == 0 {
		return ""
	}
	return fmt.Sprintf("CASE WHEN %s THEN true ELSE (SELECT 'scoped-pgx:%s:(new)')::bool END",
		strings.Join(predicates, " AND "), strings.ReplaceAll(t.Schema+"."+t.Name, "'", "''"))
}

// writtenPredicate returns the predicate that the values of an action must
// satisfy, or nothing, having refused, where they cannot be checked.
func (r *rewriter) writtenPredicate(w *mergeWhen, s policy.Scoping, t *relation, values []tokenRange) string {
	if s.Any != nil {
		return r.eitherWritten(w, s, t, values)
	}
	value, text := r.written(w, s.Column, s.Path == nil, t, values)
	if value == nil {
		return ""
	}
	return r.valuePredicate(s, value, text)
}

// writtenReference returns the predicate that the value which an action gives a
// reference is NULL or refers to a visible row, or nothing where every row is
// visible. It is not ok where it cannot be checked, which it has refused.
func (r *rewriter) writtenReference(w *mergeWhen, f policy.Reference, t *relation, values []tokenRange) (predicate string, ok bool) {
	value, text := r.written(w, f.Column, false, t, values)
	if value == nil || !r.require(f.Target, t.location) {
		return "", false
	}
	row := r.alias()
	visible := tester{rewriter: r, purpose: toRefer}.visible(f.Target, row)
	if visible == "" {
		return "", true
	}
	return fmt.Sprintf("((%s) IS NULL OR %s)", text, refersByValue(f.Target, f.Key, row, value, text, visible)), true
}

// eitherWritten is writtenPredicate for either of several columns. Those that an
// UPDATE does not assign stay as they are. What becomes of those that an INSERT
// does not name is not known, so one that it names must lead to the scope.
func (r *rewriter) eitherWritten(w *mergeWhen, s policy.Scoping, t *relation, values []tokenRange) string {
	var columns, either []string
	for _, a := range s.Any {
		columns = append(columns, a.Column)
		switch {
		case names(w.TargetList, a.Column):
			predicate := r.writtenPredicate(w, a, t, values)
			if predicate == "" {
				return ""
			}
			either = append(either, predicate)
		case w.CommandType == pgparse.CmdType_CMD_UPDATE:
			either = append(either, tester{rewriter: r, purpose: toCheck}.predicate(a, t.ref))
		}
	}
	if len(either) == 0 {
		r.refuseConstruct(int32(r.start(w.then+1)),
			fmt.Sprintf("an INSERT of a MERGE that names none of %s, whose values have to be checked: table %s", strings.Join(columns, ", "), t.Name),
			"name one of the columns and its value")
		return ""
	}
	return "(" + strings.Join(either, " OR ") + ")"
}

// fillAction appends columns to the column list of an INSERT, and their values.
func (r *rewriter) fillAction(w *mergeWhen, filled []policy.Scoping) {
	if len(filled) == 0 {
		return
	}
	var columns, values []string
	for _, s := range filled {
		columns = append(columns, pgparse.QuoteIdentifier(s.Column))
		values = append(values, tester{rewriter: r, purpose: toCheck}.value(s.Dimension))
	}
	column, value := strings.Join(columns, ", "), strings.Join(values, ", ")
	behind := w.then + 2 // INSERT
	if len(w.Values) == 0 {
		r.edits.replace(r.start(behind), r.end(behind+1), fmt.Sprintf("(%s) VALUES (%s)", column, value))
		return
	}
	row := r.closing(r.find(behind, pgparse.Token_VALUES) + 1)
	if row >= len(r.tokens) {
		return // the certificate refuses what is left
	}
	r.edits.suffix(r.end(r.closing(behind)-1), ", "+column)
	r.edits.suffix(r.end(row-1), ", "+value)
}

// written returns the value that an action gives a column, and its text, or nil,
// having refused, where there is none that can be checked. The column is filled
// where an action leaves it out if it isFilled.
func (r *rewriter) written(w *mergeWhen, column string, isFilled bool, t *relation, values []tokenRange) (*pgparse.Node, string) {
	i, found := 0, 0
	for j, n := range w.TargetList {
		if n.GetResTarget().GetName() == column {
			i, found = j, found+1
		}
	}
	at := int32(r.start(w.then + 1))
	if found == 0 {
		message, hint := fmt.Sprintf("an INSERT of a MERGE that names no %s, whose value has to be checked: table %s", column, t.Name),
			fmt.Sprintf("name the column %s and its value", column)
		if len(w.TargetList) == 0 {
			hint = "name the columns: INSERT (" + column + ", …) VALUES …"
		}
		r.refuseConstruct(at, message, hint)
		return nil, ""
	}
	target := w.TargetList[i].GetResTarget()
	value := target.Val
	if w.CommandType == pgparse.CmdType_CMD_INSERT {
		value = nil
		if len(w.Values) == len(w.TargetList) {
			value = w.Values[i]
		}
	}
	if multi := value.GetMultiAssignRef(); multi != nil {
		value = nil
		if args := multi.Source.GetRowExpr().GetArgs(); len(args) == int(multi.Ncolumns) {
			value = args[multi.Colno-1]
		}
	}
	if l := leftmost(pgparse.Unwrap(value)); l >= 0 {
		at = l
	}
	switch {
	case value == nil || found > 1 || len(target.Indirection) > 0:
		r.refuseConstruct(at, fmt.Sprintf("a MERGE that gives %s a value that cannot be checked: table %s", column, t.Name),
			fmt.Sprintf("assign the column by itself: %s = value", column))
	case value.GetSetToDefault() != nil && w.CommandType == pgparse.CmdType_CMD_INSERT && isFilled:
		r.refuseConstruct(at, fmt.Sprintf("the DEFAULT of %s in a MERGE, which is not known: table %s", column, t.Name),
			"leave the column out and it is filled from the scope, or write its value")
	case value.GetSetToDefault() != nil:
		r.refuseConstruct(at, fmt.Sprintf("the DEFAULT of %s in a MERGE, which is not known: table %s", column, t.Name),
			"write its value")
	case !r.repeatable(pgparse.Unwrap(value)):
		r.refuseConstruct(at, fmt.Sprintf("the value of %s in a MERGE, which has to be checked, calls a function or is a subquery: table %s", column, t.Name),
			"compute it in the source: USING (SELECT …, value AS x FROM …) AS s …, and write s.x")
	case i >= len(values) || values[i].first >= values[i].behind || values[i].behind > len(r.tokens):
		r.refuseConstruct(t.location, "an assignment whose value cannot be found", "assign the column "+column+" by itself")
	default:
		return value, r.text[r.start(values[i].first):r.end(values[i].behind-1)]
	}
	return nil, ""
}

// repeatable reports whether an expression has the same value each time that it
// is computed for one row, and may therefore stand in a check and in an action.
// A name behind a dot may be that of a function: s.nextval is nextval(s).
func (r *rewriter) repeatable(node any) bool {
	switch n := node.(type) {
	case *pgparse.ColumnRef:
		name := n.Fields[len(n.Fields)-1].GetString_()
		return name != nil && (len(n.Fields) == 1 || !builtin.IsFunction(name.Sval) && !r.policy.FunctionAllowed("", name.Sval))
	case *pgparse.A_Const, *pgparse.ParamRef, *pgparse.TypeCast, *pgparse.TypeName,
		*pgparse.A_Expr, *pgparse.BoolExpr, *pgparse.NullTest, *pgparse.BooleanTest,
		*pgparse.CaseExpr, *pgparse.CaseWhen, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr,
		*pgparse.A_ArrayExpr, *pgparse.CollateClause,
		*pgparse.SQLValueFunction, *pgparse.List, *pgparse.String, *pgparse.Integer, *pgparse.Float, *pgparse.Boolean:
		same := true
		pgparse.Children(n, func(child any) { same = same && r.repeatable(child) })
		return same
	}
	return false
}

// valuePredicate is predicate for a value that is to become the column's.
//
// The value is compared as what it will be once it is stored. A column of the
// dimension is compared in the dimension's type. The type of a reference is not
// known here, and that of the value may find two keys equal that are not, as
// double precision does above 2⁵³; so whatever comes with a type of its own is
// also compared as text. A literal and a parameter take on the key's type.
func (r *rewriter) valuePredicate(s policy.Scoping, value *pgparse.Node, text string) string {
	test := tester{rewriter: r, purpose: toCheck}
	predicate := ""
	switch {
	case s.Path != nil:
		row := r.alias()
		visible := test.predicate(*s.Path.Via, row)
		if c := s.Path.Target.Where; c != nil {
			visible += " AND (" + c.For(row) + ")"
		}
		predicate = refersByValue(s.Path.Target, s.Path.Key, row, value, text, visible)
	case presenceOf(r.shape, s.Dimension, toCheck) == Many:
		predicate = fmt.Sprintf("(%s)::%s = ANY(%s)", text, s.Dimension.Type, test.value(s.Dimension))
	default:
		predicate = fmt.Sprintf("(%s)::%s = %s", text, s.Dimension.Type, test.value(s.Dimension))
	}
	if admitsNull(s, toCheck) {
		return fmt.Sprintf("(%s OR (%s) IS NULL)", predicate, text)
	}
	return predicate
}

// refersByValue returns the predicate that a value refers to a row that is visible.
func refersByValue(target *policy.Table, key, row string, value *pgparse.Node, text, visible string) string {
	key = row + "." + pgparse.QuoteIdentifier(key)
	left, right := "("+text+")", key
	if value.GetAConst() == nil && value.GetParamRef() == nil {
		left, right = fmt.Sprintf("((%s), (%s)::text)", text, text), key+", "+key+"::text"
	}
	return fmt.Sprintf("%s IN (SELECT %s FROM %s AS %s WHERE %s)", left, right, qualified(target), row, visible)
}

// A tokenRange is the tokens of one item of a list.
type tokenRange struct{ first, behind int }

// items returns what stands between the commas of the brackets at index open.
func (r *rewriter) items(open int) []tokenRange {
	return r.list(open+1, r.closing(open))
}

// list returns what stands between the commas from index i to behind.
func (r *rewriter) list(i, behind int) []tokenRange {
	var items []tokenRange
	for i < behind {
		comma := r.find(i, pgparse.Token_ASCII_44, pgparse.Token_WHEN)
		for r.token(comma) == pgparse.Token_WHEN && comma < behind { // of a CASE
			comma = r.find(comma+1, pgparse.Token_ASCII_44, pgparse.Token_WHEN)
		}
		comma = min(comma, behind)
		items = append(items, tokenRange{i, comma})
		i = comma + 1
	}
	return items
}

// assignments returns the values of an UPDATE's SET list, one for each column.
// Those that no expression of their own gives are empty.
func (r *rewriter) assignments(w *mergeWhen) []tokenRange {
	var values []tokenRange
	for _, item := range r.list(w.then+3, w.behind) { // behind UPDATE SET
		equals := r.find(item.first, pgparse.Token_ASCII_61)
		source := tokenRange{equals + 1, item.behind}
		if r.token(item.first) != pgparse.Token_ASCII_40 {
			values = append(values, source)
			continue
		}
		columns := len(r.items(item.first))
		if r.token(source.first) == pgparse.Token_ROW {
			source.first++
		}
		row := r.items(source.first)
		if len(row) != columns {
			row = make([]tokenRange, columns)
		}
		values = append(values, row...)
	}
	return values
}
