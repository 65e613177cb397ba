package rewrite

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// Where expressions of different types meet, in a comparison, in CASE, in COALESCE,
// PostgreSQL casts some of them, and the text does not show it. A few of these
// casts fail: bigint to oid, numeric to double precision, date to timestamp with
// time zone. So do comparisons of records that have other fields. A statement that
// chooses the types, and the value that fails, could so ask about any row:
//
//	CASE WHEN body LIKE 's%' THEN 5000000000 ELSE 1 END = 1::oid
//
// Columns of tables have the types that the schema gave them, and meet each other
// as they did.

// A form says who chose the type of an expression.
type form uint8

const (
	bare   form = iota // nobody: a constant or a parameter takes the type of what it meets
	fixed              // the schema; or nothing is cast from it or to it that fails
	odd                // the statement
	record             // the statement, field by field
)

// types is what the text of some statements tells of the types in it.
type types struct {
	rows    map[string]bool // what names a row as a whole: tables, subqueries, joins
	system  map[string]bool // the system catalogues, which have columns of type oid
	columns map[string]form // the columns of subqueries that are odd or records, by name
	times   int             // that the statements were read
	every   bool            // every column may be a record
	params  map[int32][]place
	late    bool // what is read is read by PostgreSQL after what stands behind it
}

// A place is where a parameter stands. It gets its type from the place that
// PostgreSQL reads first.
type place struct {
	location int32
	cast     string // to what it is cast there, empty for nothing
	late     bool   // it is read after places behind it
}

func typesOf(stmts []statement) *types {
	t := &types{rows: make(map[string]bool), system: make(map[string]bool), columns: make(map[string]form), params: make(map[int32][]place)}
	const most = 10 // times; nobody makes one column of another as often
	for before := -1; before < len(t.columns) && !t.every; t.times++ {
		before, t.every = len(t.columns), t.times == most
		for _, s := range stmts {
			t.read(s.node)
		}
	}
	return t
}

func (t *types) read(node any) {
	switch n := node.(type) {
	case *pgparse.RangeVar:
		t.rows[refName(n)] = true
		if builtin.Relation(n.Schemaname, n.Relname) || n.Schemaname == "" && builtin.IsCatalog(n.Relname) {
			t.system[refName(n)] = true
		}
		t.rename(n.Alias.GetColnames(), nil)
	case *pgparse.RangeSubselect:
		t.rows[n.Alias.GetAliasname()] = true
		t.rename(n.Alias.GetColnames(), n.Subquery.GetSelectStmt())
	case *pgparse.JoinExpr:
		t.rows[n.Alias.GetAliasname()] = true
		t.rename(n.Alias.GetColnames(), nil)
	case *pgparse.CommonTableExpr:
		t.rename(n.Aliascolnames, n.Ctequery.GetSelectStmt())
	case *pgparse.ColumnDef:
		t.name(n.Colname, formOfType(n.TypeName))
	case *pgparse.RangeTableFuncCol:
		t.name(n.Colname, formOfType(n.TypeName))
	case *pgparse.RangeFunction:
		t.readFunction(n)
	case *pgparse.ResTarget:
		t.readLate(func() { pgparse.Children(n, t.read) })
		return
	case *pgparse.SubLink:
		t.readLate(func() { t.read(pgparse.Unwrap(n.Testexpr)) })
		t.read(pgparse.Unwrap(n.Subselect))
		return
	case *pgparse.SelectStmt:
		t.readLate(func() {
			for _, list := range [][]*pgparse.Node{n.DistinctClause, n.GroupClause, n.WindowClause} {
				for _, expr := range list {
					t.read(pgparse.Unwrap(expr))
				}
			}
		})
		for _, column := range outputs(n) {
			if f := t.ofOutput(column); f > fixed {
				for _, name := range column[0].names() { // a UNION's are those of its first query
					t.name(name, f)
				}
			}
		}
	case *pgparse.ParamRef:
		t.place(n, "")
	case *pgparse.TypeCast:
		if p := n.Arg.GetParamRef(); p != nil {
			t.place(p, dotted(n.TypeName.GetNames()))
			return
		}
	}
	pgparse.Children(node, t.read)
}

func (t *types) name(column string, f form) {
	if f > fixed {
		t.columns[column] = max(f, t.columns[column])
	}
}

