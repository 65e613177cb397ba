package isolation

import (
	"fmt"
	"strings"
)

// words are what plain text is compared with.
var words = []string{"'alpha'", "'beta'", "'gamma'", "'like'", "'Alpha'", "'zzz'"}

// literal returns a constant of a type.
func (g *generator) literal(typ string) string {
	switch typ {
	case integer:
		if g.chance(4) {
			return "$1::integer"
		}
		return fmt.Sprint(1 + g.IntN(9))
	case bigint:
		return fmt.Sprintf("%d::bigint", 1+g.IntN(9))
	case numeric:
		return g.one("1.5", "2.0", "10", "0.25")
	case text:
		if g.chance(4) {
			return "$2::text"
		}
		return g.one(words...)
	case boolean:
		return g.one("true", "false", "true")
	case date:
		return fmt.Sprintf("date '2026-0%d-0%d'", 1+g.IntN(6), 1+g.IntN(9))
	case timestamp:
		return fmt.Sprintf("timestamptz '2026-01-0%d 06:00:00+00'", 1+g.IntN(9))
	case jsonb:
		return g.one(`'{"n": 2}'::jsonb`, `'[1, 2]'::jsonb`, `'{"k": "v1"}'::jsonb`)
	case integers:
		return g.one("ARRAY[1, 2]", "'{3}'::integer[]", "'{}'::integer[]")
	case texts:
		return g.one("ARRAY['1', '2']", "'{alpha}'::text[]")
	case uuid:
		return "'00000000-0000-0000-0000-00000000000a'::uuid"
	}
	return "NULL"
}

// expression returns an expression of a type over the columns of l.
func (g *generator) expression(l levels, typ string, depth int) string {
	n := g.IntN(100)
	if n < 35 {
		if sql := g.partial(l, typ); sql != "" {
			return sql
		}
	}
	if n < 55 || depth <= 0 {
		if r, ok := g.reference(l, ofType(typ)); ok {
			return r.sql
		}
		return g.literal(typ)
	}
	g.size++
	switch {
	case n < 62:
		return g.literal(typ)
	case n < 68:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.condition(l, depth-1), g.typed(l, typ, depth-1), g.typed(l, typ, depth-1))
	case n < 73:
		return fmt.Sprintf("coalesce(%s, %s)", g.typed(l, typ, depth-1), g.literal(typ))
	case n < 82:
		return g.scalarSubquery(l, typ, depth)
	}
	return g.operator(l, typ, depth)
}

func (g *generator) typed(l levels, typ string, depth int) string {
	return g.cast(g.expression(l, typ, depth), typ)
}

// scalarSubquery returns a subquery of one row.
func (g *generator) scalarSubquery(l levels, typ string, depth int) string {
	if g.chance(50) {
		f := g.from(l, depth-1)
		inner := l.with(f.sources)
		return "(SELECT " + g.aggregate(inner, typ, depth-1) + " FROM " + f.sql + g.where(inner, depth-1) + ")"
	}
	q := g.query(l, []string{typ}, depth-1, false)
	return "(SELECT " + q.columns[0].name + " FROM (" + q.sql + ") AS " + g.aliasOnly() + " ORDER BY 1 LIMIT 1)"
}

func (g *generator) aliasOnly() string { return g.name("z") }

