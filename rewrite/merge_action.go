package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// columnsOfAction returns the columns that an action gives values, as far as they
// are known: an INSERT without a column list means the first ones of its table.
func (r *rewriter) columnsOfAction(w *mergeWhen, t *relation) []*pgparse.Node {
	columns := columnsOfTable(r.catalog, t.Table)
	if len(w.TargetList) > 0 || len(w.Values) > len(columns) || slices.ContainsFunc(w.Values, endsInStar) || !r.isRestricted(t.Table) {
		return w.TargetList
	}
	var listed []*pgparse.Node
	for _, name := range columns[:len(w.Values)] {
		listed = append(listed, &pgparse.Node{Node: &pgparse.Node_ResTarget{ResTarget: &pgparse.ResTarget{Name: name}}})
	}
	return listed
}

// isRestricted reports whether the rows that are written to t may have to be
// filled or checked.
func (r *rewriter) isRestricted(t *policy.Table) bool {
	return len(t.References) > 0 || slices.ContainsFunc(t.Scopings, func(s policy.Scoping) bool {
		return presenceOf(r.shape, s.Dimension, toCheck) != All
	})
}

// A mergeAction is what a WHEN clause does with the values that it writes.
type mergeAction struct {
	*rewriter
	*mergeWhen
	t          *relation
	values     []tokenRange // of each column, their tokens
	predicates []string     // that hold before it acts
	inPlace    []*checkedValue
}

// checkAction returns the check of an action's values that goes into its
// condition, or nothing where there is none. What an INSERT does not name is
// filled, and values that must not be computed twice are checked where they
// stand, at the latest with end, which is to be called once the values are walked.
func (r *rewriter) checkAction(w *mergeWhen, t *relation) (check string, end func()) {
	a := &mergeAction{rewriter: r, mergeWhen: w, t: t}
	var filled []policy.Scoping
	var checked demand
	switch w.CommandType {
	case pgparse.CmdType_CMD_INSERT:
		if t.Access == policy.Scoped && len(w.columns) > 0 && len(w.columns) != len(w.Values) {
			r.refuseConstruct(int32(r.start(w.then+1)), fmt.Sprintf("an INSERT of %d values into %d columns", len(w.Values), len(w.columns)),
				"give each column its value")
			return "", func() {}
		}
		insert := &pgparse.InsertStmt{Cols: w.columns}
		if len(w.Values) > 0 {
			insert.SelectStmt = w.Values[0] // it is not DEFAULT VALUES
			a.values = r.items(r.find(w.then+1, pgparse.Token_VALUES) + 1)
		}
		filled, checked = r.divide(insert, t)
	case pgparse.CmdType_CMD_UPDATE:
		checked = assigned(t.Table, w.TargetList)
		a.values = r.assignments(w)
	}
	a.demand(checked)
	end = func() {
		for _, v := range a.inPlace {
			r.edits.suffix(r.end(v.behind-1), v.end(t))
		}
		a.fill(filled)
	}
	if len(a.predicates) == 0 {
		return "", end
	}
	return newRowCheck(t, a.predicates), end
}

// newRowCheck is true for values that satisfy the predicates, and fails for others.
func newRowCheck(t *relation, predicates []string) string {
	return fmt.Sprintf("CASE WHEN %s THEN true ELSE (SELECT 'scoped-pgx:%s:(new)')::bool END",
		strings.Join(predicates, " AND "), strings.ReplaceAll(t.Schema+"."+t.Name, "'", "''"))
}

// demand plans the checks of what the values have to satisfy.
func (a *mergeAction) demand(d demand) {
	if d.condition != nil {
		a.refuseConstruct(int32(a.start(a.then+1)), fmt.Sprintf("a MERGE whose rows have to satisfy %s, which cannot be checked: table %s", d.condition.Text, a.t.Name),
			"use INSERT … ON CONFLICT or UPDATE, or let the policy say where: {condition: …, check: false}")
	}
	for _, s := range d.scopings {
		switch {
		case presenceOf(a.shape, s.Dimension, toCheck) == All:
		case s.Generated || a.t.View && a.CommandType == pgparse.CmdType_CMD_UPDATE && !assigns(a.TargetList, s):
			a.refuseConstruct(int32(a.start(a.then+1)), fmt.Sprintf("a MERGE that writes rows whose %s is computed, and cannot be checked: table %s", s.Dimension.Name, a.t.Name),
				"use INSERT … ON CONFLICT or UPDATE")
		case s.Any != nil:
			a.predicates = append(a.predicates, a.either(s))
		default:
			a.column(s.Column, s.Path == nil, func(v writtenValue) string { return a.valuePredicate(s, v) })
		}
	}
	for _, f := range d.references {
		row := a.alias()
		visible := tester{rewriter: a.rewriter, purpose: toRefer}.allVisible(f.Target, row)
		if !a.require(f.Target, a.t.location) || visible == "" {
			continue
		}
		a.column(f.Column, false, func(v writtenValue) string {
			return fmt.Sprintf("((%s) IS NULL OR %s)", v.text, v.refers(a.qualified(f.Target), f.Key, row, visible))
		})
	}
}

