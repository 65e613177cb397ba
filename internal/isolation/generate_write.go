package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// write returns a statement that writes.
func (g *generator) write() string {
	switch n := g.IntN(100); {
	case n < 15:
		return g.writingWith()
	case n < 55:
		return g.insert(2).sql
	case n < 76:
		return g.update(2).sql
	case n < 90:
		return g.delete(2).sql
	default:
		return g.merge()
	}
}

// target picks a table to write to.
func (g *generator) targetTable() *table {
	for {
		t := schemaTables[g.IntN(len(schemaTables))]
		if t.writable && (t.name != "site" || g.chance(30)) {
			return t
		}
	}
}

// writingWith returns a statement with INSERT, UPDATE or DELETE in WITH queries.
func (g *generator) writingWith() string {
	var parts []string
	var made []*source
	for range 1 + g.IntN(2) {
		name := g.name("w")
		var q query
		switch g.IntN(4) {
		case 0:
			q = g.query(nil, nil, 1, false)
		case 1:
			q = g.update(1)
		case 2:
			q = g.delete(1)
		default:
			q = g.insert(1)
		}
		parts = append(parts, name+" AS ("+q.sql+")")
		if len(q.columns) > 0 {
			s := &source{alias: name, columns: q.columns}
			made = append(made, s)
			g.ctes = append(g.ctes, s)
		}
	}
	if len(made) == 0 || !strings.ContainsAny(strings.Join(parts, " "), "IUD") {
		parts = append(parts, g.name("w")+" AS ("+g.insert(1).sql+")")
	}
	var main string
	switch g.IntN(5) {
	case 0:
		main = g.insert(1).sql
	case 1:
		main = g.update(1).sql
	case 2:
		main = g.delete(1).sql
	default:
		main = g.query(nil, nil, 1, true).sql
	}
	g.ctes = nil
	if strings.HasPrefix(main, "WITH ") {
		// A second WITH belongs into parentheses, which only a SELECT can have.
		main = "SELECT count(*) FROM (" + main + ") AS " + g.name("z")
		if !strings.HasPrefix(main, "SELECT count(*) FROM (WITH") {
			main = "SELECT 1"
		}
	}
	return "WITH " + strings.Join(parts, ", ") + " " + main
}

// clean returns a value that a tenant's row may hold in the column.
func (g *generator) clean(c column) string {
	if c.parent != "" {
		if c.parent != "account" && g.chance(12) {
			return fmt.Sprintf("(SELECT %s(id) FROM %s)", g.one("min", "max"), c.parent)
		}
		if g.chance(3) {
			return g.one("1000003", "1000004", "99", "NULL") // another's, nobody's
		}
		if c.parent == "account" {
			return "7"
		}
		return fmt.Sprint(1 + g.IntN(4))
	}
	switch c.flavour {
	case key:
		if g.chance(4) && c.typ == bigint {
			return fmt.Sprint(othersKeys + 1 + g.IntN(4))
		}
		if g.chance(25) {
			return fmt.Sprint(1 + g.IntN(8))
		}
		return fmt.Sprint(5000 + g.IntN(500))
	case digits:
		return g.one("'12'", "'3'", "NULL", "'0'")
	case divisor, days, huge:
		return fmt.Sprint(1 + g.IntN(9))
	case document:
		return g.one(`'{"n": 4, "list": [1], "on": "2026-03-04", "k": "v2"}'`, `'{"n": 7, "list": [2, 3], "on": "2026-03-05"}'`, "NULL")
	case dayText:
		return g.one("'2026-03-20'", "'2026-03-02'", "NULL")
	case day:
		return g.one("'2026-03-20'", "'2026-03-02'", "NULL")
	case moment:
		return "'2026-02-03 04:05:06+00'"
	case deleted:
		return g.one("NULL", "NULL", "'2026-02-03 04:05:06+00'")
	case pattern:
		return g.one("'a%'", "'%t%'")
	case list:
		return g.one("'{1,2}'", "ARRAY[3]")
	case numerals:
		return g.one("'{1,5}'", "ARRAY['4']")
	case zone:
		return "'UTC'"
	case positive:
		return g.one("2.5", "4", "1")
	}
	return g.literal(c.typ)
}

// scopeValue returns a value for a column that holds the scope's, rarely another's.
func (g *generator) scopeValue(c column) string {
	mine, others := "1", "2"
	switch {
	case c.typ == uuid:
		mine, others = "'00000000-0000-0000-0000-00000000000a'", "'00000000-0000-0000-0000-00000000000b'"
	case c.typ == text:
		mine, others = "'north'", "'south'"
	case c.name == "team_id":
		mine, others = "5", "6"
	case c.name == "user_id" || c.name == "id" || c.name == "sender_id" || c.name == "recipient_id":
		mine, others = "7", "8"
	}
	if g.chance(4) || c.flavour == side && g.chance(20) {
		return others
	}
	if c.flavour == side && g.chance(15) {
		return "NULL"
	}
	return mine
}