// partial returns an expression that succeeds on every row of a tenant and fails
// on poison, or nothing where no column serves.
func (g *generator) partial(l levels, typ string) string {
	type form struct{ flavour, sql string }
	var forms []form
	switch typ {
	case integer:
		forms = []form{
			{digits, "?::integer"}, {digits, "CAST(? AS integer)"}, {digits, "?::integer + 1"}, {digits, "int4(?::numeric)"},
			{divisor, "100 / ?"}, {divisor, "7 % ?"}, {divisor, "mod(7, ?)"}, {divisor, "width_bucket(1.5, 0, 10, ?)"},
			{document, "(? ->> 'n')::integer"}, {document, "(? -> 'n')::integer"}, {document, "jsonb_array_length(? -> 'list')"}, {document, "(? #>> '{list,0}')::integer"},
			{days, "? + 1"}, {days, "? * 2"}, {days, "abs(?) + 5"}, {huge, "?::integer"}, {list, "100 / ?[1]"}, {numerals, "?[1]::integer"}, {day, "extract(year FROM ? + 1)::integer"},
			{positive, "round(sqrt(?))::integer"},
		}
	case bigint:
		forms = []form{{digits, "?::bigint"}, {huge, "? * 3"}, {huge, "? + 1"}, {divisor, "100::bigint / ?"}, {document, "(? ->> 'n')::bigint"}}
	case numeric:
		forms = []form{{digits, "?::numeric"}, {digits, "to_number(?, '999')"}, {positive, "ln(?)"}, {positive, "sqrt(?)"}, {divisor, "1.0 / ?"}, {divisor, "div(10, ?)"}, {huge, "?::numeric(6,0)"}, {document, "(? -> 'n')::numeric"}}
	case text:
		forms = []form{
			{divisor, "split_part('a,b', ',', ?)"}, {document, "? ->> 'k'"}, {document, "? #>> '{n}'"}, {pattern, "regexp_replace('alpha', ?, 'x')"}, {divisor, "chr(?)"},
			{digits, "(?::integer)::text"}, {numerals, "?[1]"}, {word, "lower(?)"}, {word, "? || '!'"}, {pattern, "substring('alpha' from ?)"}, {positive, "left('alpha', ln(?)::integer)"},
		}
	case boolean:
		forms = []form{
			{digits, "?::integer > 0"}, {digits, "(?::numeric) BETWEEN 0 AND 9"}, {divisor, "10 / ? > 2"}, {document, "(? ->> 'n')::integer > 1"}, {document, "? @> '{\"k\": \"v1\"}'"},
			{document, "jsonb_array_length(? -> 'list') > 1"}, {document, "(? ->> 'on')::date > date '2026-01-01'"}, {dayText, "?::date > date '2026-01-01'"}, {days, "date '2026-01-01' + ? > date '2026-01-05'"},
			{pattern, "'alpha' LIKE ?"}, {pattern, "'alpha' ~ ?"}, {pattern, "'beta' NOT ILIKE ?"}, {huge, "? + 1 > 50"}, {list, "10 / ?[1] > 3"}, {numerals, "'2' = ANY (?)"}, {numerals, "1 = ANY (?::integer[])"},
			{zone, "timestamp '2026-01-01 00:00:00' AT TIME ZONE ? IS NOT NULL"}, {positive, "ln(?) > 0"}, {digits, "NOT (?::integer = 0)"}, {digits, "?::integer IN (1, 2, 3)"},
			{moment, "? + interval '1 year' > timestamptz '2026-01-01 00:00:00+00'"}, {divisor, "make_date(2026, ?, 1) < date '2026-04-01'"},
		}
	case date:
		forms = []form{{dayText, "?::date"}, {dayText, "to_date(?, 'YYYY-MM-DD')"}, {days, "date '2026-01-01' + ?"}, {day, "? + 1"}, {divisor, "make_date(2026, ?, 1)"}, {document, "(? ->> 'on')::date"}}
	case timestamp:
		forms = []form{{dayText, "?::timestamptz"}, {moment, "? + interval '1 year'"}, {zone, "timestamp '2026-01-01 00:00:00' AT TIME ZONE ?"}, {days, "timestamptz '2026-01-01 00:00:00+00' + ? * interval '1 day'"}, {day, "?::timestamptz"}}
	case jsonb:
		forms = []form{{document, "? -> 'list'"}, {document, "? || '{\"z\": 1}'"}, {digits, "?::jsonb"}, {document, "jsonb_set(?, '{n}', '9')"}, {document, "? - 'n'"}}
	case integers:
		forms = []form{{numerals, "?::integer[]"}, {list, "? || 5"}, {divisor, "ARRAY[10 / ?]"}, {document, "ARRAY[(? ->> 'n')::integer]"}}
	case texts:
		forms = []form{{numerals, "? || '9'::text"}, {divisor, "ARRAY[split_part('a,b', ',', ?)]"}}
	}
	for range 4 {
		if len(forms) == 0 {
			break
		}
		f := forms[g.IntN(len(forms))]
		if r, ok := g.reference(l, ofFlavour(f.flavour)); ok {
			return "(" + strings.ReplaceAll(f.sql, "?", r.sql) + ")"
		}
	}
	return ""
}

