package rewrite

import (
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite/builtin"
)

// walk rewrites what lies below an expression or a FROM item. A node of a kind
// that is not named here is refused: the default is to deny.
func (r *rewriter) walk(node any, visible *ctes) {
	if r.err != nil {
		return
	}
	switch n := node.(type) {
	case *pgparse.SelectStmt:
		r.selectStmt(n, visible, false)
		return
	case *pgparse.RangeVar:
		r.read(n, nil, visible)
		return
	case *pgparse.RangeTableSample:
		r.sample(n, visible)
		return
	case *pgparse.MultiAssignRef:
		// SET (a, b) = (…) holds its one source once for each column.
		if n.Colno != 1 {
			return
		}
	case *pgparse.FuncCall:
		if why, hint := refusedFunction(r.policy, n); why != "" {
			r.refuse(Error{Code: CodeFunction, Message: why, Hint: hint}, n.Location)
			return
		}
		if !r.function(n) {
			return
		}
	case *pgparse.TypeName:
		r.typeName(n)
	case *pgparse.TypeCast:
		if isRegclass(n) && r.policy.HasSchemas() {
			r.relationConstant(n.Arg)
		}
	case *pgparse.SubLink:
		// IN may become a join, and what the subquery computes its condition.
		if query := n.Subselect.GetSelectStmt(); n.SubLinkType == pgparse.SubLinkType_ANY_SUBLINK && !r.empty &&
			r.weakest(query, visible).runsAfter(r.dangerOfTargets(query)) {
			r.fence(query)
		}
	case *pgparse.A_Indirection:
		if r.refuseAttribute(n, -1) {
			return
		}
	case *pgparse.ColumnRef:
		if r.refuseAttribute(n, n.Location) {
			return
		}
		if isSystemColumn(n) {
			r.qualifySystemColumn(n)
		}
	case *pgparse.CurrentOfExpr: // the condition of an UPDATE or DELETE, and nothing else
		r.useCursor(CurrentOfCursor, n.CursorName)
		return

	case *pgparse.A_Expr, *pgparse.A_Const, *pgparse.A_Star, *pgparse.ParamRef,
		*pgparse.BoolExpr, *pgparse.NullTest, *pgparse.BooleanTest,
		*pgparse.CaseExpr, *pgparse.CaseWhen, *pgparse.CoalesceExpr, *pgparse.MinMaxExpr,
		*pgparse.A_ArrayExpr, *pgparse.A_Indices, *pgparse.RowExpr,
		*pgparse.SQLValueFunction, *pgparse.CollateClause, *pgparse.NamedArgExpr,
		*pgparse.GroupingFunc, *pgparse.GroupingSet, *pgparse.WindowDef, *pgparse.SortBy,
		*pgparse.ResTarget, *pgparse.SetToDefault, *pgparse.List, *pgparse.Alias,
		*pgparse.String, *pgparse.Integer, *pgparse.Float, *pgparse.Boolean, *pgparse.BitString,
		*pgparse.JoinExpr, *pgparse.RangeSubselect, *pgparse.RangeFunction, *pgparse.ColumnDef,
		*pgparse.RangeTableFunc, *pgparse.RangeTableFuncCol,
		*pgparse.CTESearchClause, *pgparse.CTECycleClause,
		*pgparse.OnConflictClause, *pgparse.InferClause, *pgparse.IndexElem,
		*pgparse.XmlExpr, *pgparse.XmlSerialize,
		*pgparse.JsonFormat, *pgparse.JsonReturning, *pgparse.JsonValueExpr, *pgparse.JsonOutput,
		*pgparse.JsonKeyValue, *pgparse.JsonObjectConstructor, *pgparse.JsonArrayConstructor,
		*pgparse.JsonArrayQueryConstructor, *pgparse.JsonAggConstructor, *pgparse.JsonObjectAgg,
		*pgparse.JsonArrayAgg, *pgparse.JsonIsPredicate:

	default:
		if pgparse.IsNewExpression(node) {
			break
		}
		name := fmt.Sprintf("%T", node)
		r.refuseConstruct(-1, "a construct that is not known to be safe: "+name[strings.LastIndexByte(name, '.')+1:],
			"run it with scopes disabled: scoped.Disable(ctx, reason)")
		return
	}
	r.refuseOperator(node)
	pgparse.Children(node, func(child any) { r.walk(child, visible) })
}

// sample rewrites a table with a TABLESAMPLE clause, whose method is a function.
func (r *rewriter) sample(n *pgparse.RangeTableSample, visible *ctes) {
	switch unqualified(n.Method) {
	case "bernoulli", "system", "system_rows", "system_time":
	default:
		r.refuseConstruct(n.Location, "the sampling method "+dotted(n.Method), "use bernoulli or system")
		return
	}
	r.read(n.Relation.GetRangeVar(), n, visible)
	for _, arg := range n.Args {
		r.walk(pgparse.Unwrap(arg), visible)
	}
	if n.Repeatable != nil {
		r.walk(pgparse.Unwrap(n.Repeatable), visible)
	}
}

// refuseAttribute refuses a name behind a dot that could be the call of a function.
func (r *rewriter) refuseAttribute(node any, at int32) bool {
	name := attribute(r.policy, r.catalog, r.functions, node)
	if name == "" {
		return false
	}
	if at < 0 {
		at = leftmost(node)
	}
	r.refuse(Error{
		Code:    CodeFunction,
		Message: fmt.Sprintf("%s behind a dot may be a field, or the call of a function that is not known to stay inside the scope", name),
		Hint:    "write alias." + name + " for a table's column, name the columns of a function in FROM, AS f(" + name + "), or list the name in the policy under functions: {allow: […]}",
	}, at)
	return true
}

// refusedFunction returns why a function may not be called and what to do, or
// nothing where it may: PostgreSQL's own that are known to read no table, and
// those that the policy names.
func refusedFunction(p *policy.Policy, n *pgparse.FuncCall) (why, hint string) {
	schema, name := "", ""
	switch len(n.Funcname) {
	case 1:
		name = n.Funcname[0].GetString_().GetSval()
	case 2:
		schema, name = n.Funcname[0].GetString_().GetSval(), n.Funcname[1].GetString_().GetSval()
	default:
		return "function " + dotted(n.Funcname) + " is named with a database", "leave the database's name out"
	}
	if functionAllowed(p, schema, name) || tenantFunction(p, n) != nil {
		return "", ""
	}
	return fmt.Sprintf("function %s is not known to stay inside the scope", dotted(n.Funcname)),
		"if it reads no scoped table, list it in the policy under functions: {allow: […]}"
}

func functionAllowed(p *policy.Policy, schema, name string) bool {
	if schema == "" && builtin.IsFunction(name) {
		schema = "pg_catalog" // where PostgreSQL looks first, and the policy's patterns do not reach
	}
	if schema == "pg_catalog" && (builtin.Function(name) ||
		name == "pg_notify" && p.NotifyAllowed() || name == "pg_listening_channels" && p.ListenAllowed()) {
		return true
	}
	return p.FunctionAllowed(schema, name)
}

// fieldAllowed reports the same for a name behind a dot.
func fieldAllowed(p *policy.Policy, name string) bool {
	return functionAllowed(p, "", name) && !(relationFunctions[name] && p.HasSchemas())
}

func dotted(names []*pgparse.Node) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = n.GetString_().GetSval()
	}
	return strings.Join(parts, ".")
}

// unqualified is dotted without the schema of PostgreSQL's own.
func unqualified(names []*pgparse.Node) string {
	return strings.TrimPrefix(dotted(names), "pg_catalog.")
}
