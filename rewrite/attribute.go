package rewrite

import (
	"maps"

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
// every signature, so that only their fields are named.
var compositeFunctions = map[string]bool{
	"json_each": true, "json_each_text": true, "jsonb_each": true, "jsonb_each_text": true,
	"json_populate_record": true, "json_populate_recordset": true, "jsonb_populate_record": true, "jsonb_populate_recordset": true,
	"json_to_record": true, "json_to_recordset": true, "jsonb_to_record": true, "jsonb_to_recordset": true,
	"aclexplode": true, "ts_debug": true, "ts_parse": true, "ts_token_type": true,
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
			if compositeFunctions[name] || !builtin.IsFunction(name) {
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
		for _, i := range n.Indirection {
			name := i.GetString_()
			if name == nil || functionAllowed(p, "", name.Sval) {
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
		if name == nil || !isFunction || functionAllowed(p, "", name.Sval) {
			return ""
		}
		if names == nil && builtin.IsFunction(name.Sval) || names != nil && !names[name.Sval] {
			return name.Sval
		}
	}
	return ""
}