func (g *generator) valueFor(l levels, c column, depth int) string {
	switch {
	case c.flavour == scopes, c.flavour == side:
		return g.scopeValue(c)
	case c.parent != "" || c.flavour == key:
		return g.clean(c)
	case g.chance(35):
		if r, ok := g.reference(l, func(o column) bool { return o.typ == c.typ && o.flavour == c.flavour && o.parent == "" }); ok {
			return r.sql
		}
		if c.flavour == word || c.flavour == plain {
			return g.typed(l, c.typ, depth)
		}
	}
	return g.clean(c)
}

// insertColumns picks the columns that an INSERT names.
func (g *generator) insertColumns(t *table) []column {
	var columns []column
	for _, c := range t.columns {
		switch {
		case c.flavour == fixed, c.flavour == key && t.always:
		case c.flavour == scopes && g.chance(70), c.flavour == side && !c.must && g.chance(15):
		case c.must && (c.flavour != key || t.name == "event" || g.chance(80)), (g.chance(55) || c.flavour == side) && (c.flavour != key || g.chance(40)):
			columns = append(columns, c)
		}
	}
	return columns
}

// insert returns an INSERT, and the columns that it returns.
func (g *generator) insert(depth int) query {
	t := g.targetTable()
	s := &source{alias: t.name, columns: t.columns, base: t}
	sql := "INSERT INTO " + g.one("", "", "public.") + t.name
	if g.chance(25) {
		s.alias = g.alias()
		sql += " AS " + s.alias
	}
	g.used[s.alias] = true
	columns := g.insertColumns(t)
	overriding := ""
	switch n := g.IntN(100); {
	case n < 3 && !slices.ContainsFunc(t.columns, func(c column) bool { return c.must }):
		return g.returning(query{sql: sql + " DEFAULT VALUES"}, s, depth)
	case n < 12 && !t.always && !slices.ContainsFunc(t.columns, func(c column) bool { return c.flavour == fixed }):
		columns = t.columns // all of them, without a list
	case t.always && g.chance(30):
		columns, overriding = append([]column{t.columns[0]}, columns...), " OVERRIDING SYSTEM VALUE"
		fallthrough
	default:
		if len(columns) == 0 {
			return g.returning(query{sql: sql + " DEFAULT VALUES"}, s, depth)
		}
		if g.chance(30) {
			g.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		}
		sql += " (" + joinNames(columns) + ")" + overriding
	}
	if g.chance(45) {
		sql += " " + g.insertSource(columns, depth)
	} else {
		rows := make([]string, 1+g.IntN(3))
		for i := range rows {
			items := make([]string, len(columns))
			for j, c := range columns {
				items[j] = g.valueFor(nil, c, depth-1)
				if g.chance(5) && c.flavour != scopes && c.flavour != side && !c.must && c.flavour != key {
					items[j] = "DEFAULT"
				}
			}
			rows[i] = "(" + strings.Join(items, ", ") + ")"
		}
		sql += " VALUES " + strings.Join(rows, ", ")
	}
	if g.chance(30) {
		sql += g.onConflict(t, s, depth)
	}
	return g.returning(query{sql: sql}, s, depth)
}

// insertSource returns a SELECT whose columns fit those of an INSERT. Keys are
// moved to where no row has one.
func (g *generator) insertSource(columns []column, depth int) string {
	var f from
	parent := ""
	for _, c := range columns {
		if c.parent != "" {
			parent = c.parent
		}
	}
	if parent != "" && g.chance(60) {
		s := &source{alias: g.alias(), columns: tableNamed(parent).columns, base: tableNamed(parent)}
		f = from{sql: g.tableName(tableNamed(parent)) + " AS " + s.alias, sources: []*source{s}}
		if g.chance(30) {
			f = g.join(nil, f, 0)
		}
	} else {
		f = g.from(nil, depth-1)
	}
	l := levels{f.sources}
	arm := func() string {
		items := make([]string, len(columns))
		for i, c := range columns {
			items[i] = g.valueFor(l, c, depth-1)
			if c.parent != "" {
				for _, s := range f.sources {
					if s.base != nil && s.base.name == c.parent {
						items[i] = s.alias + ".id"
					}
				}
			}
			if c.flavour == key && c.typ == bigint {
				if r, ok := g.reference(l, ofFlavour(key)); ok && r.typ == bigint {
					items[i] = r.sql + " + 6000"
				}
			}
			items[i] = g.castFor(items[i], c)
		}
		return "SELECT " + strings.Join(items, ", ") + " FROM " + f.sql + g.where(l, depth-1)
	}
	sql := arm()
	switch g.IntN(12) {
	case 0:
		sql += " UNION " + arm()
	case 1:
		sql = "(" + sql + ") UNION ALL (" + arm() + ")"
	case 2:
		sql = "WITH src AS (" + sql + ") SELECT * FROM src"
	}
	// The order in which rows come decides which key each is given.
	if !slices.ContainsFunc(columns, func(c column) bool { return c.flavour == key }) || g.chance(20) {
		sql += " ORDER BY " + ordinals(len(columns)) + g.one("", "", "", " LIMIT 3")
	}
	return sql
}