// rename notes new names of columns: of those of a query, or of any.
func (t *types) rename(names []*pgparse.Node, of *pgparse.SelectStmt) {
	columns := outputs(of)
	if slices.ContainsFunc(columns, func(c []output) bool { return isStar(c[0].value) }) {
		columns = nil
	}
	for i, name := range names {
		f := fixed
		if i < len(columns) {
			f = t.ofOutput(columns[i])
		} else {
			for _, other := range t.columns {
				f = max(f, other)
			}
		}
		t.name(name.GetString_().GetSval(), f)
	}
}

// readFunction notes what a function in FROM returns where that is not known to
// be of a fixed type.
func (t *types) readFunction(n *pgparse.RangeFunction) {
	f := fixed
	for _, function := range n.Functions {
		f = max(f, t.of(pgparse.Unwrap(function.GetList().GetItems()[0])))
	}
	alias, columns := fieldsOf(n)
	t.name(alias, f)
	for column := range columns {
		t.name(column, f)
	}
}

func (t *types) readLate(read func()) {
	before := t.late
	t.late = true
	read()
	t.late = before
}

func (t *types) place(n *pgparse.ParamRef, cast string) {
	if !slices.ContainsFunc(t.params[n.Number], func(p place) bool { return p.location == n.Location }) {
		t.params[n.Number] = append(t.params[n.Number], place{n.Location, cast, t.late})
	}
}

// isGiven reports whether a cast of a parameter only tells its type.
func (t *types) isGiven(n *pgparse.TypeCast) bool {
	p := n.Arg.GetParamRef()
	if p == nil {
		return false
	}
	places, to := t.params[p.Number], dotted(n.TypeName.GetNames())
	if !slices.ContainsFunc(places, func(p place) bool { return p.cast != to }) {
		return true
	}
	first := slices.MinFunc(places, func(a, b place) int { return cmp.Compare(a.location, b.location) })
	return first.cast == to && !first.late
}

// ofParameter returns the form of a parameter, which has a type if it stands
// elsewhere too.
func (t *types) ofParameter(n *pgparse.ParamRef) form {
	places := t.params[n.Number]
	switch {
	case len(places) == 1:
		return bare
	case slices.ContainsFunc(places, func(p place) bool { return isOddType(p.cast) }):
		return odd
	}
	return fixed
}

// of returns the form of an expression.
func (t *types) of(node any) form {
	switch n := node.(type) {
	case nil, *pgparse.A_Const, *pgparse.SetToDefault:
		return bare
	case *pgparse.ParamRef:
		return t.ofParameter(n)
	case *pgparse.SQLValueFunction, *pgparse.NullTest, *pgparse.BoolExpr, *pgparse.BooleanTest:
		return fixed
	case *pgparse.ColumnRef:
		return t.ofColumn(n)
	case *pgparse.TypeCast:
		return formOfType(n.TypeName)
	case *pgparse.CollateClause:
		return t.of(pgparse.Unwrap(n.Arg))
	case *pgparse.RowExpr:
		return record
	case *pgparse.A_Expr:
		if n.Kind != pgparse.A_Expr_Kind_AEXPR_OP && n.Kind != pgparse.A_Expr_Kind_AEXPR_NULLIF || totalOperators[dotted(n.Name)] && n.Kind == pgparse.A_Expr_Kind_AEXPR_OP {
			return fixed // boolean, json or text
		}
		return max(t.of(pgparse.Unwrap(n.Lexpr)), t.of(pgparse.Unwrap(n.Rexpr)))
	case *pgparse.A_ArrayExpr:
		found := bare
		for _, element := range n.Elements {
			found = max(found, t.of(pgparse.Unwrap(element)))
		}
		return found
	case *pgparse.A_Indirection:
		return max(fixed, t.of(pgparse.Unwrap(n.Arg)))
	case *pgparse.CaseExpr:
		return t.chosen(results(n)...)
	case *pgparse.CoalesceExpr:
		return t.chosen(unwrapped(n.Args)...)
	case *pgparse.MinMaxExpr:
		return t.chosen(unwrapped(n.Args)...)
	case *pgparse.SubLink:
		found := fixed
		if n.SubLinkType == pgparse.SubLinkType_EXPR_SUBLINK || n.SubLinkType == pgparse.SubLinkType_ARRAY_SUBLINK {
			for _, column := range outputs(n.Subselect.GetSelectStmt()) {
				for _, target := range column {
					found = max(found, t.of(target.value))
				}
			}
		}
		return found
	case *pgparse.FuncCall:
		switch name := unqualified(n.Funcname); {
		case ofArguments[name]:
			return t.chosen(unwrapped(n.Args)...)
		case calendar[name] || ofText[name] || builtin.Total(name) && !oddFunctions[name]:
			return fixed
		}
	}
	return odd
}