// column plans the check that the value of a column satisfies a predicate: in
// the action's condition where it may be computed twice, else where it stands.
func (a *mergeAction) column(name string, isFilled bool, predicate func(writtenValue) string) {
	if v, text := a.valueInPlace(name); v != nil {
		v.predicates = append(v.predicates, predicate(writtenValue{text: text}))
	} else if v, ok := a.written(name, isFilled); ok {
		a.predicates = append(a.predicates, predicate(v))
	}
}

// either returns the predicate that one of several columns leads to the scope.
// Those that an UPDATE does not assign stay as they are. What becomes of those
// that an INSERT does not name is not known, so one that it names must.
func (a *mergeAction) either(s policy.Scoping) string {
	var columns, either []string
	for _, way := range s.Any {
		columns = append(columns, way.Column)
		switch {
		case names(a.columns, way.Column):
			if v, ok := a.written(way.Column, false); ok {
				either = append(either, a.valuePredicate(way, v))
			}
		case a.CommandType == pgparse.CmdType_CMD_UPDATE:
			either = append(either, tester{rewriter: a.rewriter, purpose: toCheck}.predicate(way, a.t.ref))
		}
	}
	if len(either) == 0 {
		a.refuseConstruct(int32(a.start(a.then+1)),
			fmt.Sprintf("an INSERT of a MERGE that names none of %s, whose values have to be checked: table %s", strings.Join(columns, ", "), a.t.Name),
			"name one of the columns and its value")
	}
	return "(" + strings.Join(either, " OR ") + ")"
}

// A writtenValue is one that is to become a column's, as SQL has it. A literal or
// parameter takes its type from what it is compared with.
type writtenValue struct {
	text    string
	untyped bool
}

// written returns the value that an action gives a column. It is not ok, having
// refused, where there is none that may stand in a check. The column is filled
// where an action leaves it out if it isFilled.
func (a *mergeAction) written(column string, isFilled bool) (v writtenValue, ok bool) {
	at := int32(a.start(a.then + 1))
	if !names(a.columns, column) {
		hint := fmt.Sprintf("name the column %s and its value", column)
		if len(a.columns) == 0 {
			hint = "name the columns: INSERT (" + column + ", …) VALUES …"
		}
		if len(a.columns) == 0 && len(a.Values) > 0 && a.catalog == nil {
			hint += "; or use a catalogue, which knows them"
		}
		a.refuseConstruct(at, fmt.Sprintf("an INSERT of a MERGE that names no %s, whose value has to be checked: table %s", column, a.t.Name), hint)
		return v, false
	}
	i, value := a.given(column)
	if l := leftmost(pgparse.Unwrap(value)); l >= 0 {
		at = l
	}
	switch {
	case value == nil:
		a.refuseConstruct(at, fmt.Sprintf("a MERGE that gives %s a value that cannot be checked: table %s", column, a.t.Name),
			fmt.Sprintf("assign the column by itself: %s = value", column))
	case value.GetSetToDefault() != nil && a.CommandType == pgparse.CmdType_CMD_INSERT && isFilled:
		a.refuseConstruct(at, fmt.Sprintf("the DEFAULT of %s in a MERGE, which is not known: table %s", column, a.t.Name),
			"leave the column out and it is filled from the scope, or write its value")
	case value.GetSetToDefault() != nil:
		a.refuseConstruct(at, fmt.Sprintf("the DEFAULT of %s in a MERGE, which is not known: table %s", column, a.t.Name),
			"write its value")
	case !a.repeatable(pgparse.Unwrap(value)):
		a.refuseConstruct(at, fmt.Sprintf("the value of %s in a MERGE, which has to be checked, calls a function or is a subquery: table %s", column, a.t.Name),
			"compute it in the source: USING (SELECT …, value AS x FROM …) AS s …, and write s.x")
	case !a.isFound(i):
		a.refuseConstruct(a.t.location, "an assignment whose value cannot be found", "assign the column "+column+" by itself")
	default:
		text := a.text[a.start(a.values[i].first):a.end(a.values[i].behind-1)]
		return writtenValue{text, value.GetAConst() != nil || value.GetParamRef() != nil}, true
	}
	return v, false
}

