// Package policy reads the YAML file that says which table is scoped on which
// dimension, and answers what a table name means under it. It knows nothing of
// SQL syntax trees, drivers or contexts.
package policy

import (
	"cmp"
	"slices"
)

// A Policy is immutable once loaded and safe for concurrent use.
type Policy struct {
	dimensions []*Dimension
	searchPath []string
	// tables by schema, then by exact name.
	tables    map[string]map[string]*Table
	patterns  []*pattern
	functions functions
	settings  settings
}

// MaxDimensions is the largest number of dimensions a policy may have; the
// shape of a scope is packed three bits a dimension into one word.
const MaxDimensions = 21

// Dimensions returns the dimensions in the order of the file.
func (p *Policy) Dimensions() []*Dimension { return slices.Clone(p.dimensions) }

// Dimension returns the dimension of that name, or nil.
func (p *Policy) Dimension(name string) *Dimension {
	for _, d := range p.dimensions {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// SearchPath returns the schemas along which unqualified table names are looked up.
func (p *Policy) SearchPath() []string { return slices.Clone(p.searchPath) }

// Table resolves a table name as PostgreSQL's catalogue spells it (folded to
// lower case unless it was quoted). An empty schema means the search path. It
// returns nil for a table that the policy does not list, which must be refused.
//
// A table listed by its exact name is always the same *Table. One that matches
// a pattern is a new *Table with each call, so compare names, not pointers.
//
// A schema may be that of a value, or the template's, of a dimension whose values
// choose schemas: the table is then the same one, In the dimension, and an
// unqualified name means such a table before one of the search path.
func (p *Policy) Table(schema, name string) *Table {
	if d := p.schemasOf(schema); d != nil {
		return p.tableIn(d.Schemas.Template, name)
	}
	if schema != "" {
		return p.tableIn(schema, name)
	}
	for _, d := range p.dimensions {
		if d.Schemas != nil {
			if t := p.tableIn(d.Schemas.Template, name); t != nil {
				return t
			}
		}
	}
	for _, schema := range p.searchPath {
		if t := p.tableIn(schema, name); t != nil {
			return t
		}
	}
	return nil
}

// Tables returns the tables that are listed by their exact names, in the order of
// the file. Those that match a pattern are not known to the policy.
func (p *Policy) Tables() []*Table {
	var all []*Table
	for _, tables := range p.tables {
		for _, t := range tables {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *Table) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}

func (p *Policy) tableIn(schema, name string) *Table {
	if t := p.tables[schema][name]; t != nil {
		return t
	}
	return p.matchPattern(schema, name)
}

// FunctionAllowed reports whether the policy's functions.allow names the
// function. An empty schema is an unqualified call.
//
// The policy does not know which functions PostgreSQL has built in. Where an
// unqualified name is known to be a built-in function's, pass the schema
// pg_catalog: then only an entry that spells the name out allows it, never a
// pattern.
//
// A function that is listed with a template's name before it is allowed in the
// schemas of that dimension's values.
func (p *Policy) FunctionAllowed(schema, name string) bool {
	if d := p.schemasOf(schema); d != nil {
		schema = d.Schemas.Template
	}
	return p.functions.allow(p.searchPath, schema, name)
}

// A Dimension is an axis of isolation, such as site or user.
type Dimension struct {
	Name  string
	Type  Type
	Index int // its place in Policy.Dimensions

	// Optional is set where a scope may lack the dimension: tables are then not
	// restricted on it. Each table is scoped on another that is not optional.
	Optional bool

	// Schemas is set where a value chooses a schema. It may choose rows of tables
	// that live once as well.
	Schemas *Schemas
}

// Type is the SQL type of a dimension's values, spelled as PostgreSQL does:
// smallint, integer, bigint, uuid or text.
type Type string

// Access says how the policy treats a table.
type Access uint8

const (
	Denied     Access = iota // never touched while scopes are enabled
	SharedRead               // read in any scope, written only with scopes disabled
	Shared                   // read and written in any scope
	Scoped                   // restricted by Scopings
)

// A Table is what the policy says of one table.
type Table struct {
	Schema, Name string     // as in PostgreSQL's catalogue
	In           *Dimension // whose value chooses the schema, Schema being the template's; nil for a table that lives once
	Access       Access
	Scopings     []Scoping // in the order of the dimensions; only for Scoped, and of those with In there may be none
	Line, Column int       // of the entry in the policy file

	Where      *Condition  // which every visible row satisfies beside its scopings; nil for none
	References []Reference // columns whose rows must be visible when they are written, in the order of the file
	View       bool        // a view, whose rows have no ctid
	Barrier    bool        // nothing is evaluated on the table's rows before its guard
}

// A Reference is a column that refers to a row of another table. A row may only
// be written where it is NULL or refers to one that is visible.
type Reference struct {
	Column string
	Target *Table // scoped
	Key    string // Target's referenced column
	Line   int    // in the policy file
}

// A Scoping ties a table to one dimension: by a column of its own that holds
// the dimension's value, by a path, a column that refers to another table
// scoped on the same dimension, or by either of several of these.
type Scoping struct {
	Dimension *Dimension
	Column    string // the table's own column; empty where Any is set
	Path      *Path  // nil where Column itself holds the value, or Any is set
	Null      Null   // what becomes of a row in which Column is NULL
	Generated bool   // the database computes Column, which no statement assigns
	Line      int    // in the policy file

	// Any holds two or more alternatives, columns and paths on the same
	// dimension, without alternatives of their own: a row is visible by any one
	// of them. It is nil where there is one way only.
	Any []Scoping
}

// Null says who sees a row whose scope column is NULL.
type Null uint8

const (
	NullHidden  Null = iota // nobody
	NullRead                // everybody, and it is written only with scopes disabled
	NullVisible             // everybody, and everybody may write it
)

// alternatives returns the items of Any, or s itself where there are none.
func (s *Scoping) alternatives() []*Scoping {
	if s.Any == nil {
		return []*Scoping{s}
	}
	all := make([]*Scoping, len(s.Any))
	for i := range s.Any {
		all[i] = &s.Any[i]
	}
	return all
}

// A Path leads from a column to the row it refers to: `post_id -> post`. Whoever
// sees the row of Target whose Key equals the column sees this row.
type Path struct {
	Target *Table   // scoped on the same dimension
	Key    string   // Target's referenced column
	Via    *Scoping // Target's scoping on the dimension, which may be either of several
}