func (t *types) ofColumn(n *pgparse.ColumnRef) form {
	last := n.Fields[len(n.Fields)-1].GetString_()
	switch name := last.GetSval(); {
	case last == nil || len(n.Fields) == 1 && t.rows[name] || t.every:
		return record
	case name == "tableoid" || len(n.Fields) == 1 && len(t.system) > 0 ||
		len(n.Fields) > 1 && t.system[n.Fields[len(n.Fields)-2].GetString_().GetSval()]:
		return odd
	default:
		return max(fixed, t.columns[name])
	}
}

// oddTypes are those that others are cast to, and may fail to be.
var oddTypes = setOf("oid float4 float8 macaddr macaddr8 xid char")

// oddFunctions are total, and have results of such types.
var oddFunctions = setOf("sign trim_scale pi pg_typeof percent_rank cume_dist")

// ofArguments have results of the type of their arguments.
var ofArguments = setOf("min max any_value first_value last_value nth_value lag lead array_agg unnest generate_series")

// ofText have results of type text, json, integer, or of rows that name the types of their columns.
var ofText = setOf(`length concat concat_ws format replace substr substring left right split_part lpad rpad string_agg to_char md5
	encode regexp_replace array_to_string translate row_to_json to_json to_jsonb json_agg jsonb_agg json_build_object
	jsonb_build_object json_object_agg jsonb_object_agg generate_subscripts string_to_table regexp_split_to_table
	json_array_elements json_array_elements_text json_each json_each_text json_object_keys json_to_record json_to_recordset
	jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_to_record jsonb_to_recordset`)

// calendar are functions of the clock and the calendar that are not volatile.
var calendar = setOf(`now date_trunc date_bin timezone to_timestamp age transaction_timestamp statement_timestamp
	make_date make_time make_timestamp make_timestamptz make_interval`)

