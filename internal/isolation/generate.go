package isolation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Generate returns statement i of a seed: the same one in every run. A write is
// an INSERT, UPDATE, DELETE or MERGE, or holds one in a WITH query. Faults adds
// what meets the known faults of the rewriter, the cases in
// testdata/regressions/known: groups by a primary key, which a fence and a column
// alias list take from a table, and grouping sets over the scope's column.
func Generate(seed, i uint64, write, faults bool) string {
	kind := uint64(0)
	if write {
		kind = 1
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, i<<1|kind)), used: map[string]bool{}, faults: faults}
	sql := ""
	if write {
		sql = g.write()
	} else {
		sql = g.selectStatement()
	}
	if !strings.Contains(sql, "$1") {
		sql = strings.ReplaceAll(sql, "$2", "$1")
	}
	return sql
}

// A generator makes one statement, well-typed and mostly free of failures on
// the rows of a tenant.
type generator struct {
	*rand.Rand
	faults bool
	names  int
	used   map[string]bool // the aliases of the statement
	ctes   []*source       // the WITH queries that are visible, the innermost last
	bare   int             // above zero where no locking clause may stand
	named  string          // the window that the SELECT names in its WINDOW clause
	size   int             // what was spent so far, so that no statement grows without end
}

// A source is what a FROM item offers.
type source struct {
	alias   string // as SQL writes it
	columns []column
	base    *table // nil unless it is a table's rows themselves
}

// Levels are the sources that an expression can name: those of the query itself
// last, those of the queries around it before.
type levels [][]*source