// castFor types a literal of an INSERT's source, which in a set operation would
// otherwise be text.
func (g *generator) castFor(sql string, c column) string {
	if strings.HasPrefix(sql, "'") || sql == "NULL" {
		return sql + "::" + c.typ
	}
	return sql
}

func (g *generator) onConflict(t *table, s *source, depth int) string {
	target := t.keys[g.IntN(len(t.keys))]
	if g.chance(15) {
		target = "ON CONSTRAINT " + t.name + "_pkey"
	}
	if g.chance(35) {
		return " ON CONFLICT" + g.one("", " "+target) + " DO NOTHING"
	}
	excluded := &source{alias: "excluded", columns: t.columns}
	sql := " ON CONFLICT " + target + " DO UPDATE SET " + g.assignments(levels{{s, excluded}}, t, depth)
	if g.chance(40) {
		sql += " WHERE " + g.condition(levels{{s, excluded}}, depth-1)
	}
	return sql
}

// assignments returns a SET list.
func (g *generator) assignments(l levels, t *table, depth int) string {
	var columns []column
	for _, c := range t.columns {
		if c.flavour == fixed || c.flavour == key || t.name == "country" {
			continue
		}
		if c.flavour == scopes && !g.chance(8) || c.flavour == side && !g.chance(30) || c.parent != "" && !g.chance(15) {
			continue
		}
		columns = append(columns, c)
	}
	g.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
	columns = columns[:min(len(columns), 1+g.IntN(3))]
	if len(columns) == 0 {
		columns = t.columns[:1]
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = g.valueFor(l, c, depth-1)
	}
	if len(columns) > 1 && g.chance(30) {
		if g.chance(40) {
			for i, c := range columns {
				values[i] = g.castFor(values[i], c)
			}
			return "(" + joinNames(columns) + ") = (SELECT " + strings.Join(values, ", ") + ")"
		}
		return "(" + joinNames(columns) + ") = " + g.one("", "ROW") + "(" + strings.Join(values, ", ") + ")"
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = c.name + " = " + values[i]
		if c.flavour == divisor && g.chance(20) {
			parts[i] = c.name + " = " + l[len(l)-1][0].alias + "." + c.name + " + 1"
		}
	}
	return strings.Join(parts, ", ")
}

// returning adds a RETURNING clause, and says what it returns.
func (g *generator) returning(q query, s *source, depth int) query {
	if g.chance(45) {
		return q
	}
	l := levels{{s}}
	if g.chance(20) {
		q.sql += " RETURNING " + g.one("*", s.alias+".*")
		q.columns = s.columns
		return q
	}
	items, columns := g.targets(g.types(nil), func(typ string) (string, string) { return g.target(l, typ, min(depth-1, 1)) })
	if g.chance(50) {
		c := s.columns[0]
		items, columns = append(items, s.alias+"."+c.name), append(columns, column{name: c.name, typ: c.typ, flavour: c.flavour})
	}
	q.sql += " RETURNING " + strings.Join(items, ", ")
	q.columns = columns
	return q
}

// changed returns the table of an UPDATE or DELETE, and its source.
func (g *generator) changed() (*table, *source, string) {
	t := g.targetTable()
	s := &source{alias: t.name, columns: t.columns, base: t}
	sql := g.one("", "", "public.") + t.name
	if g.chance(10) && t.name != "event" {
		sql = "ONLY " + sql
	}
	if g.chance(40) {
		s.alias = g.alias()
		sql += g.one(" AS ", " ") + s.alias
	}
	g.used[s.alias] = true
	return t, s, sql
}

