package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
)

// lacking returns the dimensions of a table that a key does not have: two rows of
// different scopes can collide in it. A dimension of which each row is a value
// cannot be part of the table's other keys, and one that scopes may lack needs not
// be.
func (c *checker) lacking(t *table, i *index) (some []*policy.Dimension) {
	for _, d := range c.policy.Dimensions() {
		if t.scoping(d) == nil || d.Optional || t.isRoot(d) {
			continue
		}
		has := slices.ContainsFunc(t.ways, func(w way) bool {
			return w.Dimension == d && slices.Contains(i.Columns, w.Column)
		}) || slices.ContainsFunc(t.policy.References, func(r policy.Reference) bool {
			return slices.Contains(i.Columns, r.Column) && slices.ContainsFunc(r.Target.Scopings, func(s policy.Scoping) bool { return s.Dimension == d })
		})
		if !has {
			some = append(some, d)
		}
	}
	return some
}

// wider returns the columns that tie the table to some dimensions, which a key has
// to have.
func (t *table) wider(dimensions []*policy.Dimension) (columns []string) {
	for _, d := range dimensions {
		for _, w := range t.ways {
			if w.Dimension == d && !slices.Contains(columns, w.Column) {
				columns = append(columns, w.Column)
				break
			}
		}
	}
	return columns
}

// eachUnique calls find with the unique indexes of scoped tables that lack
// dimensions. One with a column that the database draws is not found: its values
// are no one's choice.
func (c *checker) eachUnique(find func(*table, *index, []*policy.Dimension)) {
	for _, t := range c.scoped() {
		for _, i := range t.indexes {
			drawn := slices.ContainsFunc(i.Columns, func(name string) bool {
				column := t.column(name)
				return column != nil && (column.drawn() || column.Type == "uuid")
			})
			if i.Unique && !drawn {
				if lacking := c.lacking(t, i); lacking != nil {
					find(t, i, lacking)
				}
			}
		}
	}
}

func dimensionNames(dimensions []*policy.Dimension) string {
	names := make([]string, len(dimensions))
	for i, d := range dimensions {
		names[i] = d.Name
	}
	return and(names)
}

func (i *index) columnsText() string {
	names := slices.Clone(i.Columns)
	for n, name := range names {
		if name == "" {
			names[n] = "an expression"
		}
	}
	return and(names)
}

func primaryKeyWithoutDimension(c *checker) {
	c.eachUnique(func(t *table, i *index, lacking []*policy.Dimension) {
		if i.Primary {
			f := c.find(t, "the primary key of %s, %s, is without %s", t, i.columnsText(), dimensionNames(lacking))
			c.widen(f, t, i, "PRIMARY KEY", lacking)
		}
	})
}

func uniqueWithoutDimension(c *checker) {
	c.eachUnique(func(t *table, i *index, lacking []*policy.Dimension) {
		if i.Primary || i.Exclusion && !i.Constraint {
			return
		}
		f := c.find(t, "%s of %s, on %s, is unique without %s", i.Name, t, i.columnsText(), dimensionNames(lacking))
		c.widen(f, t, i, "UNIQUE", lacking)
	})
}

// widen says how a unique index or constraint gets the dimensions that it lacks.
func (c *checker) widen(f *Finding, t *table, i *index, kind string, lacking []*policy.Dimension) {
	var dependent []string
	for _, k := range c.foreignKeys {
		if k.Target == t.OID && c.byOID[k.Relation] != nil && slices.Equal(slices.Sorted(slices.Values(k.Keys)), slices.Sorted(slices.Values(i.Columns))) {
			dependent = append(dependent, k.Name+" of "+c.byOID[k.Relation].String())
		}
	}
	wider := t.wider(lacking)
	from := " USING " + i.Method + " ("
	switch {
	case dependent != nil:
		f.Advice = fmt.Sprintf("add %s to it, and to the foreign key %s, which needs it", quoteAll(wider), and(dependent))
	case i.Constraint:
		f.SQL = fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s, ADD %s (%s);", t.quoted(), quote(i.Name), kind, quoteAll(append(wider, i.Columns...)))
	default:
		f.SQL = fmt.Sprintf("DROP INDEX %s.%s;\n%s;", quote(t.Schema), quote(i.Name), strings.Replace(i.Definition, from, from+quoteAll(wider)+", ", 1))
	}
}

func exclusionWithoutDimension(c *checker) {
	for _, t := range c.scoped() {
		for _, i := range t.indexes {
			if !i.Exclusion || i.Unique {
				continue
			}
			compared := &index{}
			for n, name := range i.Columns {
				if i.Equals[n] {
					compared.Columns = append(compared.Columns, name)
				}
			}
			lacking := c.lacking(t, compared)
			if lacking == nil {
				continue
			}
			var with strings.Builder
			for _, column := range t.wider(lacking) {
				fmt.Fprintf(&with, "%s WITH =, ", quote(column))
			}
			c.find(t, "%s of %s, on %s, excludes rows whatever their %s is", i.Name, t, i.columnsText(), dimensionNames(lacking)).SQL =
				fmt.Sprintf("CREATE EXTENSION IF NOT EXISTS btree_gist;\nALTER TABLE %s DROP CONSTRAINT %s, ADD %s;",
					t.quoted(), quote(i.Name), strings.Replace(i.Definition, "(", "("+with.String(), 1))
		}
	}
}

// behind calls find with the foreign keys that are behind the table's paths.
func (c *checker) behind(t *table, find func(*foreignKey, way)) {
	for _, w := range t.ways {
		if w.Path == nil {
			continue
		}
		for _, f := range t.foreignKeys {
			if c.byOID[f.Target] != nil && c.byOID[f.Target] == c.target(w.Path.Target) && f.pairs(w.Column, w.Path.Key) {
				find(f, w)
			}
		}
	}
}