func setOf(names string) map[string]bool {
	set := make(map[string]bool)
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

func formOfType(n *pgparse.TypeName) form {
	names := n.GetNames()
	if len(names) == 0 {
		return odd
	}
	switch name := dotted(names); {
	case name == "record" || name == "pg_catalog.record":
		return record
	case isOddType(name):
		return odd
	}
	return fixed
}

func isOddType(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return oddTypes[last] || strings.HasPrefix(last, "reg") || isInformationSchema(name)
}

// isInformationSchema reports whether a type is a domain that every database has.
func isInformationSchema(name string) bool { return strings.HasPrefix(name, "information_schema.") }

// narrow are types from which PostgreSQL casts to another by itself, where that can fail.
var narrow = setOf("numeric date timestamp")

// chosen returns the form of what is one of several expressions, whose constants
// take the type of the others and are values that the statement chose.
func (t *types) chosen(nodes ...any) form {
	found := fixed
	for _, node := range nodes {
		if node == nil {
			continue // a CASE without ELSE
		}
		f := t.of(node)
		switch n := node.(type) {
		case *pgparse.A_Const:
			if n.GetFval() == nil && !strings.ContainsAny(n.GetSval().GetSval(), "0123456789") {
				continue
			}
		case *pgparse.ParamRef:
			f = odd
		case *pgparse.TypeCast:
			if narrow[unqualified(n.TypeName.GetNames())] {
				f = odd
			}
		}
		if f == bare {
			f = odd
		}
		found = max(found, f)
	}
	return found
}

// ofOutput returns the form of a column of a query, of which there is one
// expression for each query of a UNION, or row of VALUES.
func (t *types) ofOutput(column []output) form {
	if len(column) > 1 {
		values := make([]any, len(column))
		for i, o := range column {
			values[i] = o.value
		}
		return max(fixed, t.unify(values...))
	}
	switch n := column[0].value.(type) {
	case *pgparse.A_Const:
		if n.GetFval() == nil {
			return fixed
		}
	case *pgparse.ParamRef:
		return fixed
	}
	if isStar(column[0].value) {
		return fixed // each under its own name
	}
	return t.chosen(column[0].value)
}

func isStar(node any) bool {
	n, ok := node.(*pgparse.ColumnRef)
	return ok && n.Fields[len(n.Fields)-1].GetAStar() != nil
}

// meet returns what is to be feared where expressions are compared: bare for
// nothing, odd for a cast, record for the comparison itself.
func (t *types) meet(nodes ...any) form {
	return worst(t.of, nodes)
}

// unify does the same where one of several expressions is the result.
func (t *types) unify(nodes ...any) form {
	return worst(func(node any) form {
		call, ok := node.(*pgparse.FuncCall)
		switch {
		case t.of(node) == bare:
			return bare
		case ok && calendar[unqualified(call.Funcname)]:
			return odd // a date may be too late to be a time
		}
		return t.chosen(node)
	}, nodes)
}

func worst(of func(any) form, nodes []any) form {
	found, typed := bare, 0
	for _, node := range nodes {
		f := of(node)
		if found = max(found, f); f != bare {
			typed++
		}
	}
	if typed < 2 || found == fixed {
		return bare
	}
	return found
}

// mixesIn reports whether USING or NATURAL may compare what is to be feared.
func (t *types) mixesIn(n *pgparse.JoinExpr) bool {
	return n.IsNatural && len(t.columns) > 0 || slices.ContainsFunc(n.UsingClause, func(c *pgparse.Node) bool { return t.columns[c.GetString_().GetSval()] > fixed })
}

// compared returns what a comparison compares with each other: rows column by
// column, everything else with what stands on its other side.
func compared(n *pgparse.A_Expr) [][]any {
	sides := []any{pgparse.Unwrap(n.Lexpr)}
	if list := n.Rexpr.GetList(); list != nil {
		sides = append(sides, unwrapped(list.Items)...)
	} else {
		sides = append(sides, pgparse.Unwrap(n.Rexpr))
	}
	return byColumn(sides)
}

func byColumn(sides []any) [][]any {
	var columns [][]any
	for i, side := range sides {
		row, ok := side.(*pgparse.RowExpr)
		if !ok || i > 0 && len(row.Args) != len(columns) {
			return [][]any{sides}
		}
		if i == 0 {
			columns = make([][]any, len(row.Args))
		}
		for j, arg := range row.Args {
			columns[j] = append(columns[j], pgparse.Unwrap(arg))
		}
	}
	return columns
}

// comparedWithQuery returns the same for IN and its like.
func comparedWithQuery(n *pgparse.SubLink) [][]any {
	test := pgparse.Unwrap(n.Testexpr)
	if test == nil {
		return nil
	}
	groups := [][]any{{test}}
	if row, ok := test.(*pgparse.RowExpr); ok {
		groups = byColumn([]any{row})
	}
	for i, column := range outputs(n.Subselect.GetSelectStmt()) {
		for _, o := range column {
			if i < len(groups) {
				groups[i] = append(groups[i], o.value)
			}
		}
	}
	return groups
}

func results(n *pgparse.CaseExpr) []any {
	all := []any{pgparse.Unwrap(n.Defresult)}
	for _, when := range n.Args {
		all = append(all, pgparse.Unwrap(when.GetCaseWhen().GetResult()))
	}
	return all
}

func unwrapped(list []*pgparse.Node) []any {
	all := make([]any, len(list))
	for i, n := range list {
		all[i] = pgparse.Unwrap(n)
	}
	return all
}

// An output is an expression that a query returns.
type output struct {
	label string // empty where none is given
	value any
}

// outputs returns what a query returns, column by column.
func outputs(q *pgparse.SelectStmt) (columns [][]output) {
	add := func(i int, o output) {
		if i == len(columns) {
			columns = append(columns, nil)
		}
		columns[i] = append(columns[i], o)
	}
	switch {
	case q == nil:
	case q.Op != pgparse.SetOperation_SETOP_NONE:
		columns = outputs(q.Larg)
		for i, column := range outputs(q.Rarg) {
			for _, o := range column {
				add(min(i, len(columns)), o)
			}
		}
	case len(q.ValuesLists) > 0:
		for _, row := range q.ValuesLists {
			for i, value := range row.GetList().GetItems() {
				add(i, output{"column" + strconv.Itoa(i+1), pgparse.Unwrap(value)})
			}
		}
	default:
		for i, target := range q.TargetList {
			add(i, output{target.GetResTarget().GetName(), pgparse.Unwrap(target.GetResTarget().GetVal())})
		}
	}
	return columns
}

// names returns the name of the column, or, where PostgreSQL makes one up, those
// that it may have.
func (o output) names() []string {
	if o.label != "" {
		return []string{o.label}
	}
	all := []string{"case", "coalesce", "greatest", "least", "nullif", "array", "row"}
	var add func(any)
	add = func(node any) {
		if name, ok := node.(*pgparse.String); ok {
			all = append(all, name.Sval)
		}
		pgparse.Children(node, add)
	}
	add(o.value)
	return all
}