func (g *generator) update(depth int) query {
	t, s, name := g.changed()
	sql := "UPDATE " + name + " SET "
	l := levels{{s}}
	if g.chance(30) {
		// The other side is joined by its key, so that it offers one row.
		o := g.others(s)
		l = levels{append([]*source{s}, o.sources...)}
		sql += g.assignments(l, t, depth) + " FROM " + o.sql + " WHERE " + g.joinCondition([]*source{s}, o.sources)
		if g.chance(50) {
			sql += " AND " + g.condition(l, depth-1)
		}
	} else {
		sql += g.assignments(l, t, depth)
		if g.chance(85) {
			sql += " WHERE " + g.condition(l, depth)
		}
	}
	return g.returning(query{sql: sql}, s, depth)
}

func (g *generator) others(s *source) from {
	for _, c := range s.columns {
		if c.parent != "" && g.chance(70) {
			t := tableNamed(c.parent)
			o := &source{alias: g.alias(), columns: t.columns, base: t}
			return from{sql: g.tableName(t) + " AS " + o.alias, sources: []*source{o}}
		}
	}
	return g.from(nil, 1)
}

func (g *generator) delete(depth int) query {
	_, s, name := g.changed()
	sql := "DELETE FROM " + name
	l := levels{{s}}
	if g.chance(30) {
		o := g.others(s)
		l = levels{append([]*source{s}, o.sources...)}
		sql += " USING " + o.sql + " WHERE " + g.joinCondition([]*source{s}, o.sources)
		if g.chance(60) {
			sql += " AND " + g.condition(l, depth-1)
		}
	} else if g.chance(95) {
		sql += " WHERE " + g.condition(l, depth)
	}
	return g.returning(query{sql: sql}, s, depth)
}

// merge returns a MERGE with up to four WHEN clauses.
func (g *generator) merge() string {
	t, s, name := g.changed()
	o := g.others(s)
	sql := "MERGE INTO " + name + " USING "
	if g.chance(30) {
		// A source that computes its columns, or is made of rows.
		q := g.query(nil, []string{bigint, text, integer}, 1, false)
		o = from{sql: "(" + q.sql + ") AS ", sources: []*source{{alias: g.alias(), columns: slices.Clone(q.columns)}}}
		for i := range q.columns {
			o.sources[0].columns[i].name = g.name("m")
		}
		o.sql += o.sources[0].alias + "(" + joinNames(o.sources[0].columns) + ")"
	}
	l := levels{append([]*source{s}, o.sources...)}
	on := g.joinCondition([]*source{s}, o.sources)
	if k := s.columns[0]; k.flavour == key && g.chance(50) {
		// By the key, so that no row is met twice.
		if r, ok := g.reference(levels{o.sources}, ofFlavour(key)); ok && r.typ == k.typ {
			on = s.alias + "." + k.name + " = " + r.sql
		}
	}
	sql += parenthesized(o.sql) + " ON " + on
	if g.chance(30) {
		sql += " AND " + g.condition(l, 1)
	}
	// Only the last clause of each kind may do without a condition.
	when := func(clauses int, match string, l levels, action func() string) {
		for i := range clauses {
			sql += " WHEN " + match
			if i < clauses-1 || g.chance(40) {
				sql += " AND " + g.condition(l, 1)
			}
			sql += " THEN " + action()
		}
	}
	when(g.IntN(3), "MATCHED", l, func() string {
		return g.one("DELETE", "DO NOTHING", "UPDATE SET "+g.assignments(l, t, 1), "UPDATE SET "+g.assignments(l, t, 1))
	})
	when(1+g.IntN(2), "NOT MATCHED", levels{o.sources}, func() string { return g.mergeInsert(t, o.sources) })
	return sql
}

func (g *generator) mergeInsert(t *table, sources []*source) string {
	columns := g.insertColumns(t)
	if g.chance(15) {
		return "DO NOTHING"
	}
	if len(columns) == 0 {
		return "INSERT DEFAULT VALUES"
	}
	l := levels{sources}
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = g.valueFor(l, c, 1)
		switch r, ok := g.reference(l, ofFlavour(key)); {
		case c.flavour == key && c.typ == bigint && ok && r.typ == bigint:
			values[i] = r.sql + " + 6000"
		case c.flavour != scopes && c.flavour != side && !c.must && g.chance(5):
			values[i] = "DEFAULT"
		}
	}
	return "INSERT (" + joinNames(columns) + ") VALUES (" + strings.Join(values, ", ") + ")"
}

// parenthesized puts a join between parentheses, and leaves one item as it is.
func parenthesized(from string) string {
	if strings.Contains(from, " JOIN ") {
		return "(" + from + ")"
	}
	return from
}
