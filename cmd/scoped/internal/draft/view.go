package draft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// A view is what a view or materialized view shows.
type view struct {
	definition string
	fault      string // why the server cannot say whose columns it shows
	reads      []*catalog.Table
	system     []string // what it reads of the system's
	leftOut    []string // what it reads in the schemas of values
	calls      []string // the functions that are not the system's
	origins    map[string]column
	attributes map[attribute]column // of what it reads
}

// An attribute is a column as the protocol names it.
type attribute struct {
	table  uint32
	number uint16
}

func (db *Database) readViews(ctx context.Context, tx pgx.Tx) error {
	var of, on tableName
	var definition string
	err := each(ctx, tx, `
SELECT n.nspname, c.relname, pg_get_viewdef(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (`+db.ofValue+`)`,
		[]any{&of.schema, &of.name, &definition}, func() {
			if t := db.table(of); t != nil {
				db.views[t] = &view{definition: definition, origins: map[string]column{}, attributes: map[attribute]column{}}
			}
		})
	if err != nil {
		return err
	}
	const rules = `
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid`
	var a attribute
	var attributeName string
	err = each(ctx, tx, `
SELECT n.nspname, c.relname, rn.nspname, rc.relname, rc.oid, coalesce(a.attnum, 0), coalesce(a.attname, '')`+rules+`
JOIN pg_class rc ON d.refclassid = 'pg_class'::regclass AND rc.oid = d.refobjid AND rc.oid <> c.oid
JOIN pg_namespace rn ON rn.oid = rc.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = rc.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
WHERE r.rulename = '_RETURN' AND rc.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT (`+db.ofValue+`)
ORDER BY rn.nspname, rc.relname`,
		[]any{&of.schema, &of.name, &on.schema, &on.name, &a.table, &a.number, &attributeName}, func() {
			v, t := db.views[db.table(of)], db.table(on)
			switch {
			case v == nil:
			case t == nil && !strings.HasPrefix(on.schema, "pg_") && on.schema != "information_schema":
				v.leftOut = appendNew(v.leftOut, on.schema+"."+on.name)
			case t == nil:
				v.system = appendNew(v.system, on.name)
			default:
				v.reads = appendNew(v.reads, t)
				if a.number > 0 {
					v.attributes[a] = column{t, attributeName}
				}
			}
		})
	if err != nil {
		return err
	}
	return each(ctx, tx, `
SELECT n.nspname, c.relname, f.proname`+rules+`
JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
JOIN pg_namespace fn ON fn.oid = f.pronamespace AND fn.nspname !~ '^pg_' AND fn.nspname <> 'information_schema'
WHERE r.rulename = '_RETURN' AND NOT (`+db.ofValue+`)
ORDER BY f.proname`,
		[]any{&of.schema, &of.name, &on.name}, func() {
			if v := db.views[db.table(of)]; v != nil {
				v.calls = appendNew(v.calls, on.name)
			}
		})
}

func appendNew[T comparable](list []T, item T) []T {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// describeViews asks the server whose columns the views show, by preparing
// their queries. None is executed.
func (db *Database) describeViews(ctx context.Context, conn *pgx.Conn) error {
	for t, v := range db.views {
		described, err := conn.PgConn().Prepare(ctx, "", v.definition, nil)
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) {
			v.fault = refusal.Message // such as a missing right on a schema
			continue
		}
		if err != nil {
			return err
		}
		if len(described.Fields) != len(t.Columns) {
			continue // it was replaced in this moment
		}
		for i, f := range described.Fields {
			if c, ok := v.attributes[attribute{f.TableOID, f.TableAttributeNumber}]; ok {
				v.origins[t.Columns[i].Name] = c
			}
		}
	}
	return nil
}

// addViews decides about views, those that they read first.
func (p *proposer) addViews() {
	for _, t := range p.db.catalog.Tables() {
		if p.db.views[t] != nil {
			p.addView(t)
		}
	}
}

