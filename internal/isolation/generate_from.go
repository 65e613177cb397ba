package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// A from is a FROM clause, or a part of one.
type from struct {
	sql         string
	sources     []*source
	lockable    []string // the aliases that a locking clause may name
	allLockable bool     // a locking clause may also name none
}

// from returns a FROM clause of some items.
func (g *generator) from(l levels, depth int) from {
	n := 1
	switch r := g.IntN(100); {
	case depth <= 0:
		n += r / 85
	case r < 40:
	case r < 80:
		n = 2
	default:
		n = 3
	}
	f := g.item(l, nil, depth)
	for range n - 1 {
		if g.chance(15) {
			other := g.item(l, f.sources, depth)
			f = from{
				sql:         f.sql + ", " + other.sql,
				sources:     append(slices.Clone(f.sources), other.sources...),
				lockable:    append(slices.Clone(f.lockable), other.lockable...),
				allLockable: f.allLockable && other.allLockable,
			}
			// The comma binds less than JOIN: nothing is joined to the whole.
			return f
		}
		f = g.join(l, f, depth)
	}
	return f
}

// join joins one more item to a FROM clause.
func (g *generator) join(l levels, left from, depth int) from {
	kind := g.one("JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "NATURAL")
	var lateral []*source
	if strings.Contains(kind, "LEFT") || kind == "JOIN" || kind == "CROSS JOIN" {
		lateral = left.sources
	}
	right := g.item(l, lateral, depth)
	if g.chance(12) {
		right = g.join(l, right, depth-1)
		if len(right.sources) > 1 { // else the join got an alias, and a bracket
			right.sql = "(" + right.sql + ")"
		}
	}
	f := from{sources: append(slices.Clone(left.sources), right.sources...)}
	switch {
	case strings.Contains(kind, "LEFT"):
		f.lockable = left.lockable
	case kind == "RIGHT JOIN":
		f.lockable = right.lockable
	case kind != "FULL JOIN":
		f.lockable = append(slices.Clone(left.lockable), right.lockable...)
		f.allLockable = left.allLockable && right.allLockable
	}
	inner := l.with(f.sources)
	switch {
	case kind == "CROSS JOIN":
		f.sql = left.sql + " CROSS JOIN " + right.sql
	case kind == "NATURAL":
		if !naturally(left.sources, right.sources) {
			f.sql = left.sql + " CROSS JOIN " + right.sql
			break
		}
		kind = g.one("NATURAL JOIN", "NATURAL LEFT JOIN", "NATURAL JOIN")
		if kind == "NATURAL LEFT JOIN" {
			f.lockable, f.allLockable = left.lockable, false
		}
		f.sql = left.sql + " " + kind + " " + right.sql
	default:
		if names := common(left.sources, right.sources); len(names) > 0 && g.chance(25) {
			f.sql = fmt.Sprintf("%s %s %s USING (%s)", left.sql, kind, right.sql, names[g.IntN(len(names))])
			if g.chance(15) {
				f.sql += " AS " + g.alias()
			}
			break
		}
		on := g.joinCondition(left.sources, right.sources)
		if kind != "FULL JOIN" && g.chance(10) {
			on = g.condition(inner, 1)
		} else if g.chance(35) && (kind != "FULL JOIN" || on != "1 = 1") { // which needs an equality
			on += " AND " + g.condition(inner, depth-1)
		}
		f.sql = fmt.Sprintf("%s %s %s ON %s", left.sql, kind, right.sql, on)
	}
	if g.chance(4) {
		return g.aliasedJoin(f)
	}
	return f
}

// naturally reports whether two sides can be joined by NATURAL JOIN: the columns
// of one name are of one type and occur once on each side.
func naturally(left, right []*source) bool {
	for _, a := range left {
		for _, c := range a.columns {
			for _, b := range right {
				for _, d := range b.columns {
					if c.name == d.name && (c.typ != d.typ || !onlyOne(left, c.name) || !onlyOne(right, c.name)) {
						return false
					}
				}
			}
		}
	}
	return true
}

// common returns the names that occur once on each side, with one type.
func common(left, right []*source) []string {
	var names []string
	for _, a := range left {
		for _, c := range a.columns {
			for _, b := range right {
				for _, d := range b.columns {
					if c.name == d.name && c.typ == d.typ && onlyOne(left, c.name) && onlyOne(right, c.name) {
						names = append(names, c.name)
					}
				}
			}
		}
	}
	return names
}

// aliasedJoin gives a join an alias, which hides its tables.
func (g *generator) aliasedJoin(f from) from {
	s := &source{alias: g.alias()}
	list := ""
	for _, t := range f.sources {
		s.columns = append(s.columns, t.columns...)
	}
	if strings.Contains(f.sql, "USING") || strings.Contains(f.sql, "NATURAL") {
		seen := map[string]int{}
		for _, c := range s.columns {
			seen[c.name]++
		}
		s.columns = slices.DeleteFunc(s.columns, func(c column) bool { return seen[c.name] > 1 })
		if len(s.columns) == 0 {
			return f
		}
	} else {
		s.columns = slices.Clone(s.columns)
		for i := range s.columns {
			s.columns[i].name = g.name("j")
		}
		list = "(" + joinNames(s.columns) + ")"
	}
	return from{sql: "(" + f.sql + ") AS " + s.alias + list, sources: []*source{s}}
}

// joinCondition returns an equality between the sides: along a reference where
// there is one, else between words, keys or other columns of one type.
func (g *generator) joinCondition(left, right []*source) string {
	var along, equal []string
	for _, a := range left {
		for _, c := range a.columns {
			for _, b := range right {
				for _, d := range b.columns {
					if c.typ != d.typ {
						continue
					}
					sql := a.alias + "." + c.name + " = " + b.alias + "." + d.name
					if g.chance(30) {
						sql = b.alias + "." + d.name + " = " + a.alias + "." + c.name
					}
					switch {
					case b.base != nil && c.parent == b.base.name && d.flavour == key,
						a.base != nil && d.parent == a.base.name && c.flavour == key,
						c.parent != "" && c.parent == d.parent:
						along = append(along, sql)
					case c.typ != jsonb && c.typ != boolean:
						equal = append(equal, sql)
					}
				}
			}
		}
	}
	switch {
	case len(along) > 0 && g.chance(75):
		return along[g.IntN(len(along))]
	case len(equal) > 0:
		return equal[g.IntN(len(equal))]
	}
	return "1 = 1"
}

// item returns one FROM item. Lateral are the sources that it may refer to.
func (g *generator) item(l levels, lateral []*source, depth int) from {
	g.size++
	switch n := g.IntN(100); {
	case len(g.ctes) > 0 && n < 35:
		return g.cteItem()
	case depth > 0 && n < 50 && g.size < 14:
		return g.derived(l, lateral, depth)
	case n < 55:
		return g.function(l, lateral, depth)
	}
	return g.tableItem()
}

func (g *generator) cteItem() from {
	c := g.ctes[g.IntN(len(g.ctes))]
	for _, other := range g.ctes { // of one name, the innermost
		if other.alias == c.alias {
			c = other
		}
	}
	s := &source{alias: g.alias(), columns: c.columns}
	return from{sql: c.alias + " AS " + s.alias, sources: []*source{s}, allLockable: true}
}

// tableItem returns a table, with or without an alias, column aliases, ONLY or
// TABLESAMPLE.
func (g *generator) tableItem() from {
	t := schemaTables[g.IntN(len(schemaTables))]
	s := &source{columns: t.columns, base: t}
	sql := g.tableName(t)
	if t.name != "event" && g.chance(5) {
		sql = g.one("ONLY "+sql, "ONLY ("+sql+")", sql+" *")
	}
	switch {
	case g.chance(20) && !g.used[t.name]:
		g.used[t.name] = true
		s.alias = t.name
	default:
		s.alias = g.alias()
		sql += g.one(" AS ", " ", " ") + s.alias
		if g.chance(6) {
			// The names of the first columns are given to others.
			s.columns = slices.Clone(t.columns)
			n := 1 + g.IntN(len(t.columns))
			for i := range n {
				s.columns[i].name = g.name("r")
			}
			if second := t.columns[1].name; n == 1 || g.chance(50) {
				s.columns[0].name = second
				if n == 1 {
					n, s.columns[1].name = 2, g.name("r")
				}
			}
			sql += "(" + joinNames(s.columns[:n]) + ")"
		} else if len(t.keys) > 0 && g.chance(2) { // a view has none
			sql += " TABLESAMPLE bernoulli (100)"
		}
	}
	return from{sql: sql, sources: []*source{s}, lockable: []string{s.alias}, allLockable: true}
}

// derived returns a subquery in FROM.
func (g *generator) derived(l levels, lateral []*source, depth int) from {
	outer, prefix := l, ""
	if len(lateral) > 0 && g.chance(50) {
		outer, prefix = l.with(lateral), "LATERAL "
	}
	q := g.query(outer, nil, depth-1, false)
	s := &source{alias: g.alias(), columns: slices.Clone(q.columns)}
	sql := prefix + "(" + q.sql + ") AS " + s.alias
	if g.chance(15) {
		for i := range s.columns {
			s.columns[i].name = g.name("d")
		}
		sql += "(" + joinNames(s.columns) + ")"
	}
	return from{sql: sql, sources: []*source{s}}
}

// function returns a function in FROM, mostly over a column beside it.
func (g *generator) function(l levels, lateral []*source, depth int) from {
	inner := l
	if len(lateral) > 0 {
		inner = l.with(lateral)
	}
	s := &source{}
	var call, typ string
	switch g.IntN(5) {
	case 0:
		if r, ok := g.reference(inner, ofFlavour(document)); ok {
			call, typ = fmt.Sprintf("jsonb_array_elements(%s -> 'list')", r.sql), jsonb
		}
	case 1:
		if r, ok := g.reference(inner, ofFlavour(divisor)); ok {
			call, typ = fmt.Sprintf("generate_series(1, 4, %s)", r.sql), integer
		}
	case 2:
		if r, ok := g.reference(inner, ofFlavour(list)); ok {
			call, typ = fmt.Sprintf("unnest(%s)", r.sql), integer
		}
	case 3:
		call, typ = fmt.Sprintf("unnest(ARRAY(%s))", g.query(inner, []string{integer}, depth-1, false).sql), integer
	}
	if call == "" {
		if g.chance(75) {
			return g.tableItem()
		}
		call, typ = fmt.Sprintf("generate_series(1, %d)", 1+g.IntN(3)), integer
	}
	s.alias = g.alias()
	s.columns = []column{{name: g.name("f"), typ: typ}}
	list := "(" + s.columns[0].name + ")"
	switch {
	case g.chance(10):
		call = "ROWS FROM (" + call + ", generate_series(1, 2))"
		s.columns = append(s.columns, column{name: g.name("f"), typ: integer})
		list = "(" + joinNames(s.columns) + ")"
	case g.chance(25):
		s.columns = append(s.columns, column{name: g.name("o"), typ: bigint})
		list = "(" + joinNames(s.columns) + ")"
		call += " WITH ORDINALITY"
	}
	return from{sql: call + " AS " + s.alias + list, sources: []*source{s}, allLockable: true}
}
