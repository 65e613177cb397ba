package draft

import (
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// A spec is what an entry of tables says.
type spec struct {
	access     policy.Access
	in         string    // the dimension in whose schemas the table lies, or empty
	scopings   []scoping // for policy.Scoped
	references []reference
	view       bool
	where      string
	unchecked  bool // rows that are written need not satisfy where
	barrier    bool
}

// A scoping ties a table to one dimension, by either of its ways.
type scoping struct {
	dimension string
	ways      []way
	null      policy.Null
	generated bool // the column of the only way
}

// A way is a column, or a path that begins with it.
type way struct {
	column string
	to     tableName // none where the column holds the value
	key    string
}

type reference struct {
	column string
	to     tableName
	key    string
}

// specOf returns what a policy says of a table.
func specOf(t *policy.Table) spec {
	s := spec{access: t.Access, view: t.View, barrier: t.Barrier}
	if t.In != nil {
		s.in = t.In.Name
	}
	for _, from := range t.Scopings {
		to := scoping{dimension: from.Dimension.Name, null: from.Null, generated: from.Generated}
		ways := from.Any
		if ways == nil {
			ways = []policy.Scoping{from}
		}
		for _, from := range ways {
			w := way{column: from.Column}
			if from.Path != nil {
				w.to, w.key = tableName{from.Path.Target.Schema, from.Path.Target.Name}, from.Path.Key
			}
			to.ways = append(to.ways, w)
		}
		s.scopings = append(s.scopings, to)
	}
	for _, r := range t.References {
		s.references = append(s.references, reference{r.Column, tableName{r.Target.Schema, r.Target.Name}, r.Key})
	}
	if t.Where != nil {
		s.where, s.unchecked = t.Where.Text, !t.Where.Check
	}
	return s
}

// on returns the scoping on a dimension, or nil.
func (s *spec) on(dimension string) *scoping {
	for i := range s.scopings {
		if s.scopings[i].dimension == dimension {
			return &s.scopings[i]
		}
	}
	return nil
}

// Entry returns the entry that a policy has of a table, as its file spells it: the
// table's name, without the schema where that is not needed, and what is said of it.
func Entry(p *policy.Policy, t *policy.Table) (name, value string) {
	s, said := spellerOf(p), specOf(t)
	return scalar(s.entry(tableName{t.Schema, t.Name}, said)), s.value(said)
}

// A speller spells entries of tables.
type speller struct {
	schema    string            // that of names without one
	templates map[string]string // by the schemas that are read for them
	known     *catalog.Catalog  // may be nil
}

func spellerOf(p *policy.Policy) speller {
	s := speller{schema: p.SearchPath()[0]}
	for _, d := range p.Dimensions() {
		if d.Schemas != nil {
			s.addTemplate(d.Schemas.Template, d.Schemas.Template)
		}
	}
	return s
}

func (s *speller) addTemplate(example, template string) {
	if s.templates == nil {
		s.templates = map[string]string{}
	}
	s.templates[example] = template
}

// entry returns a table's name as the key of its entry, which is no other table's.
func (s speller) entry(n tableName, said spec) string {
	template := s.templates[n.schema]
	switch {
	case template != "" && (said.in == "" || s.lists(n.name) > 1):
		return spelled(template) + "." + spelled(n.name)
	case template != "" || n.schema == s.schema:
		return spelled(n.name)
	}
	return spelled(n.schema) + "." + spelled(n.name)
}

// table returns a table's name as the policy's format has it, without a schema where
// that is a template, or the first of the search path and no template has the name.
func (s speller) table(n tableName) string {
	if s.templates[n.schema] != "" || n.schema == s.schema && s.lists(n.name) < 2 {
		return spelled(n.name)
	}
	return spelled(n.schema) + "." + spelled(n.name)
}

// lists returns how many tables have a name, of the templates and of the schema of
// names without one.
func (s speller) lists(name string) (n int) {
	if s.known == nil {
		return 1
	}
	for example := range s.templates {
		if s.known.Table(example, name) != nil {
			n++
		}
	}
	if s.known.Table(s.schema, name) != nil {
		n++
	}
	return n
}

func (s speller) target(n tableName, key string) string {
	if key == "id" {
		return s.table(n)
	}
	return s.table(n) + "(" + spelled(key) + ")"
}

func (s speller) way(w way) string {
	if w.to == (tableName{}) {
		return spelled(w.column)
	}
	return spelled(w.column) + " -> " + s.target(w.to, w.key)
}

func (s speller) scoping(sc scoping) string {
	if len(sc.ways) > 1 {
		ways := make([]string, len(sc.ways))
		for i, w := range sc.ways {
			ways[i] = scalar(s.way(w))
		}
		return "[" + strings.Join(ways, ", ") + "]"
	}
	text := scalar(s.way(sc.ways[0]))
	var more string
	switch sc.null {
	case policy.NullVisible:
		more += ", null: visible"
	case policy.NullRead:
		more += ", null: read"
	}
	if sc.generated {
		more += ", generated: true"
	}
	if more != "" {
		return "{column: " + text + more + "}"
	}
	return text
}

// value returns the value of an entry.
func (s speller) value(sp spec) string {
	switch sp.access {
	case policy.Denied:
		return "denied"
	case policy.Shared:
		return "shared"
	case policy.SharedRead:
		return "{shared: read}"
	}
	var parts []string
	if sp.in != "" {
		parts = append(parts, scalar(sp.in)+": schema")
	}
	for _, sc := range sp.scopings {
		parts = append(parts, scalar(sc.dimension)+": "+s.scoping(sc))
	}
	if sp.where != "" && sp.unchecked {
		parts = append(parts, "where: {condition: "+scalar(sp.where)+", check: false}")
	} else if sp.where != "" {
		parts = append(parts, "where: "+scalar(sp.where))
	}
	if len(sp.references) > 0 {
		references := make([]string, len(sp.references))
		for i, r := range sp.references {
			references[i] = scalar(spelled(r.column)) + ": " + scalar(s.target(r.to, r.key))
		}
		parts = append(parts, "references: {"+strings.Join(references, ", ")+"}")
	}
	if sp.view {
		parts = append(parts, "view: true")
	}
	if sp.barrier {
		parts = append(parts, "barrier: always")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