// pairs reports whether the foreign key leads from a column to a key.
func (f *foreignKey) pairs(column, key string) bool {
	for i, name := range f.Columns {
		if name == column && f.Keys[i] == key {
			return true
		}
	}
	return false
}

func foreignKeyNotValidated(c *checker) {
	for _, t := range c.scoped() {
		c.behind(t, func(f *foreignKey, w way) {
			if !f.Validated && f.Enforced {
				c.find(t, "the foreign key %s of %s, behind the path on %s, is not validated", f.Name, t, w.Column).SQL =
					fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s;", t.quoted(), quote(f.Name))
			}
		})
	}
}

func foreignKeyNotEnforced(c *checker) {
	for _, t := range c.scoped() {
		c.behind(t, func(f *foreignKey, w way) {
			if !f.Enforced {
				c.find(t, "the foreign key %s of %s, behind the path on %s, is NOT ENFORCED", f.Name, t, w.Column).SQL =
					fmt.Sprintf("ALTER TABLE %s ALTER CONSTRAINT %s ENFORCED;", t.quoted(), quote(f.Name))
			}
			if f.Disabled {
				target := c.byOID[f.Target]
				c.find(t, "the triggers of the foreign key %s of %s, behind the path on %s, are disabled", f.Name, t, w.Column).SQL =
					fmt.Sprintf("ALTER TABLE %s ENABLE TRIGGER ALL;\nALTER TABLE %s ENABLE TRIGGER ALL;", t.quoted(), target.quoted())
			}
		})
	}
}

// keeps reports whether a foreign key between scoped tables leads to rows of the
// same scope, on each dimension that both have.
func (c *checker) keeps(t *table, f *foreignKey, target *table) bool {
	for _, r := range t.policy.References {
		if c.target(r.Target) == target && f.pairs(r.Column, r.Key) {
			return true
		}
	}
	for _, s := range t.policy.Scopings {
		to := target.scoping(s.Dimension)
		if to != nil && !slices.ContainsFunc(t.ways, func(w way) bool { return w.Dimension == s.Dimension && c.keepsOn(f, target, w, to) }) {
			return false
		}
	}
	return true
}

func (c *checker) keepsOn(f *foreignKey, target *table, w way, to *policy.Scoping) bool {
	switch {
	case w.either: // a row may be seen by one way and lead elsewhere by another
		return slices.Contains(f.Columns, w.Column)
	case w.Path == nil:
		return to.Any == nil && to.Path == nil && f.pairs(w.Column, to.Column)
	case c.target(w.Path.Target) == target && f.pairs(w.Column, w.Path.Key):
		return true
	}
	return to.Any == nil && to.Path != nil && c.target(to.Path.Target) == c.target(w.Path.Target) && to.Path.Key == w.Path.Key && f.pairs(w.Column, to.Column)
}

// acts reports whether the foreign key changes rows by itself.
func (f *foreignKey) acts() bool { return strings.ContainsAny(f.Actions, "cnd") }

func foreignKeyCrossesScopes(c *checker) { c.crossing(false) }

func cascadeCrossesScopes(c *checker) {
	c.crossing(true)
	for _, t := range c.scoped() {
		for _, f := range t.foreignKeys {
			if to := c.byOID[f.Target]; f.acts() && to != nil && to.policy != nil && to.policy.Access == policy.Shared {
				entry := changed(to.policy)
				entry.Access = policy.SharedRead
				c.find(t, "%s of %s lets a change of %s, which every scope may write, reach the rows of all", f.Name, t, to).YAML = c.entry(entry)
			}
		}
	}
}

// crossing reports the foreign keys that cross scopes, and act or do not.
func (c *checker) crossing(acts bool) {
	for _, t := range c.scoped() {
		for _, f := range t.foreignKeys {
			target := c.byOID[f.Target]
			if target == nil || target.policy == nil || target.policy.Access != policy.Scoped ||
				f.acts() != acts || c.isMisfit(t) || c.isMisfit(target) || c.keeps(t, f, target) {
				continue
			}
			found := c.find(t, "%s of %s, on %s, may lead to rows of %s in another scope", f.Name, t, and(f.Columns), target)
			if len(f.Columns) == 1 && !c.isPattern(target.policy) {
				entry := changed(t.policy)
				entry.References = append(entry.References, policy.Reference{Column: f.Columns[0], Key: f.Keys[0], Target: target.policy})
				found.YAML = c.entry(entry)
			} else {
				found.Advice = "let the foreign key have the scope's column on both sides"
			}
		}
	}
}

func referenceWithoutForeignKey(c *checker) {
	for _, t := range c.scoped() {
		for _, r := range t.policy.References {
			target := c.target(r.Target)
			if target == nil || c.isMisfit(t) || !t.isTable() || !target.isTable() ||
				slices.ContainsFunc(t.foreignKeys, func(f *foreignKey) bool { return f.Target == target.OID && f.pairs(r.Column, r.Key) }) {
				continue
			}
			c.find(t, "no foreign key is behind the reference %s -> %s(%s) of %s", r.Column, target, r.Key, t).SQL =
				fmt.Sprintf("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s);", t.quoted(), quote(r.Column), target.quoted(), quote(r.Key))
		}
	}
}

func foreignKeyToDenied(c *checker) {
	for _, t := range c.used() {
		for _, f := range t.foreignKeys {
			if to := c.byOID[f.Target]; to != nil && to.policy != nil && to.policy.Access == policy.Denied && t.policy.Access != policy.SharedRead {
				c.find(t, "%s of %s leads to %s, which is denied", f.Name, t, to).Advice =
					fmt.Sprintf("if the keys of %s are no secret, ignore this; else drop the foreign key", to)
			}
		}
	}
}
