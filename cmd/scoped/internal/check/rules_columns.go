package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
)

// eachWay calls find with the columns that scope stored tables and exist.
func (c *checker) eachWay(find func(*table, way)) {
	for _, t := range c.scoped() {
		for _, w := range t.ways {
			if w.column != nil && t.Kind != "v" && t.Kind != "m" {
				find(t, w)
			}
		}
	}
}

func (w way) noun() string {
	if w.Path != nil {
		return "path"
	}
	return "scope"
}

func scopeColumnNullable(c *checker) {
	c.eachWay(func(t *table, w way) {
		if !w.either && w.Null == policy.NullHidden && !w.column.NotNull {
			f := c.find(t, "the %s column %s of %s may be NULL", w.noun(), w.Column, t)
			f.SQL = fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;", t.quoted(), quote(w.Column))
			if t.Kind == "f" {
				f.SQL = strings.Replace(f.SQL, "ALTER TABLE", "ALTER FOREIGN TABLE", 1)
			}
		}
	})
}

func nullNever(c *checker) {
	c.eachWay(func(t *table, w way) {
		if w.Null != policy.NullHidden && w.column.NotNull {
			entry := changed(t.policy)
			for i := range entry.Scopings {
				if entry.Scopings[i].Column == w.Column {
					entry.Scopings[i].Null = policy.NullHidden
				}
			}
			c.find(t, "the %s column %s of %s is never NULL", w.noun(), w.Column, t).YAML = c.entry(entry)
		}
	})
}

func scopeTypeDiffers(c *checker) {
	c.eachWay(func(t *table, w way) {
		dimension := string(w.Dimension.Type)
		if w.Path != nil || w.column.Type == dimension || dimension == "text" && w.column.Type == "character varying" || c.isMisfit(t) {
			return
		}
		f := c.find(t, "column %s of %s is of type %s, and dimension %q of type %s", w.Column, t, w.column.Type, w.Dimension.Name, dimension)
		f.SQL = fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s;", t.quoted(), quote(w.Column), dimension)
	})
}

// isMisfit reports whether statements on the table cannot be guarded at all.
func (c *checker) isMisfit(t *table) bool {
	for _, m := range c.misfits {
		if m.Fatal && m.Table == t.String() {
			return true
		}
	}
	return false
}

func scopeCollation(c *checker) {
	c.eachWay(func(t *table, w way) {
		if w.Path == nil && w.column.Nondeterministic {
			f := c.find(t, "the collation of the scope column %s of %s is not deterministic", w.Column, t)
			f.SQL = fmt.Sprintf(`ALTER TABLE %s ALTER COLUMN %s TYPE %s COLLATE "C";`, t.quoted(), quote(w.Column), w.column.Type)
		}
	})
}

func scopeColumnWithoutIndex(c *checker) {
	c.eachWay(func(t *table, w way) {
		if w.Path == nil && !w.Dimension.Optional {
			c.wantIndex(t, w)
		}
	})
}

func pathColumnWithoutIndex(c *checker) {
	c.eachWay(func(t *table, w way) {
		if w.Path != nil && !w.Dimension.Optional {
			c.wantIndex(t, w)
		}
	})
}

func optionalWithoutIndex(c *checker) {
	c.eachWay(func(t *table, w way) {
		if w.Dimension.Optional {
			c.wantIndex(t, w)
		}
	})
}

func (c *checker) wantIndex(t *table, w way) {
	if !t.isTable() || slices.ContainsFunc(t.indexes, func(i *index) bool { return t.serves(i, w.Column) }) {
		return
	}
	concurrently := " CONCURRENTLY"
	if t.Kind == "p" { // for which PostgreSQL does not know it
		concurrently = ""
	}
	c.find(t, "no index of %s serves its %s column %s", t, w.noun(), w.Column).SQL =
		fmt.Sprintf("CREATE INDEX%s ON %s (%s);", concurrently, t.quoted(), quote(w.Column))
}