func (p *proposer) addView(t *catalog.Table) {
	if p.listed[t] != nil || p.entries[t] != nil {
		return
	}
	v := p.db.views[t]
	for _, other := range v.reads {
		if p.db.views[other] != nil && other != t {
			p.addView(other)
		}
	}
	e, problem := p.view(t, v)
	if problem != "" {
		e = p.deny(t, fmt.Sprintf("a %s: %s", t.Kind, problem))
	} else if in := p.schemas(t); in != nil {
		e.spec.access, e.spec.in = policy.Scoped, in.name
	}
	p.entries[t] = e
}

// view returns the entry of a view, or why there is none.
func (p *proposer) view(t *catalog.Table, v *view) (e *entry, problem string) {
	if extension := p.db.extensions[t]; extension != "" {
		return nil, "it belongs to the extension " + extension
	}
	if len(v.system) > 0 {
		return nil, "it reads " + strings.Join(v.system, ", ") + " of the system"
	}
	if len(v.leftOut) > 0 {
		return nil, "it reads " + several(v.leftOut) + ", one value's"
	}
	if len(v.reads) == 0 {
		return nil, "it reads none of the application's tables"
	}
	var names []string
	restricted := map[string]bool{} // the dimensions of what it reads
	for _, other := range v.reads {
		names = append(names, p.shown(other))
		s := p.spec(other)
		switch {
		case p.reachesInto(t, other):
			return nil, "it reads " + p.inside(other)
		case s == nil || s.access == policy.Denied:
			return nil, fmt.Sprintf("it reads %s, which is denied", p.shown(other))
		case s.where != "":
			return nil, fmt.Sprintf("it reads %s, and does not know of its condition", p.shown(other))
		}
		for _, sc := range s.scopings {
			restricted[sc.dimension] = true
		}
	}
	e = &entry{table: t, group: views, why: "reads " + several(names)}
	if len(v.calls) > 0 {
		e.why += ", calls " + strings.Join(v.calls, ", ")
	}
	if len(restricted) == 0 {
		e.spec.access = policy.SharedRead
		return e, ""
	}
	e.spec = spec{access: policy.Scoped, view: t.Kind == catalog.View}
	optional := p.schemas(t) == nil
	for _, d := range p.dimensions {
		if !restricted[d.name] {
			continue
		}
		w, from, ok := p.shows(t, v, d)
		if !ok {
			problem = fmt.Sprintf("it shows no column by which its rows could be told apart on %s; it reads %s", d.name, several(names))
			if v.fault != "" {
				problem = fmt.Sprintf("the server does not say what it shows (%s)", v.fault)
			}
			return nil, problem
		}
		e.spec.scopings = append(e.spec.scopings, scoping{dimension: d.name, ways: []way{w}})
		e.why += fmt.Sprintf("; %s is %s.%s", w.column, p.shown(from.table), from.name)
		optional = optional && d.optional
	}
	if optional {
		return nil, "it belongs to optional dimensions only, without which everybody would see all of it"
	}
	return e, ""
}

// shows returns the best way from a view's columns to a dimension, and the column
// that is shown: one that holds the value, else one that begins a path, else a
// key of a row that is scoped.
func (p *proposer) shows(t *catalog.Table, v *view, d *dimension) (best way, from column, ok bool) {
	rank := 4
	for _, c := range t.Columns {
		origin, known := v.origins[c.Name]
		if !known {
			continue
		}
		s := p.spec(origin.table).on(d.name)
		if s == nil {
			continue
		}
		candidate, r := way{column: c.Name}, 4
		switch w := s.ways[0]; {
		case len(s.ways) == 1 && w.column == origin.name && w.to == (tableName{}):
			r = 1
		case len(s.ways) == 1 && w.column == origin.name:
			candidate.to, candidate.key = w.to, w.key
			r = 2
		case p.canBeTarget(t, origin.table) && origin.table.IsUnique(origin.name):
			candidate.to, candidate.key = nameOf(origin.table), origin.name
			r = 3
		}
		if r < rank {
			best, from, rank = candidate, origin, r
		}
	}
	return best, from, rank < 4
}

// canBeTarget reports whether paths and references may lead from one table to
// another, which is scoped: the policy lists it by its name, it has no children,
// which may repeat its keys, and it lives once or in the same schema.
func (p *proposer) canBeTarget(from, to *catalog.Table) bool {
	given := p.listed[to]
	return !p.db.inherited[to] && !p.reachesInto(from, to) && (given == nil || given.exact)
}
