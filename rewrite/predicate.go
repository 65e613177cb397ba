package rewrite

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A purpose is what the rows of a table are tested for. It makes a difference
// where fewer rows may be written than read.
type purpose uint8

const (
	toRead   purpose = iota // a statement reads them
	toChange                // it is about to change them
	toCheck                 // it has written them, or meets them in a conflict
	toRefer                 // a row that it has written refers to them
)

// presenceOf returns how a dimension is active for a purpose.
func presenceOf(s Shape, d *policy.Dimension, p purpose) Presence {
	presence := s.Presence(d)
	switch {
	case presence == WriteOne && p == toRead:
		return Many
	case presence == WriteOne:
		return One
	case presence == Absent && d.Optional:
		return All
	}
	return presence
}

// admitsNull reports whether a row whose scope column is NULL passes.
func admitsNull(s policy.Scoping, p purpose) bool {
	return s.Null == policy.NullVisible || s.Null == policy.NullRead && (p == toRead || p == toRefer)
}

// changesWhatIsRead reports whether the rows of t that refer to a row which may be
// read, over the path of a scoping, are those that may be changed.
func changesWhatIsRead(shape Shape, t *policy.Table, s policy.Scoping) bool {
	return !t.View && !t.Barrier && shape.Presence(s.Dimension) != WriteOne && !readsNull(s)
}

// readsNull reports whether there are rows on the way of a scoping that are read
// where its column is NULL, and not changed.
func readsNull(s policy.Scoping) bool {
	return s.Null == policy.NullRead || slices.ContainsFunc(s.Any, readsNull) || s.Path != nil && readsNull(*s.Path.Via)
}

// conditionOf returns the condition that rows of t satisfy beside their
// scopings, or nil.
func conditionOf(t *policy.Table, p purpose) *policy.Condition {
	if t.Where == nil || p == toCheck && !t.Where.Check {
		return nil
	}
	return t.Where
}

// A tester writes the predicates that the rows of a table have to satisfy.
type tester struct {
	*rewriter
	purpose purpose

	// perRow is set where the planner can make no join of IN: in the test of a
	// single row, in a gate, among alternatives. There it would first collect all
	// keys that the scope has: for one row of a tenant with 10,000 that took 4.3 ms
	// on PostgreSQL 15, and EXISTS, which looks the key up, 0.2 ms. Where many rows
	// are tested, the planner collects the keys for EXISTS too.
	perRow bool

	// visible are the WITH queries that the row's own references may be found in.
	visible *ctes
}

// allVisible returns the predicate of the rows of t, which the statement calls
// ref, that are visible. It is empty where all of them are.
func (r tester) allVisible(t *policy.Table, ref string) string {
	return r.all(t.Scopings, conditionOf(t, r.purpose), ref)
}

// all joins the predicates of several scopings of one table and of its condition.
func (r tester) all(scopings []policy.Scoping, c *policy.Condition, ref string) string {
	predicates := r.each(scopings, ref)
	if c != nil {
		if len(predicates) == 0 {
			predicates = append(predicates, "true") // so that the condition is one conjunct, whatever it is made of
		}
		predicates = append(predicates, "("+c.For(ref)+")")
	}
	return strings.Join(predicates, " AND ")
}

// each returns the predicates of several scopings of one table, those on its own
// columns, which cost least, first.
func (r tester) each(scopings []policy.Scoping, ref string) []string {
	var own, others []string
	for _, s := range scopings {
		switch {
		case presenceOf(r.shape, s.Dimension, r.purpose) == All:
		case s.Path == nil && s.Any == nil:
			own = append(own, r.predicate(s, ref))
		default:
			others = append(others, r.predicate(s, ref))
		}
	}
	return append(own, others...)
}

func (r tester) predicate(s policy.Scoping, ref string) string {
	if s.Any != nil {
		r.visible, r.perRow = nil, true
		return "(" + strings.Join(r.each(s.Any, ref), " OR ") + ")"
	}
	column := ref + "." + pgparse.QuoteIdentifier(s.Column)
	r.perRow = r.perRow || admitsNull(s, r.purpose)
	predicate := ""
	switch {
	case s.Path != nil:
		predicate = r.path(s.Path, column)
	case presenceOf(r.shape, s.Dimension, r.purpose) == Many:
		predicate = fmt.Sprintf("%s = ANY(%s)", column, r.value(s.Dimension))
	default:
		predicate = column + " = " + r.value(s.Dimension)
	}
	if admitsNull(s, r.purpose) {
		predicate = fmt.Sprintf("(%s OR %s IS NULL)", predicate, column)
	}
	if s.Path != nil {
		return r.orInserted(s.Path.Target, s.Path.Key, column, predicate)
	}
	return predicate
}