// serves reports whether an index finds rows by a column: it is the first one, or
// those before it hold the values of other dimensions, which every statement
// compares too.
func (t *table) serves(i *index, column string) bool {
	if !i.Valid || i.Method != "btree" && i.Method != "hash" || !t.implies(i.Predicate, column) {
		return false
	}
	for _, name := range i.Columns {
		if name == column {
			return true
		}
		if !slices.ContainsFunc(t.ways, func(w way) bool {
			return w.Column == name && w.Path == nil && !w.either && w.Null == policy.NullHidden && !w.Dimension.Optional
		}) {
			return false
		}
	}
	return false
}

// implies reports whether a guard on a column implies the predicate of a partial
// index, as PostgreSQL can prove it: that the column is not NULL, or what the
// policy's condition says.
func (t *table) implies(predicate, column string) bool {
	if predicate == "" {
		return true
	}
	normal := normalized(predicate)
	return normal == normalized(quote(column)+" IS NOT NULL") || t.policy.Where != nil && normal == normalized(t.policy.Where.Text)
}

var unsaid = regexp.MustCompile(`::(?:character varying|timestamp with(?:out)? time zone|double precision|[\w.]+)|[\s()]+`)

// normalized returns a condition without what PostgreSQL adds to it, to be
// compared with another.
func normalized(condition string) string {
	return strings.ToLower(unsaid.ReplaceAllString(condition, ""))
}

func scopeDefault(c *checker) {
	c.eachWay(func(t *table, w way) {
		d := w.column.Default
		if w.Path == nil && !w.column.Generated && !w.column.drawn() && d != "" && !strings.HasPrefix(d, "NULL::") {
			c.find(t, "the scope column %s of %s has the default %s", w.Column, t, d).SQL =
				fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT;", t.quoted(), quote(w.Column))
		}
	})
}

// drawn reports whether the database makes the values of a column: from a
// sequence, or at random.
func (column *column) drawn() bool {
	return column.counted() || column.Type == "uuid" && strings.Contains(column.Default, "(")
}

// counted reports whether a column's values are drawn from a sequence.
func (column *column) counted() bool {
	return column.Identity || strings.Contains(column.Default, "nextval(")
}

func sharedLooksScoped(c *checker) {
	for _, t := range append(c.shared(), c.unrestricted()...) {
		if t.Kind == "v" || t.Kind == "m" {
			continue // of which other rules speak
		}
		for _, d := range c.policy.Dimensions() {
			column := c.likeScope(t, d)
			if d == t.policy.In || column == "" || c.holdsValues(t, column, d) {
				continue
			}
			entry := changed(t.policy)
			entry.Access = policy.Scoped
			entry.Scopings = []policy.Scoping{{Dimension: d, Column: column}}
			c.find(t, "%s is %s, and its column %s looks like a %s's", t, t.sharing(), column, d.Name).YAML = c.entry(entry)
		}
	}
}

func sequenceRevealsVolume(c *checker) {
	for _, t := range c.scoped() {
		for _, i := range t.indexes {
			if !i.Unique || i.Primary || len(i.Columns) < 2 || len(c.lacking(t, i)) > 0 {
				continue
			}
			for _, name := range i.Columns {
				if column := t.column(name); column != nil && column.counted() && !t.unique(name) {
					f := c.find(t, "column %s of %s is numbered within its scope, from a sequence of all scopes", name, t)
					f.Advice = "count in a row of each scope, such as UPDATE … SET next = next + 1 RETURNING next, or give up the order"
				}
			}
		}
	}
}

func largeObjects(c *checker) {
	if c.largeObjects == 0 {
		return
	}
	for _, t := range c.scoped() {
		for _, column := range t.columns {
			if column.Type == "oid" {
				c.find(t, "column %s of %s may refer to one of %d large objects", column.Name, t, c.largeObjects).SQL =
					fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE bytea USING lo_get(%[2]s);", t.quoted(), quote(column.Name))
			}
		}
	}
}

func statisticsMissing(c *checker) {
	for _, t := range c.scoped() {
		if t.Unread {
			c.find(t, "%s was never analysed", t).SQL = "ANALYZE " + t.quoted() + ";"
		}
	}
}
