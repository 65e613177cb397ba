package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// ctes are the names of WITH queries that are visible at a place of the
// statement, the innermost first.
type ctes struct {
	name  string
	outer *ctes
}

func (c *ctes) with(name string) *ctes { return &ctes{name: name, outer: c} }

// hides reports whether a name means a WITH query, which a qualified one never does.
func (c *ctes) hides(rv *pgparse.RangeVar) bool {
	for ; c != nil; c = c.outer {
		if c.name == rv.Relname {
			return rv.Schemaname == "" && rv.Catalogname == ""
		}
	}
	return false
}

// lookup returns what a table name means under a policy. PostgreSQL looks into
// pg_catalog before the search path. A nil table is one that no policy lists.
func lookup(p *policy.Policy, rv *pgparse.RangeVar) *policy.Table {
	schema, name := rv.Schemaname, rv.Relname
	if rv.Catalogname != "" {
		return nil
	}
	if schema == "" && builtin.IsCatalog(name) {
		schema = "pg_catalog"
	}
	if builtin.Relation(schema, name) {
		return &policy.Table{Schema: schema, Name: name, Access: policy.SharedRead}
	}
	return p.Table(schema, name)
}

// A relation is one reference to a table in the user's text.
type relation struct {
	*policy.Table
	ref      string // the name by which the statement calls its rows
	location int32
	first    int // its first token, ONLY included
	behind   int // the token behind its name, and behind ONLY's parenthesis or the star
	columns  int // the token that opens its column alias list, or 0
	last     int // the token behind all of it, the alias included
}

// relation resolves a reference and finds its tokens. It returns nil, having
// refused, where the policy does not let the table be used.
func (r *rewriter) relation(rv *pgparse.RangeVar, access string) *relation {
	table := lookup(r.policy, rv)
	name := rv.Relname
	if rv.Schemaname != "" {
		name = rv.Schemaname + "." + name
	}
	switch {
	case rv.Catalogname != "":
		r.refuse(Error{
			Code:    CodeTable,
			Message: fmt.Sprintf("table %s.%s is named with a database", rv.Catalogname, name),
			Hint:    "leave the database's name out",
			Table:   strings.Clone(name),
		}, rv.Location)
		return nil
	case table == nil:
		r.refuse(Error{
			Code:    CodeTable,
			Message: fmt.Sprintf("table %s is not listed in the policy", name),
			Hint:    "list it under tables, as scoped, shared or denied",
			Table:   strings.Clone(name),
		}, rv.Location)
		return nil
	case table.Access == policy.Denied:
		r.refuse(Error{
			Code:    CodeTable,
			Message: fmt.Sprintf("table %s is denied by the policy", name),
			Hint:    "use it with scopes disabled: scoped.Disable(ctx, reason)",
			Table:   table.Schema + "." + table.Name,
		}, rv.Location)
		return nil
	case table.Access == policy.SharedRead && access != "read":
		r.refuse(Error{
			Code:    CodeTable,
			Message: fmt.Sprintf("table %s is shared for reading only", name),
			Hint:    "write to it with scopes disabled: scoped.Disable(ctx, reason)",
			Table:   table.Schema + "." + table.Name,
		}, rv.Location)
		return nil
	}

	if !r.ownSchema(rv.Schemaname, "table "+rv.Relname, rv.Location) {
		return nil
	}
	if table.In != nil && !(r.empty && lacksSchema(r.shape, table)) && !r.chosen(table.In, "table "+table.Name, table.Schema+"."+table.Name, rv.Location) {
		return nil
	}

	t := &relation{Table: table, ref: pgparse.QuoteIdentifier(rv.Relname), location: rv.Location}
	t.first = r.tokenAt(rv.Location)
	t.behind = r.name(t.first)
	switch {
	case r.token(t.first-1) == pgparse.Token_ONLY:
		t.first--
	case r.token(t.first-1) == pgparse.Token_ASCII_40 && r.token(t.first-2) == pgparse.Token_ONLY:
		t.first -= 2
		t.behind++
	case r.token(t.behind) == pgparse.Token_ASCII_42:
		t.behind++
	}
	t.last = t.behind
	if rv.Alias != nil {
		t.ref = pgparse.QuoteIdentifier(rv.Alias.Aliasname)
		if r.token(t.last) == pgparse.Token_AS {
			t.last++
		}
		t.last = r.identifier(t.last)
		if len(rv.Alias.Colnames) > 0 {
			t.columns = t.last
			t.last = r.closing(t.last) + 1
		}
	}
	return t
}

