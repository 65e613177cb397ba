package rewrite

import (
	"fmt"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// systemColumns are the columns that every table has and no join shows: an
// unqualified ctid means the table's only where the table stands alone in FROM.
// A guard makes it a side of a join, so the name would be looked up in the
// queries around it instead, and found on another table. It is therefore
// qualified, or refused.
var systemColumns = map[string]bool{
	"ctid": true, "tableoid": true, "xmin": true, "xmax": true, "cmin": true, "cmax": true,
}

// A level is one FROM list, as far as unqualified system columns are looked up.
type level struct {
	tables []string // what its tables are called, as SQL spells it
	others bool     // it also has items that are no tables
}

// levelOf describes a FROM list, and the target that an UPDATE or DELETE adds.
func levelOf(from []*pgparse.Node, target *pgparse.RangeVar, isCTE func(*pgparse.RangeVar) bool) level {
	var l level
	if target != nil {
		l.tables = append(l.tables, pgparse.QuoteIdentifier(refName(target)))
	}
	for _, item := range from {
		rv := item.GetRangeVar()
		if sample := item.GetRangeTableSample(); sample != nil {
			rv = sample.Relation.GetRangeVar()
		}
		if rv == nil || isCTE(rv) {
			l.others = true
			continue
		}
		l.tables = append(l.tables, pgparse.QuoteIdentifier(refName(rv)))
	}
	return l
}

// systemColumn returns the table that an unqualified system column belongs to,
// given the FROM lists around it, the innermost last. The table is empty where
// the name may stay as it is; ok is false where it cannot be told.
func systemColumn(levels []level) (table string, ok bool) {
	for i := len(levels) - 1; i >= 0; i-- {
		switch l := levels[i]; {
		case len(l.tables) == 1:
			return l.tables[0], true
		case len(l.tables) > 1:
			return "", false
		case l.others:
			for _, outer := range levels[:i] {
				if len(outer.tables) > 0 {
					return "", false
				}
			}
			return "", true
		}
	}
	return "", true
}

// isSystemColumn reports whether a column reference is an unqualified system column.
func isSystemColumn(n *pgparse.ColumnRef) bool {
	return len(n.Fields) == 1 && systemColumns[n.Fields[0].GetString_().GetSval()]
}

// qualifySystemColumn writes the table before an unqualified system column.
func (r *rewriter) qualifySystemColumn(n *pgparse.ColumnRef) {
	table, ok := systemColumn(r.levels)
	name := n.Fields[0].GetString_().GetSval()
	switch {
	case !ok:
		r.refuseConstruct(n.Location, fmt.Sprintf("it cannot be told which table %s belongs to", name),
			"write the table's name or alias before it: t."+name)
	case table != "":
		r.edits.prefix(int(n.Location), table+".")
	}
}
