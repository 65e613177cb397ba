package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A Condition is what every visible row of a table satisfies: a boolean
// expression in SQL over the table's own columns, that no row can make fail.
type Condition struct {
	Text    string   // as the policy file has it
	Columns []string // those that it names, without repetitions

	// Check is set where the rows that a statement writes must satisfy it too.
	Check bool

	Line int // in the policy file

	pieces []string // of Text, between which the columns' qualifiers go
}

// For returns the condition on the rows called ref, as SQL spells it.
func (c *Condition) For(ref string) string { return strings.Join(c.pieces, ref+".") }

// Bounds of a condition, within which no parser runs out of stack.
const (
	maxCondition = 2000
	maxBrackets  = 50
)

const conditionForms = "compare the table's own columns with constants, such as deleted_at IS NULL"

// newCondition reads the SQL of a condition. Its error says what is wrong with it.
func newCondition(text string) (*Condition, error) {
	const prefix = "SELECT ("
	if len(text) > maxCondition {
		return nil, fmt.Errorf("the condition is %d bytes long, the most is %d", len(text), maxCondition)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("the condition holds a NUL byte")
	}
	tokens, err := pgparse.Scan(text)
	if err != nil {
		return nil, fmt.Errorf("the condition cannot be read: %w", err)
	}
	depth := 0
	for _, t := range tokens {
		switch t.Token {
		case pgparse.Token_SQL_COMMENT, pgparse.Token_C_COMMENT:
			return nil, fmt.Errorf("the condition holds a comment")
		case pgparse.Token_ASCII_40:
			if depth++; depth > maxBrackets {
				return nil, fmt.Errorf("the condition has more than %d brackets in each other", maxBrackets)
			}
		case pgparse.Token_ASCII_41:
			if depth--; depth < 0 {
				return nil, fmt.Errorf("the condition closes a bracket that it does not open")
			}
		}
	}
	stmts, err := pgparse.Parse(prefix + text + ")")
	if err != nil {
		return nil, fmt.Errorf("the condition cannot be read: %w", err)
	}
	if len(stmts) != 1 || stmts[0].Stmt.GetSelectStmt() == nil {
		return nil, fmt.Errorf("the condition is not one expression")
	}
	s := stmts[0].Stmt.GetSelectStmt()
	parts := 0
	pgparse.Children(s, func(any) { parts++ })
	if parts != 1 || len(s.TargetList) != 1 || s.TargetList[0].GetResTarget().GetName() != "" {
		return nil, fmt.Errorf("the condition is not one expression")
	}
	c := &Condition{Text: text}
	var places []int
	if err := c.columns(s.TargetList[0].GetResTarget().GetVal(), &places); err != nil {
		return nil, err
	}
	if len(c.Columns) == 0 {
		return nil, fmt.Errorf("the condition names no column")
	}
	slices.Sort(places)
	from := 0
	for _, at := range places {
		at -= len(prefix)
		c.pieces = append(c.pieces, text[from:at])
		from = at
	}
	c.pieces = append(c.pieces, text[from:])
	return c, nil
}

// columns finds the columns of an expression and refuses whatever a row could
// make fail, or what is more than a row.
func (c *Condition) columns(n *pgparse.Node, places *[]int) error {
	var below []*pgparse.Node
	switch {
	case n == nil:
		return nil
	case n.GetColumnRef() != nil:
		ref := n.GetColumnRef()
		name := ref.Fields[0].GetString_().GetSval()
		switch {
		case len(ref.Fields) != 1 || name == "":
			return fmt.Errorf("the condition names a column with a table, or a star; name the columns alone")
		case slices.Contains(systemColumns, name):
			return fmt.Errorf("the condition names the system column %s", name)
		}
		if !slices.Contains(c.Columns, name) {
			c.Columns = append(c.Columns, name)
		}
		*places = append(*places, int(ref.Location))
		return nil
	case n.GetAConst() != nil, n.GetSqlvalueFunction() != nil:
		return nil
	case n.GetTypeCast() != nil:
		if n.GetTypeCast().Arg.GetAConst() == nil {
			return fmt.Errorf("the condition casts a column, which can fail")
		}
		return nil
	case n.GetFuncCall() != nil:
		call := n.GetFuncCall()
		if len(call.Funcname) != 1 || len(call.Args) > 0 || call.AggStar || !slices.Contains(clocks, call.Funcname[0].GetString_().GetSval()) {
			return fmt.Errorf("the condition calls a function; only %s are known not to fail", strings.Join(clocks, ", "))
		}
		return nil
	case n.GetBoolExpr() != nil:
		below = n.GetBoolExpr().Args
	case n.GetNullTest() != nil:
		below = append(below, n.GetNullTest().Arg)
	case n.GetBooleanTest() != nil:
		below = append(below, n.GetBooleanTest().Arg)
	case n.GetCoalesceExpr() != nil:
		below = n.GetCoalesceExpr().Args
	case n.GetList() != nil:
		below = n.GetList().Items
	case n.GetAExpr() != nil:
		e := n.GetAExpr()
		if !isComparison(e) {
			return fmt.Errorf("the condition uses an operator that is not known never to fail")
		}
		below = append(below, e.Lexpr, e.Rexpr)
	default:
		return fmt.Errorf("the condition uses a form that is not known never to fail")
	}
	for _, b := range below {
		if err := c.columns(b, places); err != nil {
			return err
		}
	}
	return nil
}

var (
	systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
	clocks        = []string{"now", "statement_timestamp", "transaction_timestamp"}
	comparisons   = []string{"=", "<>", "!=", "<", ">", "<=", ">="}
)

func isComparison(e *pgparse.A_Expr) bool {
	switch e.Kind {
	case pgparse.A_Expr_Kind_AEXPR_OP, pgparse.A_Expr_Kind_AEXPR_IN, pgparse.A_Expr_Kind_AEXPR_DISTINCT, pgparse.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return e.Lexpr != nil && len(e.Name) == 1 && slices.Contains(comparisons, e.Name[0].GetString_().GetSval())
	case pgparse.A_Expr_Kind_AEXPR_BETWEEN, pgparse.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		return true
	}
	return false
}