// qualify writes out the schema of an unqualified name, so that neither the
// session's search_path nor a temporary table decides what it means.
func (r *rewriter) qualify(rv *pgparse.RangeVar, t *relation) {
	if rv.Schemaname == "" {
		r.edits.prefix(int(rv.Location), r.schemaOf(t.Table)+".")
	}
}

func (r *rewriter) record(t *relation, access string, guards ...string) {
	guards = slices.DeleteFunc(guards, func(guard string) bool { return guard == "" })
	schema := t.Schema
	if t.In != nil && !lacksSchema(r.shape, t.Table) {
		schema = mark(asName, t.In)
	}
	r.tables = append(r.tables, locatedRef{
		TableRef: TableRef{Table: schema + "." + t.Name, Access: access, Guard: strings.Join(guards, " AND ")},
		offset:   int(t.location),
	})
}

// read guards a table reference from which rows are read. The table is joined to
// a row without columns, so that every name, star, lock and NATURAL JOIN around
// it sees what it saw before:
//
//	post AS p   becomes   (public.post AS p JOIN (SELECT) AS scoped_1 ON p.site_id = $1::bigint)
//
// A column alias list renames what the guard names, so there the guard goes
// below it:
//
//	post AS p(a, b)   becomes   (SELECT * FROM public.post AS p WHERE p.site_id = $1::bigint) AS p(a, b)
//
// and so it does, with OFFSET 0, where the order of evaluation wants a fence. What
// a condition implies is left out of the guard.
func (r *rewriter) read(rv *pgparse.RangeVar, sample *pgparse.RangeTableSample, visible *ctes) {
	if visible.hides(rv) {
		return
	}
	t := r.relation(rv, "read")
	if t == nil {
		return
	}
	guard, scopings, implied := "", t.Scopings, []string(nil)
	if !r.fencedTables[rv] { // nothing outside a fence runs before it
		scopings, implied = withoutImplied(scopings, r.implied[rv])
	}
	if t.Access == policy.Scoped {
		guard = r.guard(t.Table, scopings, t.ref, toRead, rv.Location)
	}
	r.record(t, "read", append([]string{guard}, implied...)...)
	if guard == "" {
		r.qualify(rv, t)
		return
	}
	fence := ""
	if r.fencedTables[rv] || t.Barrier {
		fence = " OFFSET 0"
	}
	if t.columns > 0 || fence != "" {
		r.madeSubquery(rv)
	}
	if t.columns > 0 {
		if sample != nil {
			r.refuseConstruct(rv.Location, "a column alias list together with TABLESAMPLE",
				"sample in a subquery: (SELECT * FROM … TABLESAMPLE …) AS "+t.ref+"(…)")
			return
		}
		r.edits.prefix(r.start(t.first), "(SELECT * FROM ")
		r.qualify(rv, t)
		r.edits.suffix(r.end(t.columns-1), " WHERE "+guard+fence+") AS "+t.ref)
		return
	}
	if fence != "" {
		r.edits.prefix(r.start(t.first), "(SELECT * FROM ")
		r.qualify(rv, t)
		r.edits.suffix(r.end(r.behindSample(t.last, sample)-1), " WHERE "+guard+fence+") AS "+t.ref)
		return
	}
	r.edits.prefix(r.start(t.first), "(")
	r.qualify(rv, t)
	r.edits.suffix(r.end(r.behindSample(t.last, sample)-1), " JOIN (SELECT) AS "+r.alias()+" ON "+guard+")")
}

// behindSample returns the index behind a TABLESAMPLE clause that begins at i.
func (r *rewriter) behindSample(i int, sample *pgparse.RangeTableSample) int {
	if sample == nil {
		return i
	}
	i = r.closing(r.name(i+1)) + 1
	if sample.Repeatable != nil {
		i = r.closing(i+1) + 1
	}
	return i
}
