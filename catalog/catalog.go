// Package catalog holds a snapshot of a database's tables: their columns, keys
// and references. It is read from a server with Read, or from a file with Load,
// which WriteTo has written. The rewriter uses it where the text of a statement
// is not enough to tell what the statement means.
//
// A snapshot does not follow the database. Take another after each migration.
package catalog

import (
	"cmp"
	"slices"
)

// A Catalog is a snapshot of a database's tables. It is immutable and safe for
// concurrent use.
type Catalog struct {
	tables    []*Table   // by schema and name
	functions []Function // by schema and name

	byName   map[tableName]*Table
	columns  map[tableName][]string
	fields   map[string]bool // the names of columns of whatever table
	callable map[string]bool // the names of functions
	takesRow map[string]bool // the names of functions that take rows
}

type tableName struct{ schema, name string }

// A Kind says what a Table is.
type Kind string

// The kinds of tables. A Type is a composite type, which has columns and no rows.
const (
	Ordinary         Kind = "table"
	Partitioned      Kind = "partitioned table"
	View             Kind = "view"
	MaterializedView Kind = "materialized view"
	Foreign          Kind = "foreign table"
	Type             Kind = "type"
)

// A Table is what the snapshot knows of one table. It is part of a Catalog, so
// nothing in it may be changed.
type Table struct {
	Schema, Name string
	Kind         Kind
	Columns      []Column // in the order of the table, which is that of *
	PrimaryKey   []string // nil where there is none
	Unique       [][]string
	ForeignKeys  []ForeignKey
}

// A Column is a column of a table.
type Column struct {
	Name      string
	Type      string // as PostgreSQL spells it, types outside pg_catalog with their schema
	NotNull   bool
	Default   bool   // it has one, a generated column's expression not counted
	Identity  string // always, by default, or empty
	Generated string // stored, virtual, or empty
}

// A ForeignKey is a reference from columns of a table to those of another one.
type ForeignKey struct {
	Columns      []string
	Schema       string // of the table referred to
	Table        string
	Keys         []string // its columns, one for each of Columns
	OnDelete     string   // no action, restrict, cascade, set null or set default
	OnUpdate     string
	NotValidated bool // rows from before it may violate it
}

// A Function is one outside pg_catalog with at most one required argument, which
// SQL can therefore call in the form of a column: (argument).name. Functions of
// one name in one schema are one here.
type Function struct {
	Schema, Name string
	Row          bool // it takes rows of a table, or any value
}

// newCatalog builds the indexes over tables and functions and sorts both.
func newCatalog(tables []*Table, functions []Function) *Catalog {
	c := &Catalog{
		tables:    tables,
		functions: functions,
		byName:    make(map[tableName]*Table, len(tables)),
		columns:   make(map[tableName][]string, len(tables)),
		fields:    make(map[string]bool),
		callable:  make(map[string]bool, len(functions)),
		takesRow:  make(map[string]bool),
	}
	slices.SortFunc(c.tables, func(a, b *Table) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(c.functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range c.tables {
		slices.SortFunc(t.Unique, slices.Compare)
		slices.SortFunc(t.ForeignKeys, func(a, b ForeignKey) int {
			return cmp.Or(slices.Compare(a.Columns, b.Columns), cmp.Compare(a.Schema, b.Schema),
				cmp.Compare(a.Table, b.Table), slices.Compare(a.Keys, b.Keys))
		})
		names := make([]string, len(t.Columns))
		for i, column := range t.Columns {
			names[i] = column.Name
			c.fields[column.Name] = true
		}
		name := tableName{t.Schema, t.Name}
		c.byName[name], c.columns[name] = t, names
	}
	for _, f := range c.functions {
		c.callable[f.Name] = true
		c.takesRow[f.Name] = c.takesRow[f.Name] || f.Row
	}
	return c
}

// Tables returns all tables, by schema and name.
func (c *Catalog) Tables() []*Table { return slices.Clone(c.tables) }

// Table returns a table by its exact names, or nil.
func (c *Catalog) Table(schema, name string) *Table { return c.byName[tableName{schema, name}] }

// Columns returns the names of a table's columns in its order. They are the
// catalogue's own and must not be changed. It is not ok where the catalogue
// does not know the table.
func (c *Catalog) Columns(schema, table string) (names []string, ok bool) {
	names, ok = c.columns[tableName{schema, table}]
	return names, ok
}

// Keys returns the columns of each unique key of a table, the primary key included.
// There are none where the catalogue does not know the table.
func (c *Catalog) Keys(schema, table string) [][]string {
	t := c.Table(schema, table)
	if t == nil {
		return nil
	}
	if t.PrimaryKey == nil {
		return t.Unique
	}
	return append([][]string{t.PrimaryKey}, t.Unique...)
}

// Functions returns the functions that SQL can call in the form of a column, by
// schema and name.
func (c *Catalog) Functions() []Function { return slices.Clone(c.functions) }

// IsField reports whether (x).name, whatever x is, is a field of x: some table
// has such a column, and no function that is not PostgreSQL's own can be meant.
func (c *Catalog) IsField(name string) bool { return c.fields[name] && !c.callable[name] }

// CallsFunction reports whether x.name may call a function that is not
// PostgreSQL's own, where the columns of x are not known: a function has the name,
// and no table has such a column. Row is set where x is certain to be a row, which
// only functions that take rows can be called with.
func (c *Catalog) CallsFunction(name string, row bool) bool {
	return !c.fields[name] && (c.takesRow[name] || !row && c.callable[name])
}

// Column returns a column by its exact name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// IsUnique reports whether no two rows have the same value in a column, by a
// constraint or index on it alone.
func (t *Table) IsUnique(column string) bool {
	if len(t.PrimaryKey) == 1 && t.PrimaryKey[0] == column {
		return true
	}
	for _, u := range t.Unique {
		if len(u) == 1 && u[0] == column {
			return true
		}
	}
	return false
}

// References reports whether a foreign key, of that column alone or with others,
// refers from it to the key of another table.
func (t *Table) References(column, schema, table, key string) bool {
	for _, f := range t.ForeignKeys {
		if f.Schema != schema || f.Table != table {
			continue
		}
		for i, name := range f.Columns {
			if name == column && f.Keys[i] == key {
				return true
			}
		}
	}
	return false
}

// An Error is why a snapshot cannot be read or loaded.
type Error struct {
	Message string
	Hint    string // what to do
	Err     error  // the cause, if any
}

// Error returns message, cause and hint.
func (e *Error) Error() string {
	s := "catalog: " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
