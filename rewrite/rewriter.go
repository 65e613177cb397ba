package rewrite

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A rewriter plans the edits of one statement under one shape. It stops at the
// first refusal: err is set once, and what is planned afterwards is discarded.
type rewriter struct {
	*source
	policy  *policy.Policy
	catalog Catalog // may be nil
	shape   Shape

	edits  edits
	args   []*policy.Dimension
	tables []locatedRef
	err    *Error

	perRow      bool // predicates are written for a single row
	aliasPrefix string
	aliases     int

	// empty is set where what is read provably has no influence on the result,
	// so that a missing dimension may restrict to no rows instead of refusing.
	empty bool
	// fills holds what to append to the target list of a SELECT that is a leaf
	// of an INSERT's source.
	fills map[*pgparse.SelectStmt]string

	levels []level // the FROM lists around what is walked

	// first is the statement's first token, dangerOfRoot the greatest danger in it,
	// fences where to end the subqueries that are fenced, and fencedTables the
	// references that are fenced themselves.
	first        int
	dangerOfRoot func() danger
	fences       map[*pgparse.SelectStmt]int
	fencedTables map[*pgparse.RangeVar]bool

	// functions are the fields of the functions in FROM, by alias.
	functions map[string]map[string]bool

	check, returning bool
	cursors          []CursorUse
}

type locatedRef struct {
	TableRef
	offset int
}

// rewriteAll rewrites the statements of a text, each on its own: no edit of one
// reaches into another.
func (r *rewriter) rewriteAll(stmts []statement) *Rewrite {
	var check, returning bool // of the first
	for i, s := range stmts {
		r.first, r.functions = s.first, fields(s.node)
		r.dangerOfRoot = sync.OnceValue(func() danger { return dangerOfStatement(s.node) })
		r.check, r.returning, r.empty = false, false, false
		r.statement(s.node)
		if r.err != nil {
			return nil
		}
		if i == 0 {
			check, returning = r.check, r.returning
		}
	}
	r.check, r.returning = check, returning
	rewrite := r.rewrite()
	if rewrite.Literal = len(stmts) > 1; rewrite.Literal {
		rewrite.text = r.text
	}
	return rewrite
}

// rewrite returns the plan, carried out.
func (r *rewriter) rewrite() *Rewrite {
	edits := r.edits.sorted(r.text)
	sort.SliceStable(r.tables, func(i, j int) bool { return r.tables[i].offset < r.tables[j].offset })
	tables := make([]TableRef, len(r.tables))
	for i, t := range r.tables {
		tables[i] = t.TableRef
	}
	return &Rewrite{
		SQL:       edits.apply(r.text),
		Params:    r.params,
		Args:      r.args,
		Check:     r.check,
		Returning: r.returning,
		Cursors:   r.cursors,
		Tables:    tables,
		edits:     edits,
	}
}

// refuse records why the statement is refused.
func (r *rewriter) refuse(e Error, location int32) {
	if r.err != nil {
		return
	}
	if location >= 0 {
		e.Position = PositionAt(r.text, int(location))
	}
	r.err = &e
}

func (r *rewriter) refuseConstruct(location int32, message, hint string) {
	r.refuse(Error{Code: CodeConstruct, Message: message, Hint: hint}, location)
}

// freshPrefix returns a prefix for the inserted aliases that does not occur in text.
func freshPrefix(text string) string {
	text = strings.ToLower(text)
	prefix := "scoped_"
	for n := 1; strings.Contains(text, prefix); n++ {
		prefix = "scoped" + strconv.Itoa(n) + "_"
	}
	return prefix
}

func (r *rewriter) alias() string {
	r.aliases++
	return r.aliasPrefix + strconv.Itoa(r.aliases)
}

// guard returns the predicate that restricts the rows of t, which the statement
// calls ref, to the scope; it is empty where nothing is to be restricted.
func (r *rewriter) guard(t *policy.Table, ref string, location int32) string {
	for _, s := range t.Scopings {
		if r.shape.Presence(s.Dimension) != Absent {
			continue
		}
		if r.empty {
			return "false"
		}
		r.refuse(Error{
			Code:      CodeScopeRequired,
			Message:   fmt.Sprintf("a scope on dimension %q needs to be active for this query: table %s", s.Dimension.Name, t.Name),
			Hint:      fmt.Sprintf("set it with scoped.With(ctx, %q, …)", s.Dimension.Name),
			Table:     t.Schema + "." + t.Name,
			Dimension: s.Dimension.Name,
		}, location)
		return "false"
	}
	return r.predicates(t.Scopings, ref)
}

// predicates joins the predicates of several scopings of one table.
func (r *rewriter) predicates(scopings []policy.Scoping, ref string) string {
	return strings.Join(r.each(scopings, ref), " AND ")
}

// each returns the predicates of several scopings of one table, those on its own
// columns, which cost least, first.
func (r *rewriter) each(scopings []policy.Scoping, ref string) []string {
	var own, others []string
	for _, s := range scopings {
		switch {
		case r.shape.Presence(s.Dimension) == All:
		case s.Path == nil && s.Any == nil:
			own = append(own, r.predicate(s, ref))
		default:
			others = append(others, r.predicate(s, ref))
		}
	}
	return append(own, others...)
}

// rowPredicates is predicates for the check of a row. There is no join for the
// planner to make of IN, so it would first collect all keys that the scope has:
// for one row of a tenant with 10,000 that took 4.3 ms on PostgreSQL 15, and
// EXISTS, which looks the key up, 0.2 ms.
func (r *rewriter) rowPredicates(scopings []policy.Scoping, ref string) string {
	r.perRow = true
	predicates := r.predicates(scopings, ref)
	r.perRow = false
	return predicates
}

func (r *rewriter) predicate(s policy.Scoping, ref string) string {
	if s.Any != nil {
		return "(" + strings.Join(r.each(s.Any, ref), " OR ") + ")"
	}
	column := ref + "." + pgparse.QuoteIdentifier(s.Column)
	if s.Path == nil {
		if r.shape.Presence(s.Dimension) == Many {
			return fmt.Sprintf("%s = ANY(%s)", column, r.value(s.Dimension))
		}
		return column + " = " + r.value(s.Dimension)
	}
	row := r.alias()
	if r.perRow {
		return fmt.Sprintf("EXISTS (SELECT FROM %s AS %s WHERE %s.%s = %s AND %s)", qualified(s.Path.Target), row,
			row, pgparse.QuoteIdentifier(s.Path.Key), column, r.predicate(*s.Path.Via, row))
	}
	return fmt.Sprintf("%s IN (SELECT %s.%s FROM %s AS %s WHERE %s)", column,
		row, pgparse.QuoteIdentifier(s.Path.Key), qualified(s.Path.Target), row, r.predicate(*s.Path.Via, row))
}

// value returns the bind parameter that holds a dimension's value, or the array
// of its values. The cast gives it the dimension's type where the protocol gives
// none, and where one parameter serves columns of several types.
func (r *rewriter) value(d *policy.Dimension) string {
	i := 0
	for i < len(r.args) && r.args[i] != d {
		i++
	}
	if i == len(r.args) {
		r.args = append(r.args, d)
	}
	array := ""
	if r.shape.Presence(d) == Many {
		array = "[]"
	}
	return fmt.Sprintf("$%d::%s%s", r.params+1+i, d.Type, array)
}

func qualified(t *policy.Table) string {
	return pgparse.QuoteIdentifier(t.Schema) + "." + pgparse.QuoteIdentifier(t.Name)
}
