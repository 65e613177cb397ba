package corpus

import (
	"fmt"
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A snapshot is the catalogue of the database that a statement may have been
// written for. It knows the tables that the statement writes to, and no others:
// each has the columns that the statement names, as many as it gives values, and
// behind them those of the scope. The functions that it calls are allowed anyway.
type snapshot map[name][]string

// snapshotOf returns the catalogue for a statement.
func snapshotOf(tree any) snapshot {
	s := snapshot{}
	var named []string
	add := func(rv *pgparse.RangeVar, assigned []*pgparse.Node, values int) {
		if rv == nil {
			return
		}
		table := nameOf(rv)
		for _, n := range assigned {
			s.add(table, n.GetResTarget().GetName())
		}
		for i := len(s[table]) + 1; len(assigned) == 0 && i <= values; i++ {
			s.add(table, fmt.Sprintf("corpus_column_%d", i))
		}
	}
	var walk func(any)
	walk = func(node any) {
		switch n := node.(type) {
		case *pgparse.InsertStmt:
			add(n.Relation, n.Cols, valuesOf(n.SelectStmt.GetSelectStmt()))
		case *pgparse.UpdateStmt:
			add(n.Relation, n.TargetList, 0)
		case *pgparse.MergeStmt:
			for _, when := range n.MergeWhenClauses {
				w := when.GetMergeWhenClause()
				add(n.Relation, w.TargetList, len(w.Values))
			}
		case *pgparse.ColumnRef:
			if column := n.Fields[len(n.Fields)-1].GetString_(); column != nil {
				named = append(named, column.Sval)
			}
		case *pgparse.IndexElem:
			named = append(named, n.Name)
		}
		pgparse.Children(node, walk)
	}
	walk(tree)
	for table := range s {
		for _, column := range append(named, "site_id", "parent_id", "child_id") {
			s.add(table, column)
		}
	}
	return s
}

// valuesOf returns how many columns a query has by its text, stars not counted.
func valuesOf(n *pgparse.SelectStmt) int {
	for n.GetLarg() != nil {
		n = n.Larg
	}
	if rows := n.GetValuesLists(); len(rows) > 0 {
		return len(rows[0].GetList().GetItems())
	}
	return len(n.GetTargetList())
}

func (s snapshot) add(table name, column string) {
	if column != "" && !slices.Contains(s[table], column) {
		s[table] = append(s[table], column)
	}
}

func (s snapshot) Columns(schema, table string) (columns []string, ok bool) {
	if schema == "public" {
		schema = ""
	}
	columns, ok = s[name{schema, table}]
	return columns, ok
}

func (s snapshot) Keys(string, string) [][]string { return nil }

func (s snapshot) IsField(string) bool { return false }

func (s snapshot) CallsFunction(name string, _ bool) bool { return name == forbiddenFunction }