// operator returns an operator or a function over other expressions.
func (g *generator) operator(l levels, typ string, depth int) string {
	e := func(typ string) string { return g.typed(l, typ, depth-1) }
	switch typ {
	case integer:
		return g.one("("+e(integer)+" + "+e(integer)+")", "length("+e(text)+")", "greatest("+e(integer)+", "+e(integer)+")", "nullif("+e(integer)+", 3)",
			"cardinality("+e(integers)+")", "extract(day FROM "+e(date)+")::integer", "coalesce(array_length("+e(texts)+", 1), 0)")
	case bigint:
		return g.one(e(integer)+"::bigint", "least("+e(bigint)+", "+e(bigint)+")")
	case numeric:
		return g.one("("+e(integer)+" * 1.5)", "round("+e(numeric)+", 1)")
	case text:
		return g.one("upper("+e(text)+")", "("+e(text)+" || "+e(text)+")", e(integer)+"::text", "concat_ws('-', "+e(text)+", "+e(integer)+")", "to_char("+e(date)+", 'YYYY')", "replace("+e(text)+", 'a', 'b')")
	case boolean:
		return g.condition(l, depth-1)
	case date:
		return g.one("("+e(date)+" - 1)", e(timestamp)+"::date", "greatest("+e(date)+", date '2026-01-03')")
	case timestamp:
		return g.one("date_trunc('day', "+e(timestamp)+")", e(date)+"::timestamptz")
	case jsonb:
		return g.one("to_jsonb("+e(integer)+")", "jsonb_build_object('a', "+e(text)+")", "jsonb_build_array("+e(integer)+", "+e(text)+")")
	case integers:
		return g.one("ARRAY["+e(integer)+", "+e(integer)+"]", "ARRAY("+g.query(l, []string{integer}, depth-1, false).sql+" ORDER BY 1)", "array_remove("+e(integers)+", 1)")
	case texts:
		return g.one("ARRAY["+e(text)+"]", "string_to_array("+e(text)+", 'a')")
	}
	return g.literal(typ)
}

// condition returns a condition of some conjuncts.
func (g *generator) condition(l levels, depth int) string {
	sql := g.conjunct(l, depth)
	for range []int{0, 0, 0, 1, 1, 2}[g.IntN(6)] {
		sql += g.one(" AND ", " AND ", " AND ", " OR ") + g.conjunct(l, depth)
	}
	if strings.Contains(sql, " OR ") {
		sql = "(" + sql + ")"
	}
	return sql
}