// given returns the place of a column in the list of an action and the value that
// it is given: an expression, or a MultiAssignRef where a subquery gives several
// columns theirs. It is nil where there is not exactly one.
func (a *mergeAction) given(column string) (int, *pgparse.Node) {
	i, found := 0, 0
	for j, n := range a.columns {
		if n.GetResTarget().GetName() == column {
			i, found = j, found+1
		}
	}
	if found != 1 || len(a.columns[i].GetResTarget().Indirection) > 0 {
		return i, nil
	}
	value := a.columns[i].GetResTarget().Val
	if a.CommandType == pgparse.CmdType_CMD_INSERT {
		if len(a.Values) != len(a.columns) {
			return i, nil
		}
		value = a.Values[i]
	}
	if multi := value.GetMultiAssignRef(); multi != nil && multi.Source.GetSubLink() == nil {
		args := multi.Source.GetRowExpr().GetArgs()
		if len(args) != int(multi.Ncolumns) {
			return i, nil
		}
		value = args[multi.Colno-1]
	}
	return i, value
}

// isFound reports whether the tokens of the i-th column's value are known.
func (a *mergeAction) isFound(i int) bool {
	return i < len(a.values) && a.values[i].first < a.values[i].behind && a.values[i].behind <= len(a.tokens)
}

// A checkedValue is a value that is checked where it stands, because it must not
// be computed twice: it calls functions, or is a subquery, whose tables are
// guarded there and not in a copy. OFFSET 0 keeps the planner from copying it:
//
//	SET site_id = f(p.id)
//
// becomes
//
//	SET site_id = (SELECT scoped_1.column1 FROM (VALUES (f(p.id)) OFFSET 0) AS scoped_1
//	WHERE CASE WHEN (scoped_1.column1)::bigint = $1::bigint THEN true ELSE (SELECT 'scoped-pgx:…')::bool END)
//
// VALUES takes no aggregates and no functions that return sets, as the action
// does not. A subquery that gives several columns their values stays one; the
// outer join has a row to check where it returns none, and they would be NULL:
//
//	SET (title, site_id) = (SELECT scoped_1.* FROM (SELECT) AS scoped_2 LEFT JOIN (SELECT * FROM (SELECT …) AS scoped_1 OFFSET 0)
//	AS scoped_1 (scoped_3, scoped_4) ON true WHERE CASE …)
type checkedValue struct {
	tokenRange
	row        string   // the alias of the row that holds it
	columns    []string // the aliases of its columns, where it has several
	predicates []string
}

// end returns what follows the value.
func (v *checkedValue) end(t *relation) string {
	where := " WHERE " + newRowCheck(t, v.predicates) + ")"
	if v.columns == nil {
		return ") OFFSET 0) AS " + v.row + where
	}
	return fmt.Sprintf(" AS %s OFFSET 0) AS %s (%s) ON true%s", v.row, v.row, strings.Join(v.columns, ", "), where)
}

// valueInPlace returns the value of a column that is to be checked where it stands,
// and by which name, or nil where it is not to be, or cannot.
func (a *mergeAction) valueInPlace(column string) (v *checkedValue, name string) {
	i, value := a.given(column)
	if value == nil || value.GetSetToDefault() != nil || a.repeatable(pgparse.Unwrap(value)) || !a.isFound(i) {
		return nil, ""
	}
	multi := value.GetMultiAssignRef()
	if multi == nil && (a.columns[i].GetResTarget().Val.GetMultiAssignRef() != nil || isComputedOnce(pgparse.Unwrap(value))) {
		return nil, ""
	}
	if known := slices.IndexFunc(a.inPlace, func(v *checkedValue) bool { return v.tokenRange == a.values[i] }); known >= 0 {
		v = a.inPlace[known]
	} else {
		v = &checkedValue{tokenRange: a.values[i], row: a.alias()}
		a.inPlace = append(a.inPlace, v)
		begin := fmt.Sprintf("(SELECT %s.column1 FROM (VALUES (", v.row)
		if multi != nil {
			begin = fmt.Sprintf("(SELECT %s.* FROM (SELECT) AS %s LEFT JOIN (SELECT * FROM ", v.row, a.alias())
			for range multi.Ncolumns {
				v.columns = append(v.columns, a.alias())
			}
		}
		a.edits.prefix(a.start(v.first), begin)
	}
	if multi != nil {
		return v, v.row + "." + v.columns[multi.Colno-1]
	}
	return v, v.row + ".column1"
}