// with returns the levels and one more, in which sources hide those of the same
// alias outside.
func (l levels) with(sources []*source) levels {
	inner := make(levels, 0, len(l)+1)
	for _, level := range l {
		inner = append(inner, slices.DeleteFunc(slices.Clone(level), func(s *source) bool {
			return slices.ContainsFunc(sources, func(t *source) bool { return t.alias == s.alias })
		}))
	}
	return append(inner, sources)
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

// name returns a fresh name.
func (g *generator) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

// alias returns an alias that the statement does not use yet: mostly a plain
// one, sometimes one that a careless rewriter would confuse with its own or with
// a table.
func (g *generator) alias() string {
	var a string
	switch g.IntN(20) {
	case 0:
		a = g.one("scoped_1", "scoped_2", "scoped_3", `"Scoped_1"`)
	case 1:
		a = schemaTables[g.IntN(len(schemaTables))].name
	case 2:
		a = g.one(`"select"`, `"a b"`, `"x""y"`, "site_id", `"T"`, "s", "p")
	}
	if a == "" || g.used[a] {
		a = g.name(g.one("t", "t", "q"))
	}
	g.used[a] = true
	return a
}

// A reference is a column as an expression writes it.
type reference struct {
	sql string
	column
}

// references returns the columns that satisfy want, those of the query itself
// before those of the queries around it.
func (g *generator) references(l levels, want func(column) bool) (inner, outer []reference) {
	for i, level := range l {
		for _, s := range level {
			for _, c := range s.columns {
				if !want(c) {
					continue
				}
				r := reference{s.alias + "." + c.name, c}
				if i < len(l)-1 {
					outer = append(outer, r)
					continue
				}
				if g.chance(20) && onlyOne(level, c.name) {
					r.sql = c.name
				}
				inner = append(inner, r)
			}
		}
	}
	return inner, outer
}

func onlyOne(level []*source, name string) bool {
	n := 0
	for _, s := range level {
		for _, c := range s.columns {
			if c.name == name {
				n++
			}
		}
	}
	return n == 1
}

// reference picks a column, mostly of the query itself.
func (g *generator) reference(l levels, want func(column) bool) (reference, bool) {
	inner, outer := g.references(l, want)
	if len(inner) == 0 || len(outer) > 0 && g.chance(15) {
		inner = outer
	}
	if len(inner) == 0 {
		return reference{}, false
	}
	return inner[g.IntN(len(inner))], true
}

func ofType(typ string) func(column) bool {
	return func(c column) bool { return c.typ == typ }
}

func ofFlavour(flavour string) func(column) bool {
	return func(c column) bool { return c.flavour == flavour }
}

// selectStatement returns a SELECT, VALUES or TABLE.
func (g *generator) selectStatement() string {
	if g.chance(4) {
		return g.recursive()
	}
	q := g.query(nil, nil, 3, true)
	return q.sql
}

// A query is the text of one and the columns that it returns.
type query struct {
	sql     string
	columns []column
}

// query returns a query of the types wanted, or of any where want is nil.
func (g *generator) query(l levels, want []string, depth int, top bool) query {
	g.size++
	switch n := g.IntN(100); {
	case depth <= 0 || g.size > 12:
		return g.plainSelect(l, want, 0, top)
	case n < 10:
		return g.setOperation(l, want, depth, top)
	case n < 22:
		return g.withQuery(l, want, depth, top)
	case n < 25:
		return g.values(l, want)
	case n < 27 && want == nil:
		return g.tableCommand()
	case n < 42:
		return g.grouped(l, want, depth, top)
	case n < 48:
		return g.distinctOn(l, want, depth)
	case n < 54:
		return g.windowed(l, want, depth, top)
	default:
		return g.plainSelect(l, want, depth, top)
	}
}

// types returns the types wanted, or some.
func (g *generator) types(want []string) []string {
	if want != nil {
		return want
	}
	types := make([]string, 1+g.IntN(3))
	for i := range types {
		types[i] = g.one(integer, integer, bigint, bigint, text, text, text, numeric, boolean, date, timestamp, jsonb, integers, texts)
	}
	return types
}

// targets returns a target list whose items are labelled.
func (g *generator) targets(types []string, expression func(typ string) (string, string)) ([]string, []column) {
	items, columns := make([]string, len(types)), make([]column, len(types))
	for i, typ := range types {
		sql, flavour := expression(typ)
		columns[i] = column{name: g.name("c"), typ: typ, flavour: flavour}
		as := " AS "
		items[i] = sql + as + columns[i].name
	}
	return items, columns
}

// target returns an expression of a type, or a column of it with its flavour.
func (g *generator) target(l levels, typ string, depth int) (string, string) {
	if g.chance(55) {
		if r, ok := g.reference(l, ofType(typ)); ok {
			return r.sql, r.flavour
		}
	}
	return g.cast(g.expression(l, typ, depth), typ), plain
}

// cast makes sure of the type of what may be an untyped literal.
func (g *generator) cast(sql, typ string) string {
	if typ == boolean && strings.Contains(sql, " ") {
		return "(" + sql + ")::boolean"
	}
	if strings.HasPrefix(sql, "'") || sql == "NULL" || typ != integer && !strings.ContainsAny(sql, ".(") {
		return sql + "::" + typ
	}
	return sql
}

func ordinals(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(parts, ", ")
}

// tail returns ORDER BY and LIMIT, mostly such that they decide the answer.
func (g *generator) tail(columns int, top bool) string {
	tail := ""
	switch {
	case g.chance(30) && columns > 0:
		tail = " ORDER BY " + ordinals(columns)
		if g.chance(20) {
			tail += g.one(" DESC", " DESC NULLS LAST", " NULLS FIRST")
		}
		if g.chance(40) {
			tail += g.one(" LIMIT 3", " LIMIT 2 OFFSET 1", " FETCH FIRST 2 ROWS ONLY", " OFFSET 1", " LIMIT ALL", " FETCH FIRST 2 ROWS WITH TIES")
		}
	case g.chance(3):
		tail = g.one(" LIMIT 2", " OFFSET 1", " LIMIT 0", " LIMIT (SELECT count(*) FROM post) - 5")
	case g.chance(2):
		tail = " OFFSET 0"
	}
	return tail
}

func (g *generator) setOperation(l levels, want []string, depth int, top bool) query {
	types := g.types(want)
	g.bare++
	defer func() { g.bare-- }()
	left, right := g.query(l, types, depth-1, false), g.query(l, types, depth-1, false)
	operator := g.one("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL")
	if slices.Contains(types, "") {
		operator = "UNION ALL"
	}
	sql := "(" + left.sql + ") " + operator + " (" + right.sql + ")"
	if g.chance(15) {
		sql += " " + g.one("UNION ALL", "EXCEPT") + " (" + g.query(l, types, 0, false).sql + ")"
	}
	columns := slices.Clone(left.columns)
	for i := range columns {
		columns[i].flavour = plain
		if columns[i].flavour == right.columns[i].flavour {
			columns[i].flavour = left.columns[i].flavour
		}
	}
	return query{sql + g.tail(len(types), top), columns}
}

// withQuery returns a query with WITH queries before it.
func (g *generator) withQuery(l levels, want []string, depth int, top bool) query {
	visible := len(g.ctes)
	var parts []string
	var made []*source
	for range 1 + g.IntN(2) {
		name := g.name("w")
		if g.chance(25) {
			// The name of a table: the table is then reached by its schema only.
			name = schemaTables[g.IntN(len(schemaTables))].name
		}
		if slices.ContainsFunc(made, func(s *source) bool { return s.alias == name }) {
			continue
		}
		q := g.query(nil, nil, depth-1, false)
		columns, list := slices.Clone(q.columns), ""
		if g.chance(15) {
			for i := range columns {
				columns[i].name = g.name("k")
			}
			list = "(" + joinNames(columns) + ")"
		}
		parts = append(parts, name+list+" AS "+g.one("", "", "", "MATERIALIZED ", "NOT MATERIALIZED ")+"("+q.sql+")")
		s := &source{alias: name, columns: columns}
		made = append(made, s)
		g.ctes = append(g.ctes, s)
	}
	q := g.query(l, want, depth-1, top)
	g.ctes = g.ctes[:visible]
	if strings.HasPrefix(q.sql, "WITH ") {
		q.sql = "SELECT * FROM (" + q.sql + ") AS " + g.aliasOnly()
	}
	return query{"WITH " + strings.Join(parts, ", ") + " " + q.sql, q.columns}
}

func joinNames(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// recursive returns a WITH RECURSIVE over one of the self relations.
func (g *generator) recursive() string {
	name := g.one("tree", "tree", "category", "comment")
	t := g.one("category", "comment")
	label := map[string]string{"category": "name", "comment": "body"}[t]
	s := &source{alias: "a", columns: tableNamed(t).columns, base: tableNamed(t)}
	up := g.one("b.parent_id = r.id", "b.id = r.parent_id")
	union := g.one("UNION ALL", "UNION")
	first := "a.parent_id IS NULL"
	if up == "b.id = r.parent_id" || g.chance(30) {
		first = g.condition(levels{{s}}, 1)
	}
	body := fmt.Sprintf("SELECT a.id, a.parent_id, a.%s::text AS label, 1 AS depth FROM public.%s a WHERE %s", label, t, first)
	step := fmt.Sprintf("SELECT b.id, b.parent_id, r.label || '/' || b.%s, r.depth + 1 FROM %s r JOIN public.%s b ON %s WHERE r.depth < 5", label, name, t, up)
	if g.chance(40) {
		step += " AND " + g.condition(levels{{&source{alias: "b", columns: tableNamed(t).columns, base: tableNamed(t)}}}, 1)
	}
	cte := &source{alias: name, columns: []column{{name: "id", typ: bigint, flavour: key}, {name: "parent_id", typ: bigint}, {name: "label", typ: text}, {name: "depth", typ: integer}}}
	g.ctes = append(g.ctes, cte)
	q := g.query(nil, nil, 1, true)
	g.ctes = nil
	if strings.HasPrefix(q.sql, "WITH ") {
		q.sql = "SELECT * FROM (" + q.sql + ") AS " + g.aliasOnly()
	}
	clause := g.one("", "", "", "", " SEARCH DEPTH FIRST BY id SET place", " SEARCH BREADTH FIRST BY id SET place", " CYCLE id SET looped USING way")
	return fmt.Sprintf("WITH RECURSIVE %s(id, parent_id, label, depth) AS (%s %s %s)%s %s", name, body, union, step, clause, q.sql)
}

func (g *generator) values(l levels, want []string) query {
	types := g.types(want)
	columns := make([]column, len(types))
	for i, typ := range types {
		columns[i] = column{name: fmt.Sprintf("column%d", i+1), typ: typ}
	}
	rows := make([]string, 1+g.IntN(3))
	for i := range rows {
		items := make([]string, len(types))
		for j, typ := range types {
			items[j] = g.cast(g.expression(l, typ, 1), typ)
		}
		rows[i] = "(" + strings.Join(items, ", ") + ")"
	}
	return query{"VALUES " + strings.Join(rows, ", "), columns}
}

func (g *generator) tableCommand() query {
	t := schemaTables[g.IntN(len(schemaTables))]
	return query{"TABLE " + g.tableName(t), t.columns}
}

// tableName writes a table's name: with its schema where a WITH query hides it.
func (g *generator) tableName(t *table) string {
	hidden := slices.ContainsFunc(g.ctes, func(s *source) bool { return s.alias == t.name })
	name := t.name
	if g.chance(5) {
		name = `"` + name + `"`
	}
	if hidden || g.chance(10) {
		name = "public." + name
	}
	return name
}

// plainSelect returns a SELECT without groups.
func (g *generator) plainSelect(l levels, want []string, depth int, top bool) query {
	f := g.from(l, depth)
	inner := l.with(f.sources)
	types := g.types(want)
	if want == nil && g.chance(20) {
		if q, ok := g.starSelect(l, f, depth, top); ok {
			return q
		}
	}
	items, columns := g.targets(types, func(typ string) (string, string) { return g.target(inner, typ, depth) })
	if want == nil && top && g.chance(8) {
		s := f.sources[g.IntN(len(f.sources))]
		items, columns = append(items, g.wholeRow(s)), nil
	}
	distinct := ""
	if g.chance(10) {
		distinct = "DISTINCT "
	}
	sql := "SELECT " + distinct + strings.Join(items, ", ") + " FROM " + f.sql + g.where(inner, depth)
	if columns != nil && distinct == "" && g.chance(7) {
		sql += " ORDER BY coalesce(" + g.typed(inner, integer, depth-1) + ", 0)"
	} else if columns != nil {
		sql += g.tail(len(columns), top)
	}
	if distinct == "" && !strings.HasSuffix(sql, "TIES") {
		sql += g.locking(f)
	}
	return query{sql, columns}
}

// wholeRow returns all of a source. An alias that is also a column's name means
// the column unless a star follows.
func (g *generator) wholeRow(s *source) string {
	alias := s.alias
	if alias == "site_id" {
		return alias + ".*"
	}
	return g.one(alias, alias+".*", "("+alias+").*", "row_to_json("+alias+")")
}

// byKey returns a SELECT that groups by a primary key and uses other columns of
// the table, which the key determines.
func (g *generator) byKey(l levels) (query, bool) {
	f := g.tableItem()
	s := f.sources[0]
	if len(s.base.keys) == 0 || s.base.keys[0] != "(id)" || s.columns[0].name != s.base.columns[0].name {
		return query{}, false
	}
	inner := l.with(f.sources)
	other, ok := g.reference(levels{f.sources}, func(c column) bool { return c.name != s.columns[0].name && c.typ != jsonb })
	if !ok {
		return query{}, false
	}
	sql := "SELECT " + s.alias + "." + s.columns[0].name + " AS k1, " + other.sql + " AS k2, count(*) AS k3 FROM " + f.sql + g.where(inner, 1) + " GROUP BY " + s.alias + "." + s.columns[0].name
	return query{sql, []column{{name: "k1", typ: s.columns[0].typ, flavour: s.columns[0].flavour}, {name: "k2", typ: other.typ, flavour: other.flavour}, {name: "k3", typ: bigint}}}, true
}

// starSelect returns a SELECT * or t.*, whose columns are known where the FROM
// clause is one source; at the top nobody needs to know.
func (g *generator) starSelect(l levels, f from, depth int, top bool) (query, bool) {
	inner := l.with(f.sources)
	var q query
	switch {
	case len(f.sources) == 1:
		q = query{"SELECT " + g.one("*", f.sources[0].alias+".*"), f.sources[0].columns}
	case top:
		q = query{"SELECT " + g.one("*", "*", f.sources[0].alias+".*"), nil}
	default:
		s := f.sources[g.IntN(len(f.sources))]
		q = query{"SELECT " + s.alias + ".*", s.columns}
	}
	q.sql += " FROM " + f.sql + g.where(inner, depth) + g.locking(f)
	return q, true
}

func (g *generator) where(l levels, depth int) string {
	if g.chance(35) {
		return ""
	}
	return " WHERE " + g.condition(l, depth)
}

// locking returns a locking clause for a FROM clause that can have one.
func (g *generator) locking(f from) string {
	if !g.chance(8) || len(f.lockable) == 0 || g.bare > 0 {
		return ""
	}
	strength := g.one(" FOR UPDATE", " FOR SHARE", " FOR NO KEY UPDATE", " FOR KEY SHARE")
	if !f.allLockable || g.chance(50) {
		strength += " OF " + f.lockable[g.IntN(len(f.lockable))]
	}
	return strength + g.one("", "", " SKIP LOCKED", " NOWAIT")
}

// grouped returns a SELECT with GROUP BY, or with aggregates over all rows.
func (g *generator) grouped(l levels, want []string, depth int, top bool) query {
	if want == nil && g.chance(15) && g.faults {
		if q, ok := g.byKey(l); ok {
			return q
		}
	}
	f := g.from(l, depth)
	inner := l.with(f.sources)
	types := g.types(want)
	var groups []reference
	for range g.IntN(3) {
		r, ok := g.reference(levels{f.sources}, func(c column) bool { return c.typ != "" && c.typ != jsonb })
		if ok && !slices.ContainsFunc(groups, func(o reference) bool { return o.sql == r.sql }) {
			groups = append(groups, r)
		}
	}
	items, columns := g.targets(types, func(typ string) (string, string) {
		for _, r := range groups {
			if r.typ == typ && g.chance(60) {
				return r.sql, r.flavour
			}
		}
		return g.aggregate(inner, typ, depth), plain
	})
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + f.sql + g.where(inner, depth)
	if len(groups) > 0 {
		names := make([]string, len(groups))
		for i, r := range groups {
			names[i] = r.sql
		}
		by := strings.Join(names, ", ")
		kind := g.IntN(10)
		if !g.faults && slices.ContainsFunc(groups, func(r reference) bool { return r.flavour == scopes || r.flavour == side }) {
			kind = 9
		}
		switch kind {
		case 0:
			by = "ROLLUP (" + by + ")"
		case 1:
			by = "CUBE (" + by + ")"
		case 2:
			by = "GROUPING SETS ((" + by + "), (" + names[0] + "), ())"
		case 3:
			by = "DISTINCT " + by
		}
		sql += " GROUP BY " + by
	}
	if g.chance(35) {
		sql += " HAVING " + g.having(inner, depth)
	}
	return query{sql + g.tail(len(columns), top), columns}
}

func (g *generator) having(l levels, depth int) string {
	switch g.IntN(3) {
	case 0:
		return g.aggregate(l, boolean, depth)
	case 1:
		return g.aggregate(l, integer, depth) + g.one(" > 1", " IS NOT NULL", " < 100", " BETWEEN 0 AND 50")
	default:
		return "count(*) " + g.one("> 0", "> 1", "< 5", "<> 2")
	}
}

// distinctOn returns a SELECT DISTINCT ON whose order decides it.
func (g *generator) distinctOn(l levels, want []string, depth int) query {
	f := g.from(l, depth)
	inner := l.with(f.sources)
	r, ok := g.reference(levels{f.sources}, func(c column) bool { return c.typ != "" })
	if !ok {
		return g.plainSelect(l, want, depth, false)
	}
	types := g.types(want)
	items, columns := g.targets(types, func(typ string) (string, string) { return g.target(inner, typ, depth) })
	order := []string{r.sql}
	for _, c := range columns {
		order = append(order, c.name)
	}
	sql := "SELECT DISTINCT ON (" + r.sql + ") " + strings.Join(items, ", ") + " FROM " + f.sql + g.where(inner, depth)
	return query{sql + " ORDER BY " + strings.Join(order, ", "), columns}
}

// windowed returns a SELECT with window functions over orders that decide them.
func (g *generator) windowed(l levels, want []string, depth int, top bool) query {
	f := g.from(l, depth)
	inner := l.with(f.sources)
	types := g.types(want)
	clause := ""
	if g.chance(30) {
		name := g.name("w")
		clause = " WINDOW " + name + " AS" + strings.TrimPrefix(g.over(inner), " OVER")
		g.named = name
	}
	items, columns := g.targets(types, func(typ string) (string, string) {
		if g.named == "" && g.chance(30) {
			return g.target(inner, typ, depth)
		}
		return g.window(inner, typ, depth), plain
	})
	g.named = ""
	return query{"SELECT " + strings.Join(items, ", ") + " FROM " + f.sql + g.where(inner, depth) + clause + g.tail(len(columns), top), columns}
}