func (g *generator) conjunct(l levels, depth int) string {
	n := g.IntN(100)
	if n < 38 {
		if sql := g.partial(l, boolean); sql != "" {
			return sql
		}
	}
	if depth > 0 && n >= 70 && g.size < 16 {
		g.size++
		return g.subqueryCondition(l, depth)
	}
	e := func(typ string) string { return g.typed(l, typ, depth-1) }
	typ := g.one(integer, integer, bigint, text, text, numeric, date, timestamp)
	var left string
	if r, ok := g.reference(l, comparable); ok && g.chance(75) {
		typ, left = r.typ, r.sql
	} else {
		left = g.typed(l, typ, depth-1)
	}
	switch g.IntN(10) {
	case 0:
		return left + g.one(" IS NULL", " IS NOT NULL", " IS NOT NULL", " IS NOT NULL")
	case 1:
		return left + g.one(" IN (", " NOT IN (", " NOT IN (") + g.literal(typ) + ", " + g.literal(typ) + ")"
	case 2:
		return left + g.one(" BETWEEN ", " NOT BETWEEN ") + g.literal(typ) + " AND " + g.literal(typ)
	case 3:
		return left + " IS " + g.one("", "NOT ") + "DISTINCT FROM " + e(typ)
	case 4:
		return "NOT (" + left + " = " + e(typ) + ")"
	case 5:
		if t := g.tableOf(l); t != "" && g.chance(50) {
			return t + g.one(".ctid IS NOT NULL", ".tableoid IS NOT NULL", ".xmin IS NOT NULL", " IS NOT NULL", " IS DISTINCT FROM NULL")
		}
		return g.one("EXISTS (SELECT 1)", "true", "(false OR "+left+" = "+e(typ)+")")
	case 6:
		if r, ok := g.reference(l, ofType(text)); ok {
			return r.sql + g.one(" LIKE 'a%'", " ILIKE '%A%'", " ~ '^[ab]'", " <> ''", " NOT LIKE '%t%'")
		}
	case 7:
		return "(" + left + ", " + e(integer) + ")" + g.one(" = ", " <> ", " < ", " >= ") + "(" + e(typ) + ", " + e(integer) + ")"
	}
	return left + g.one(" = ", " <> ", " <> ", " < ", " <= ", " > ", " >= ") + e(typ)
}

// tableOf returns the alias of a table of the query, whose rows have system columns.
func (g *generator) tableOf(l levels) string {
	if len(l) == 0 {
		return ""
	}
	var aliases []string
	for _, s := range l[len(l)-1] {
		if s.base != nil && len(s.base.keys) > 0 && s.alias != "site_id" { // views have none
			aliases = append(aliases, s.alias)
		}
	}
	if len(aliases) == 0 {
		return ""
	}
	return g.one(aliases...)
}

// subqueryCondition returns EXISTS, IN, ANY, ALL or a comparison with a scalar.
func (g *generator) subqueryCondition(l levels, depth int) string {
	typ := g.one(integer, bigint, bigint, text)
	left := g.typed(l, typ, 0)
	switch g.IntN(7) {
	case 0, 1:
		f := g.from(l, depth-1)
		where := " WHERE " + g.condition(l.with(f.sources), depth-1)
		if len(l) > 0 && g.chance(70) {
			// Along a reference to the query around it.
			where = " WHERE " + g.joinCondition(f.sources, l[len(l)-1]) + " AND " + g.condition(l.with(f.sources), depth-1)
		}
		return g.one("", "NOT ") + "EXISTS (SELECT " + g.one("", "1", "*") + " FROM " + f.sql + where + ")"
	case 2:
		return left + g.one(" IN (", " NOT IN (") + g.query(l, []string{typ}, depth-1, false).sql + ")"
	case 3:
		return left + g.one(" = ANY (", " <> ALL (", " < ANY (", " >= ALL (", " = SOME (") + g.query(l, []string{typ}, depth-1, false).sql + ")"
	case 4:
		return "(" + left + ", " + g.typed(l, integer, 0) + ") " + g.one("IN", "NOT IN") + " (" + g.query(l, []string{typ, integer}, depth-1, false).sql + ")"
	case 5:
		return left + g.one(" = ANY (ARRAY(", " <> ALL (ARRAY(") + g.query(l, []string{typ}, depth-1, false).sql + "))"
	default:
		return left + g.one(" = ", " < ", " IS DISTINCT FROM ") + g.scalarSubquery(l, typ, depth)
	}
}

