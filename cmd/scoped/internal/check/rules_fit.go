package check

import (
	"slices"

	"github.com/scoped-pgx/scoped/policy"
)

func schemaMissing(c *checker) {
	for _, name := range c.missing(c.policy.SearchPath()) {
		f := c.findAt(name, "the schema %s of the policy's search_path does not exist", name)
		f.SQL = "CREATE SCHEMA " + quote(name) + ";"
	}
}

// missing returns those of some schemas that do not exist.
func (s *Snapshot) missing(schemas []string) (some []string) {
	for _, name := range schemas {
		if !slices.ContainsFunc(s.schemas, func(s *schema) bool { return s.Name == name }) {
			some = append(some, name)
		}
	}
	return some
}

// unlisted calls find with each table that is not listed, nor a table above it,
// in the schemas that the policy speaks of.
func (c *checker) unlisted(find func(*table)) {
	schemas := c.policy.SearchPath()
	for _, t := range c.policy.Tables() {
		schemas = append(schemas, t.Schema)
	}
	for _, r := range c.relations {
		known := slices.Contains(schemas, r.Schema) || c.policy.Template(r.Schema) != nil
		if t := c.byOID[r.OID]; known && c.listed(t) == nil {
			find(t)
		}
	}
}

func tableUnlisted(c *checker) {
	c.unlisted(func(t *table) {
		if !t.Extension {
			c.find(t, "the policy does not list %s", t).YAML = c.entry(c.propose(t))
		}
	})
}

func extensionTable(c *checker) {
	c.unlisted(func(t *table) {
		if t.Extension {
			entry := &policy.Table{Schema: t.Schema, Name: t.Name, Access: policy.SharedRead}
			c.find(t, "the policy does not list %s, which is an extension's", t).YAML = c.entry(entry)
		}
	})
}

// propose returns an entry for a table: scoped by a column with the name of other
// tables' scope column, or over a foreign key, or denied. One of a template lies in
// a schema for each value, and is denied only where there are dimensions that may
// restrict it further.
func (c *checker) propose(t *table) *policy.Table {
	entry := &policy.Table{Schema: t.Schema, Name: t.Name, In: c.policy.Template(t.Schema), Access: policy.Scoped, View: t.Kind == "v"}
	alone := entry.In != nil
	for _, d := range c.policy.Dimensions() {
		alone = alone && d.Schemas != nil
		if d == entry.In {
			continue
		}
		if column := c.likeScope(t, d); column != "" {
			entry.Scopings = append(entry.Scopings, policy.Scoping{Dimension: d, Column: column})
		} else if path := c.likePath(t, d); path != nil {
			entry.Scopings = append(entry.Scopings, *path)
		}
	}
	if !alone && !slices.ContainsFunc(entry.Scopings, func(s policy.Scoping) bool { return !s.Dimension.Optional }) {
		return &policy.Table{Schema: t.Schema, Name: t.Name, Access: policy.Denied}
	}
	return entry
}

// likeScope returns a column of the table that looks as those that hold the
// dimension's values elsewhere: it has the name of one, or refers to the table
// whose rows are the values. It is empty where there is none.
func (c *checker) likeScope(t *table, d *policy.Dimension) string {
	for _, other := range c.scoped() {
		if other == t || other.isRoot(d) {
			continue
		}
		for _, w := range other.ways {
			if w.Dimension == d && w.Path == nil && w.column != nil && t.column(w.Column) != nil && t.column(w.Column).Type == w.column.Type {
				return w.Column
			}
		}
	}
	for _, f := range t.foreignKeys {
		if root := c.byOID[f.Target]; root != nil && root != t && len(f.Columns) == 1 && c.holdsValues(root, f.Keys[0], d) {
			return f.Columns[0]
		}
	}
	return ""
}

// holdsValues reports whether a column holds the dimension's values, one a row:
// the policy says so, or the scope column of another table refers to it.
func (c *checker) holdsValues(root *table, key string, d *policy.Dimension) bool {
	for _, t := range c.scoped() {
		for _, w := range t.ways {
			if w.Dimension != d || w.Path != nil {
				continue
			}
			if t == root && w.Column == key && t.unique(key) {
				return true
			}
			for _, f := range t.foreignKeys {
				if f.Target == root.OID && len(f.Keys) == 1 && f.Keys[0] == key && f.Columns[0] == w.Column {
					return true
				}
			}
		}
	}
	return false
}

// likePath returns a path over a foreign key to a table that is scoped on the
// dimension, or nil.
func (c *checker) likePath(t *table, d *policy.Dimension) *policy.Scoping {
	for _, f := range t.foreignKeys {
		target := c.byOID[f.Target]
		if len(f.Columns) != 1 || target == nil || target == t || target.policy == nil || c.isPattern(target.policy) ||
			target.policy.In != nil && target.policy.In != c.policy.Template(t.Schema) {
			continue
		}
		if via := target.scoping(d); via != nil {
			return &policy.Scoping{Dimension: d, Column: f.Columns[0], Path: &policy.Path{Target: target.policy, Key: f.Keys[0], Via: via}}
		}
	}
	return nil
}

// isPattern reports whether an entry is that of a pattern, to which no path may
// lead.
func (c *checker) isPattern(t *policy.Table) bool { return !slices.Contains(c.policy.Tables(), t) }

func dimensionUnused(c *checker) {
	for _, d := range c.policy.Dimensions() {
		chooses := slices.ContainsFunc(c.policy.Tables(), func(t *policy.Table) bool { return t.In == d })
		if !chooses && len(c.tablesWith(func(t *table) bool { return t.policy.In == d || t.scoping(d) != nil })) == 0 {
			c.findAt(d.Name, "no table is scoped on the dimension %q", d.Name).Advice = "remove it from dimensions, or scope tables on it"
		}
	}
}
