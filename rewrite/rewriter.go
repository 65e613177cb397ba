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
	*analysis
	policy  *policy.Policy
	catalog Catalog // may be nil
	shape   Shape

	edits  edits
	args   []Arg
	tables []locatedRef
	err    *Error

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
	// implied are the guards of references that conditions imply.
	implied map[*pgparse.RangeVar][]implication
	// subqueries are the references that become subqueries, by name.
	subqueries map[string]*pgparse.RangeVar

	// inserts are the INSERTs of the WITH clause, by the names of their queries.
	inserts map[string]*pgparse.InsertStmt

	// functions are the fields of the functions in FROM, by alias.
	functions map[string]map[string]bool

	check, returning bool
	cursors          []CursorUse
	named            []namedSchema
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
		r.first, r.functions, r.inserts = s.first, fields(s.node), insertsOf(s.node)
		r.dangerOfRoot = sync.OnceValue(func() danger { return r.dangerOfStatement(s.node) })
		r.check, r.returning, r.empty = false, false, false
		r.subqueries = nil
		r.statement(s.node)
		r.refuseLost(s.node)
		if r.err != nil {
			return nil
		}
		if i == 0 {
			check, returning = r.check, r.returning
		}
	}
	r.check, r.returning = check, returning
	rewrite := r.rewrite()
	rewrite.Literal = len(stmts) > 1
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
	rewrite := &Rewrite{
		Params:    r.params,
		Args:      r.args,
		Check:     r.check,
		Returning: r.returning,
		Cursors:   r.cursors,
		Tables:    tables,
		edits:     edits,
		text:      r.text,
	}
	if r.policy.HasSchemas() {
		rewrite.inSchemas(r.policy, r.named)
	} else {
		rewrite.SQL = edits.apply(r.text)
	}
	return rewrite
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
// calls ref, to the scope, as far as scopings do; it is empty where nothing is to
// be restricted.
func (r *rewriter) guard(t *policy.Table, scopings []policy.Scoping, ref string, p purpose, location int32) string {
	if !r.require(t, location) {
		return "false"
	}
	return tester{rewriter: r, purpose: p}.all(scopings, conditionOf(t, p), ref)
}

// require reports whether the scope has every dimension that t is scoped on, and
// refuses the statement where it has not and what it reads has an influence.
func (r *rewriter) require(t *policy.Table, location int32) bool {
	if lacksSchema(r.shape, t) {
		return false
	}
	for _, s := range t.Scopings {
		if presenceOf(r.shape, s.Dimension, toRead) != Absent {
			continue
		}
		if !r.empty {
			r.refuse(Error{
				Code:      CodeScopeRequired,
				Message:   fmt.Sprintf("a scope on dimension %q needs to be active for this query: table %s", s.Dimension.Name, t.Name),
				Hint:      fmt.Sprintf("set it with scoped.With(ctx, %q, …)", s.Dimension.Name),
				Table:     t.Schema + "." + t.Name,
				Dimension: s.Dimension.Name,
			}, location)
		}
		return false
	}
	return true
}

func (r *rewriter) qualified(t *policy.Table) string {
	return r.schemaOf(t) + "." + pgparse.QuoteIdentifier(t.Name)
}

// schemaOf returns the schema of a table as insertions spell it.
func (r *rewriter) schemaOf(t *policy.Table) string {
	if t.In != nil && !lacksSchema(r.shape, t) {
		return mark(asIdentifier, t.In)
	}
	return pgparse.QuoteIdentifier(t.Schema)
}
