package rewrite

import (
	"fmt"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// The trees that the certificate compares with, as the parser makes them.

// stringNodes are most of the nodes, and so are made in one piece of memory.
func stringNodes(names ...string) []*pgparse.Node {
	nodes := make([]*pgparse.Node, len(names))
	memory := make([]struct {
		node    pgparse.Node
		in      pgparse.Node_String_
		message pgparse.String
	}, len(names))
	for i, name := range names {
		m := &memory[i]
		m.node.Node, m.in.String_, m.message.Sval = &m.in, &m.message, name
		nodes[i] = &m.node
	}
	return nodes
}

func column(ref, name string) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_ColumnRef{ColumnRef: &pgparse.ColumnRef{Fields: stringNodes(ref, name)}}}
}

func star() *pgparse.Node {
	star := &pgparse.Node{Node: &pgparse.Node_AStar{AStar: &pgparse.A_Star{}}}
	return &pgparse.Node{Node: &pgparse.Node_ColumnRef{ColumnRef: &pgparse.ColumnRef{Fields: []*pgparse.Node{star}}}}
}

func resTarget(value *pgparse.Node) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_ResTarget{ResTarget: &pgparse.ResTarget{Val: value}}}
}

func operator(kind pgparse.A_Expr_Kind, name string, left, right *pgparse.Node) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_AExpr{AExpr: &pgparse.A_Expr{
		Kind: kind, Name: stringNodes(name), Lexpr: left, Rexpr: right,
	}}}
}

func parameter(number int) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_ParamRef{ParamRef: &pgparse.ParamRef{Number: int32(number)}}}
}

func boolean(value bool) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_AConst{AConst: &pgparse.A_Const{
		Val: &pgparse.A_Const_Boolval{Boolval: &pgparse.Boolean{Boolval: value}},
	}}}
}

func integer(value int32) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_AConst{AConst: &pgparse.A_Const{
		Val: &pgparse.A_Const_Ival{Ival: &pgparse.Integer{Ival: value}},
	}}}
}

func literal(value string) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_AConst{AConst: &pgparse.A_Const{
		Val: &pgparse.A_Const_Sval{Sval: &pgparse.String{Sval: value}},
	}}}
}

// internalNames are the names that the grammar gives to types with a keyword of
// their own.
var internalNames = map[string]string{
	"smallint": "int2", "integer": "int4", "bigint": "int8", "boolean": "bool",
}

func cast(value *pgparse.Node, typeName string, array bool) *pgparse.Node {
	t := &pgparse.TypeName{Names: stringNodes(typeName), Typemod: -1}
	if internal, ok := internalNames[typeName]; ok {
		t.Names = stringNodes("pg_catalog", internal)
	}
	if array {
		t.ArrayBounds = []*pgparse.Node{{Node: &pgparse.Node_Integer{Integer: &pgparse.Integer{Ival: -1}}}}
	}
	return &pgparse.Node{Node: &pgparse.Node_TypeCast{TypeCast: &pgparse.TypeCast{Arg: value, TypeName: t}}}
}

func emptySelect() *pgparse.SelectStmt {
	return &pgparse.SelectStmt{
		LimitOption: pgparse.LimitOption_LIMIT_OPTION_DEFAULT,
		Op:          pgparse.SetOperation_SETOP_NONE,
	}
}

func selectNode(s *pgparse.SelectStmt) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_SelectStmt{SelectStmt: s}}
}

func rangeVar(t *policy.Table, alias string) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_RangeVar{RangeVar: &pgparse.RangeVar{
		Schemaname: t.Schema, Relname: t.Name, Inh: true, Relpersistence: "p",
		Alias: &pgparse.Alias{Aliasname: alias},
	}}}
}

func in(value *pgparse.Node, rows *pgparse.SelectStmt) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_SubLink{SubLink: &pgparse.SubLink{
		SubLinkType: pgparse.SubLinkType_ANY_SUBLINK, Testexpr: value, Subselect: selectNode(rows),
	}}}
}

func exists(rows *pgparse.SelectStmt) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_SubLink{SubLink: &pgparse.SubLink{
		SubLinkType: pgparse.SubLinkType_EXISTS_SUBLINK, Subselect: selectNode(rows),
	}}}
}

func or(conditions ...*pgparse.Node) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_BoolExpr{BoolExpr: &pgparse.BoolExpr{
		Boolop: pgparse.BoolExprType_OR_EXPR, Args: conditions,
	}}}
}

func isNullTest(value *pgparse.Node) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_NullTest{NullTest: &pgparse.NullTest{
		Arg: value, Nulltesttype: pgparse.NullTestType_IS_NULL,
	}}}
}

// scalar builds a subquery in an expression.
func scalar(query *pgparse.SelectStmt) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_SubLink{SubLink: &pgparse.SubLink{
		SubLinkType: pgparse.SubLinkType_EXPR_SUBLINK, Subselect: selectNode(query),
	}}}
}

func subselect(query *pgparse.SelectStmt, alias *pgparse.Alias) *pgparse.Node {
	return &pgparse.Node{Node: &pgparse.Node_RangeSubselect{RangeSubselect: &pgparse.RangeSubselect{
		Subquery: selectNode(query), Alias: alias,
	}}}
}

// failing builds the expression that fails for a row of t, called ref, with a
// message that names the table.
func failing(t *policy.Table, ref, typeName string) *pgparse.Node {
	message := literal(fmt.Sprintf("scoped-pgx:%s.%s:", t.Schema, t.Name))
	row := cast(column(ref, "ctid"), "text", false)
	if t.View {
		way := t.Scopings[0]
		if len(way.Any) > 0 {
			way = way.Any[0]
		}
		row = &pgparse.Node{Node: &pgparse.Node_CoalesceExpr{CoalesceExpr: &pgparse.CoalesceExpr{
			Args: []*pgparse.Node{cast(column(ref, way.Column), "text", false), literal("")},
		}}}
	}
	return cast(operator(pgparse.A_Expr_Kind_AEXPR_OP, "||", message, row), typeName, false)
}