// aggregate returns an aggregate of a type, whose arguments are over l. The order
// of the rows does not matter to it.
func (g *generator) aggregate(l levels, typ string, depth int) string {
	arg := func(typ string) string {
		if len(l) > 0 {
			// An aggregate of outer columns only would be the outer query's.
			inner := l[len(l)-1:]
			if g.chance(40) {
				if sql := g.partial(inner, typ); sql != "" {
					return sql
				}
			}
			if r, ok := g.reference(inner, ofType(typ)); ok {
				return r.sql
			}
		}
		return ""
	}
	filter := ""
	if g.chance(25) {
		filter = " FILTER (WHERE " + g.condition(l[len(l)-1:], 0) + ")"
	}
	a := arg(typ)
	if a == "" {
		switch typ {
		case integer:
			return "count(*)" + filter + "::integer"
		case bigint:
			return "count(*)" + filter
		case numeric:
			return "count(*)" + filter + "::numeric"
		case text:
			return "count(*)" + filter + "::text"
		case boolean:
			return "count(*)" + filter + " > 1"
		default:
			return "CASE WHEN count(*)" + filter + " > 2 THEN " + g.cast(g.literal(typ), typ) + " END"
		}
	}
	distinct := g.one("", "", "DISTINCT ")
	switch typ {
	case integer:
		return g.one("max("+a+")"+filter, "min("+a+")"+filter, "count("+distinct+a+")"+filter+"::integer", "sum("+a+")"+filter+"::integer")
	case bigint:
		return g.one("max("+a+")"+filter, "count("+distinct+a+")"+filter)
	case numeric:
		return g.one("sum("+distinct+a+")"+filter, "max("+a+")"+filter, "round(avg("+a+")"+filter+", 3)")
	case text:
		return g.one("max("+a+")"+filter, "string_agg("+a+", ',' ORDER BY "+a+")"+filter, "min("+a+")"+filter)
	case boolean:
		return g.one("bool_and(", "bool_or(", "every(") + a + ")" + filter
	case jsonb:
		return "jsonb_agg(" + a + " ORDER BY " + a + ")" + filter
	case integers:
		return "max(" + a + ")" + filter
	case texts:
		return "max(" + a + ")" + filter
	case uuid:
		return "(array_agg(" + a + " ORDER BY " + a + ")" + filter + ")[1]"
	}
	return g.one("max(", "min(") + a + ")" + filter
}

// window returns a window function of a type.
func (g *generator) window(l levels, typ string, depth int) string {
	over := g.over(l)
	switch typ {
	case bigint:
		return g.one("rank()", "dense_rank()", "count(*)", "row_number()") + over
	case integer:
		if r, ok := g.reference(l[len(l)-1:], ofFlavour(divisor)); ok && g.chance(20) {
			return "ntile(" + r.sql + ")" + over
		}
		return g.one("rank()", "count(*)", "dense_rank()") + over + "::integer"
	case numeric:
		return "sum(" + g.typed(l, integer, 0) + ")" + over + "::numeric"
	case boolean:
		return "(rank()" + over + " < 3)"
	}
	return g.one("max(", "min(", "first_value(", "lag(") + g.typed(l, ordered(typ), 0) + ")" + over + "::text::" + typ
}

// ordered returns a type that has max and min and is cast to typ over text.
func ordered(typ string) string {
	if typ == jsonb {
		return integer
	}
	return typ
}

// comparable tells the columns of which conditions are made.
func comparable(c column) bool {
	switch c.typ {
	case integer, bigint, numeric, text, date, timestamp:
		return true
	}
	return false
}

// over returns the window of a window function.
func (g *generator) over(l levels) string {
	if g.named != "" {
		return " OVER " + g.named
	}
	var parts []string
	inner := l[len(l)-1:]
	if r, ok := g.reference(inner, func(c column) bool { return c.typ != "" }); ok && g.chance(60) {
		parts = append(parts, "PARTITION BY "+r.sql)
	}
	var order []string
	if r, ok := g.reference(inner, ofType(text)); ok && g.chance(50) {
		order = append(order, r.sql)
	}
	if sql := g.partial(inner, integer); sql != "" && g.chance(40) {
		order = append(order, sql)
	}
	if r, ok := g.reference(inner, ofFlavour(key)); ok {
		order = append(order, r.sql)
	}
	if len(order) > 0 {
		parts = append(parts, "ORDER BY "+strings.Join(order, ", "))
		if g.chance(15) {
			parts = append(parts, g.one("ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING", "RANGE UNBOUNDED PRECEDING"))
		}
	}
	return " OVER (" + strings.Join(parts, " ") + ")"
}
