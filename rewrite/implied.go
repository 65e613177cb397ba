package rewrite

import (
	"slices"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A guard over a path demands that a column refers to a visible row. Where a
// condition says that it is the row of another reference at the same level, that
// one's guard implies it:
//
//	post p JOIN comment c ON c.post_id = p.id
//
// and it is left out. It cost a look-up a row, or a join with all rows of the
// scope. The rows that it kept out come as far as the condition, which a guard over
// a path did not prevent either: gates and fences stay as they are.

// An implication is a guard that a condition implies.
type implication struct {
	dimension *policy.Dimension
	condition string
}

// imply notes the guards of sources that a condition implies, where no row comes
// out of the join, or of the level, of which the condition does not hold. The
// rows that it refers to are those of others.
func (o *ordering) imply(condition *pgparse.Node, sources, others []*rowSource) {
	for _, c := range conjuncts(condition) {
		for _, s := range sources {
			for _, other := range others {
				if !s.canBeNamed() || !other.canBeNamed() {
					continue
				}
				for _, scoping := range s.table.Scopings {
					if scoping.Path == nil || scoping.Path.Target != other.table || presenceOf(o.shape, scoping.Dimension, toRead) == All ||
						s.target && !changesWhatIsRead(o.shape, s.table, scoping) {
						continue
					}
					left := []string{refName(s.rv), scoping.Column}
					right := []string{refName(other.rv), scoping.Path.Key}
					if !equates(c, left, right) && !equates(c, right, left) {
						continue
					}
					if o.implied == nil {
						o.implied = make(map[*pgparse.RangeVar][]implication)
					}
					o.implied[s.rv] = append(o.implied[s.rv], implication{scoping.Dimension, spelled(left) + " = " + spelled(right)})
				}
			}
		}
	}
}

// implyTarget notes the guards of the target of an UPDATE or DELETE that its
// condition implies: the rows that it changes are joined with those of FROM.
func (r *rewriter) implyTarget(rv *pgparse.RangeVar, from []*pgparse.Node, condition *pgparse.Node, visible *ctes) {
	t := lookup(r.policy, rv)
	if t == nil || r.empty {
		return
	}
	o := &ordering{rewriter: r, visible: visible}
	target := o.tableSource(rv, t, toChange)
	target.target = true
	o.imply(condition, []*rowSource{target}, o.joined(from))
}

// joined returns the tables of which each row that comes out of a FROM list holds
// one.
func (o *ordering) joined(from []*pgparse.Node) (all []*rowSource) {
	for _, item := range from {
		switch n := pgparse.Unwrap(item).(type) {
		case *pgparse.RangeVar:
			all = append(all, o.table(n)...)
		case *pgparse.JoinExpr:
			if n.Alias == nil && n.Jointype == pgparse.JoinType_JOIN_INNER {
				all = append(all, o.joined([]*pgparse.Node{n.Larg, n.Rarg})...)
			}
		}
	}
	return all
}

// canBeNamed reports whether a column that a condition names with the reference's
// name is one of the table's, of a row that is there.
func (s *rowSource) canBeNamed() bool {
	return s.table != nil && !s.hidden && !s.renamed && !s.nullable
}

// equates reports whether a condition is that two columns are equal, in this order.
func equates(condition *pgparse.Node, left, right []string) bool {
	l, r, ok := equation(condition)
	return ok && isColumn(l, left) && isColumn(r, right)
}

// equation returns the sides of an equality.
func equation(condition *pgparse.Node) (left, right *pgparse.Node, ok bool) {
	e := condition.GetAExpr()
	ok = e != nil && e.Kind == pgparse.A_Expr_Kind_AEXPR_OP && dotted(e.Name) == "="
	return e.GetLexpr(), e.GetRexpr(), ok
}

func isColumn(n *pgparse.Node, name []string) bool {
	return slices.EqualFunc(n.GetColumnRef().GetFields(), name, func(field *pgparse.Node, name string) bool {
		return field.GetString_() != nil && field.GetString_().Sval == name
	})
}

func spelled(column []string) string {
	return pgparse.QuoteIdentifier(column[0]) + "." + pgparse.QuoteIdentifier(column[1])
}

// withoutImplied returns the scopings of a table whose guards are not implied, and
// the conditions that imply the others.
func withoutImplied(scopings []policy.Scoping, implied []implication) (rest []policy.Scoping, conditions []string) {
	for _, s := range scopings {
		i := slices.IndexFunc(implied, func(i implication) bool { return i.dimension == s.Dimension })
		if i < 0 {
			rest = append(rest, s)
		} else {
			conditions = append(conditions, implied[i].condition)
		}
	}
	return rest, conditions
}