// orInserted returns the predicate, or that the column refers to a row which a
// WITH query of the statement inserts.
func (r tester) orInserted(target *policy.Table, key, column, predicate string) string {
	var either []string
	for _, name := range slices.Sorted(maps.Keys(r.inserts)) {
		if r.visible == nil || !r.visible.hides(&pgparse.RangeVar{Relname: name}) {
			continue
		}
		if returned := returnedKey(r.policy, r.inserts[name], target, key); returned != "" {
			row := r.alias()
			either = append(either, fmt.Sprintf("%s IN (SELECT %s.%s FROM %s AS %s)", column,
				row, pgparse.QuoteIdentifier(returned), pgparse.QuoteIdentifier(name), row))
		}
	}
	if len(either) == 0 {
		return predicate
	}
	return "(" + strings.Join(append(either, predicate), " OR ") + ")"
}

// path returns the predicate that a column refers to a row of a path's target
// that is visible.
func (r tester) path(p *policy.Path, column string) string {
	r.visible = nil
	row := r.alias()
	visible := r.predicate(*p.Via, row)
	if c := p.Target.Where; c != nil {
		visible += " AND (" + c.For(row) + ")"
	}
	return r.refers(p.Target, p.Key, row, column, visible)
}

// refers returns the predicate that a column refers to a row that is visible.
func (r tester) refers(target *policy.Table, key, row, column, visible string) string {
	key = row + "." + pgparse.QuoteIdentifier(key)
	if r.perRow {
		return fmt.Sprintf("EXISTS (SELECT FROM %s AS %s WHERE %s = %s AND %s)", r.qualified(target), row, key, column, visible)
	}
	return fmt.Sprintf("%s IN (SELECT %s FROM %s AS %s WHERE %s)", column, key, r.qualified(target), row, visible)
}

// reference returns the predicate that a column which has been written is NULL
// or refers to a row that is visible, or nothing where every row is.
func (r tester) reference(f policy.Reference, ref string) string {
	inserted := r
	r.purpose, r.visible = toRefer, nil
	row := r.alias()
	visible := r.allVisible(f.Target, row)
	if visible == "" {
		return ""
	}
	column := ref + "." + pgparse.QuoteIdentifier(f.Column)
	return fmt.Sprintf("(%s IS NULL OR %s)", column,
		inserted.orInserted(f.Target, f.Key, column, r.refers(f.Target, f.Key, row, column, visible)))
}

// value returns the bind parameter that holds a dimension's value, or the array
// of its values. The cast gives it the dimension's type where the protocol gives
// none, and where one parameter serves columns of several types.
func (r tester) value(d *policy.Dimension) string {
	a := Arg{Dimension: d, Write: r.purpose != toRead && r.shape.Presence(d) == WriteOne}
	i := 0
	for i < len(r.args) && r.args[i] != a {
		i++
	}
	if i == len(r.args) {
		r.args = append(r.args, a)
	}
	array := ""
	if presenceOf(r.shape, d, r.purpose) == Many {
		array = "[]"
	}
	return fmt.Sprintf("$%d::%s%s", r.params+1+i, d.Type, array)
}

// A demand is what a row that a statement writes has to satisfy.
type demand struct {
	scopings   []policy.Scoping
	references []policy.Reference
	condition  *policy.Condition
}

func (d demand) isEmpty() bool {
	return len(d.scopings) == 0 && len(d.references) == 0 && d.condition == nil
}

// written returns the predicate of a row of t, called ref, that satisfies a demand.
func (r tester) written(d demand, ref string) string {
	predicate := r.all(d.scopings, d.condition, ref)
	for _, f := range d.references {
		if p := r.reference(f, ref); p != "" {
			if predicate != "" {
				predicate += " AND "
			}
			predicate += p
		}
	}
	return predicate
}