// isComputedOnce reports whether an expression calls a function with nothing of
// the row that it is computed for. In a subquery it would be computed once for all
// rows, which is another value for functions such as nextval.
func isComputedOnce(node any) bool {
	calls, looks := false, false
	var walk func(any)
	walk = func(node any) {
		switch node.(type) {
		case *pgparse.SubLink:
			return
		case *pgparse.FuncCall:
			calls = true
		case *pgparse.ColumnRef:
			looks = true
		}
		pgparse.Children(node, walk)
	}
	walk(node)
	return calls && !looks
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
func (r *rewriter) valuePredicate(s policy.Scoping, v writtenValue) string {
	test := tester{rewriter: r, purpose: toCheck}
	predicate := ""
	switch {
	case s.Path != nil:
		row := r.alias()
		visible := test.predicate(*s.Path.Via, row)
		if c := s.Path.Target.Where; c != nil {
			visible += " AND (" + c.For(row) + ")"
		}
		predicate = v.refers(r.qualified(s.Path.Target), s.Path.Key, row, visible)
	case presenceOf(r.shape, s.Dimension, toCheck) == Many:
		predicate = fmt.Sprintf("(%s)::%s = ANY(%s)", v.text, s.Dimension.Type, test.value(s.Dimension))
	default:
		predicate = fmt.Sprintf("(%s)::%s = %s", v.text, s.Dimension.Type, test.value(s.Dimension))
	}
	if admitsNull(s, toCheck) {
		return fmt.Sprintf("(%s OR (%s) IS NULL)", predicate, v.text)
	}
	return predicate
}

// refers returns the predicate that a value refers to a row that is visible.
func (v writtenValue) refers(target, key, row, visible string) string {
	key = row + "." + pgparse.QuoteIdentifier(key)
	left, right := "("+v.text+")", key
	if !v.untyped {
		left, right = fmt.Sprintf("((%s), (%s)::text)", v.text, v.text), key+", "+key+"::text"
	}
	return fmt.Sprintf("%s IN (SELECT %s FROM %s AS %s WHERE %s)", left, right, target, row, visible)
}

// fill appends columns to the column list of an INSERT, which it writes out where
// the user left it out, and their values.
func (a *mergeAction) fill(filled []policy.Scoping) {
	var columns, values []string
	for _, s := range filled {
		columns = append(columns, pgparse.QuoteIdentifier(s.Column))
		values = append(values, tester{rewriter: a.rewriter, purpose: toCheck}.value(s.Dimension))
	}
	behind := a.then + 2 // INSERT
	switch {
	case len(a.Values) == 0 && len(filled) > 0:
		a.edits.replace(a.start(behind), a.end(behind+1), fmt.Sprintf("(%s) VALUES (%s)", strings.Join(columns, ", "), strings.Join(values, ", ")))
		return
	case len(a.TargetList) == 0 && len(a.columns) > 0:
		listed := make([]string, len(a.columns))
		for i, n := range a.columns {
			listed[i] = pgparse.QuoteIdentifier(n.GetResTarget().Name)
		}
		a.edits.suffix(a.end(behind-1), " ("+strings.Join(append(listed, columns...), ", ")+")")
	case len(filled) > 0:
		a.edits.suffix(a.end(a.closing(behind)-1), ", "+strings.Join(columns, ", "))
	}
	row := a.closing(a.find(behind, pgparse.Token_VALUES) + 1)
	if len(filled) > 0 && row < len(a.tokens) { // otherwise the certificate refuses what is left
		a.edits.suffix(a.end(row-1), ", "+strings.Join(values, ", "))
	}
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
// Those that a subquery gives together have its tokens.
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
		open := source.first
		if r.token(open) == pgparse.Token_ROW {
			open++
		}
		row := r.items(open)
		isQuery := len(values) < len(w.TargetList) && w.TargetList[len(values)].GetResTarget().Val.GetMultiAssignRef().GetSource().GetSubLink() != nil
		if isQuery || len(row) != columns {
			row = slices.Repeat([]tokenRange{source}, columns)
		}
		values = append(values, row...)
	}
	return values
}
