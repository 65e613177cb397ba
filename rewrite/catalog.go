package rewrite

import (
	"fmt"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A Catalog answers what the text of a statement does not tell about the
// database. A *catalog.Catalog does.
type Catalog interface {
	// Columns returns the names of a table's columns in its order. It is not ok
	// where the table is not known.
	Columns(schema, table string) (names []string, ok bool)

	// Keys returns the columns of each unique key of a table, the primary key included.
	Keys(schema, table string) [][]string

	// IsField reports whether (x).name, whatever x is, can only be a field of x,
	// or a call of a function of PostgreSQL's own.
	IsField(name string) bool

	// CallsFunction reports whether x.name, where no field of that name is known,
	// may call a function that is not PostgreSQL's own. Row is set where x is
	// certain to be a row.
	CallsFunction(name string, row bool) bool
}

// A Rewriter rewrites statements under a policy. It may be used by several
// goroutines at once.
type Rewriter struct {
	Policy *policy.Policy

	// Catalog may be nil. Then the few forms are refused that need one.
	Catalog Catalog
}

// columnsOfTable returns the columns of t, or nil where they are not known.
func columnsOfTable(c Catalog, t *policy.Table) []string {
	if c == nil {
		return nil
	}
	names, _ := c.Columns(t.Schema, t.Name)
	return names
}

// leading returns the columns to which an INSERT without a column list gives
// values, where they are known and not all that t has.
func (r *rewriter) leading(n *pgparse.InsertStmt, t *policy.Table) []string {
	if len(n.Cols) > 0 {
		return nil
	}
	columns := columnsOfTable(r.catalog, t)
	width := widthOf(n.SelectStmt.GetSelectStmt())
	if width < 1 || width >= len(columns) {
		return nil
	}
	return columns[:width]
}

// leavesOut reports whether an INSERT that gives values to the leading columns
// of t gives none to another one.
func (r *rewriter) leavesOut(leading []string, t *policy.Table, column string) bool {
	if len(leading) == 0 {
		return false
	}
	for _, name := range columnsOfTable(r.catalog, t)[len(leading):] {
		if name == column {
			return true
		}
	}
	return false
}

// widthOf returns the number of columns that a query returns, or -1 where it is
// not known or not the same everywhere.
func widthOf(n *pgparse.SelectStmt) int {
	switch {
	case n == nil:
		return -1
	case n.Op != pgparse.SetOperation_SETOP_NONE:
		if left := widthOf(n.Larg); left == widthOf(n.Rarg) {
			return left
		}
		return -1
	case len(n.ValuesLists) > 0:
		width := len(n.ValuesLists[0].GetList().GetItems())
		for _, row := range n.ValuesLists {
			items := row.GetList().GetItems()
			for _, item := range items {
				if endsInStar(item) {
					return -1
				}
			}
			if len(items) != width {
				return -1
			}
		}
		return width
	}
	for _, item := range n.TargetList {
		if endsInStar(item.GetResTarget().GetVal()) {
			return -1
		}
	}
	return len(n.TargetList)
}

// endsInStar reports whether an expression is *, t.* or (x).*.
func endsInStar(n *pgparse.Node) bool {
	fields := n.GetColumnRef().GetFields()
	if indirection := n.GetAIndirection(); indirection != nil {
		fields = indirection.Indirection
	}
	return len(fields) > 0 && fields[len(fields)-1].GetAStar() != nil
}

// expandStar writes out a star of a RETURNING list, so that there is a column for
// the check to go around:
//
//	RETURNING *   becomes   RETURNING CASE WHEN … THEN post.id END AS id, post.title, …
//
// It returns whether there is a star whose columns are known.
func (r *rewriter) expandStar(t *relation, rv *pgparse.RangeVar, condition string, from, returning []*pgparse.Node) bool {
	columns := columnsOfTable(r.catalog, t.Table)
	if len(columns) == 0 {
		return false
	}
	for _, item := range returning {
		var others []string
		switch fields := item.GetResTarget().GetVal().GetColumnRef().GetFields(); {
		case len(fields) == 0 || fields[len(fields)-1].GetAStar() == nil:
			continue
		case len(fields) == 1:
			var ok bool
			if others, ok = starNames(from, rv); !ok {
				continue
			}
		case !isTarget(fields, rv, t.Table):
			continue
		}
		parts := make([]string, 0, len(columns)+len(others))
		for _, name := range columns {
			name = pgparse.QuoteIdentifier(name)
			if len(parts) == 0 {
				parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN %s.%s END AS %s", condition, t.ref, name, name))
				continue
			}
			parts = append(parts, t.ref+"."+name)
		}
		for _, name := range others {
			parts = append(parts, pgparse.QuoteIdentifier(name)+".*")
		}
		first := r.tokenAt(item.GetResTarget().Location)
		r.edits.replace(r.start(first), r.end(r.find(first, pgparse.Token_ASCII_44)-1), strings.Join(parts, ", "))
		return true
	}
	return false
}

// starNames returns the names whose stars, behind that of the target, make up the
// star of a statement, which is not ok where joins merge columns or an item has
// no name of its own.
func starNames(from []*pgparse.Node, target *pgparse.RangeVar) (names []string, ok bool) {
	seen := map[string]bool{refName(target): true}
	for _, item := range from {
		var below []string
		switch n := pgparse.Unwrap(item).(type) {
		case *pgparse.RangeVar:
			below = []string{refName(n)}
		case *pgparse.RangeTableSample:
			below = []string{refName(n.Relation.GetRangeVar())}
		case *pgparse.RangeSubselect:
			below = []string{n.Alias.GetAliasname()}
		case *pgparse.RangeFunction:
			below = []string{n.Alias.GetAliasname()}
		case *pgparse.JoinExpr:
			if n.IsNatural || len(n.UsingClause) > 0 || n.Alias != nil {
				return nil, false
			}
			if below, ok = starNames([]*pgparse.Node{n.Larg, n.Rarg}, target); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
		for _, name := range below {
			if name == "" || seen[name] {
				return nil, false
			}
			seen[name] = true
		}
		names = append(names, below...)
	}
	return names, true
}

// isTarget reports whether t.* or s.t.* is the star of the target.
func isTarget(fields []*pgparse.Node, rv *pgparse.RangeVar, t *policy.Table) bool {
	name := fields[len(fields)-2].GetString_().GetSval()
	switch len(fields) {
	case 2:
		return name == refName(rv)
	case 3:
		return rv.Alias == nil && name == t.Name && fields[0].GetString_().GetSval() == t.Schema
	}
	return false
}
