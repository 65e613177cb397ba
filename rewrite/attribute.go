package rewrite

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// PostgreSQL takes (x).f, and x.f where x is a row, for the call f(x) where x has
// no field f. So a name behind a dot is held to the rules for functions where x
// may be of any type: in parentheses, and as the alias of a function in FROM,
// whose row may be a plain text. A table's row, as in p.f, is only given to
// functions on that row's type.

// compositeFunctions are PostgreSQL's functions whose rows are composite under
// every signature, so that only their fields are named, with those that they always have.
var compositeFunctions = map[string][]string{
	"json_each": {"key", "value"}, "json_each_text": {"key", "value"},
	"jsonb_each": {"key", "value"}, "jsonb_each_text": {"key", "value"},
	"json_populate_record": nil, "json_populate_recordset": nil, "jsonb_populate_record": nil, "jsonb_populate_recordset": nil,
	"json_to_record": nil, "json_to_recordset": nil, "jsonb_to_record": nil, "jsonb_to_recordset": nil,
	"aclexplode":          {"grantor", "grantee", "privilege_type", "is_grantable"},
	"pg_get_keywords":     {"word", "catcode", "barelabel", "catdesc", "baredesc"},
	"pg_input_error_info": {"message", "detail", "hint", "sql_error_code"},
	"pg_partition_tree":   {"relid", "parentrelid", "isleaf", "level"},
	"ts_debug":            {"alias", "description", "token", "dictionaries", "dictionary", "lexemes"},
	"ts_parse":            {"tokid", "token"},
	"ts_token_type":       {"tokid", "alias", "description"},
}

// fields returns the names by which the fields of each function in FROM may be
// called, by the function's alias, anywhere in a statement. A nil map is one
// whose fields are not known, and need not be.
func fields(statement any) map[string]map[string]bool {
	var all map[string]map[string]bool
	var collect func(node any)
	collect = func(node any) {
		if n, ok := node.(*pgparse.RangeFunction); ok {
			if all == nil {
				all = make(map[string]map[string]bool)
			}
			// Of functions with one alias, only what is a field of each is one.
			alias, names := fieldsOf(n)
			before, seen := all[alias]
			switch {
			case !seen || before == nil:
				all[alias] = names
			case names != nil:
				maps.DeleteFunc(before, func(name string, _ bool) bool { return !names[name] })
			}
		}
		pgparse.Children(node, collect)
	}
	collect(statement)
	return all
}

func fieldsOf(n *pgparse.RangeFunction) (alias string, names map[string]bool) {
	names = map[string]bool{"ordinality": true, "lexeme": true, "positions": true, "weights": true}
	for _, f := range n.Functions {
		items := f.GetList().GetItems()
		if len(items) == 0 {
			continue
		}
		if call := items[0].GetFuncCall(); call != nil {
			name := call.Funcname[len(call.Funcname)-1].GetString_().GetSval()
			alias, names[name] = name, true
			if _, ok := compositeFunctions[name]; ok || !builtin.IsFunction(name) {
				return aliasOf(n, alias), nil
			}
		}
		if len(items) > 1 {
			addColumns(names, items[1].GetList().GetItems())
		}
	}
	addColumns(names, n.Coldeflist)
	alias = aliasOf(n, alias)
	names[alias] = true
	for _, c := range n.Alias.GetColnames() {
		names[c.GetString_().GetSval()] = true
	}
	return alias, names
}

func aliasOf(n *pgparse.RangeFunction, function string) string {
	if n.Alias != nil {
		return n.Alias.Aliasname
	}
	return function
}

func addColumns(names map[string]bool, definitions []*pgparse.Node) {
	for _, d := range definitions {
		names[d.GetColumnDef().GetColname()] = true
	}
}

// attribute returns the name that a node puts behind a dot and that could be the
// call of a function which the policy does not admit, or nothing. A catalogue, which
// may be nil, knows names that can only be fields; with one, aliases are looked up
// by a caller and not here.
func attribute(p *policy.Policy, catalog Catalog, functions map[string]map[string]bool, node any) string {
	switch n := node.(type) {
	case *pgparse.A_Indirection:
		for i, item := range n.Indirection {
			name := item.GetString_()
			if name == nil || fieldAllowed(p, name.Sval) || i == 0 && isFieldOf(name.Sval, n.Arg) {
				continue
			}
			if catalog == nil || builtin.IsFunction(name.Sval) || !catalog.IsField(name.Sval) {
				return name.Sval
			}
		}
	case *pgparse.ColumnRef:
		if len(n.Fields) < 2 || catalog != nil {
			return ""
		}
		name := n.Fields[len(n.Fields)-1].GetString_()
		names, isFunction := functions[n.Fields[len(n.Fields)-2].GetString_().GetSval()]
		if name == nil || !isFunction || fieldAllowed(p, name.Sval) {
			return ""
		}
		if names == nil && builtin.IsFunction(name.Sval) || names != nil && !names[name.Sval] {
			return name.Sval
		}
	}
	return ""
}

// isFieldOf reports whether the text shows that an expression has a field of this
// name: f1 to fn of ROW(…), and those of PostgreSQL's functions.
func isFieldOf(name string, value *pgparse.Node) bool {
	switch n := pgparse.Unwrap(value).(type) {
	case *pgparse.RowExpr:
		i, err := strconv.Atoi(strings.TrimPrefix(name, "f"))
		return err == nil && i > 0 && i <= len(n.Args) && name == "f"+strconv.Itoa(i) && !slices.ContainsFunc(n.Args, endsInStar)
	case *pgparse.FuncCall:
		return slices.Contains(compositeFunctions[unqualified(n.Funcname)], name)
	}
	return false
}
