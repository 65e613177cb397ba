package shell

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A knownTable is a table that the database has and the policy knows. The shell
// shows and completes no others.
type knownTable struct {
	*catalog.Table
	policy *policy.Table
}

// known returns these tables, by name.
func known(c *catalog.Catalog, p *policy.Policy) []knownTable {
	var tables []knownTable
	for _, t := range c.Tables() {
		if t.Kind == catalog.Type {
			continue
		}
		if listed := p.Table(t.Schema, t.Name); listed != nil {
			tables = append(tables, knownTable{t, listed})
		}
	}
	slices.SortFunc(tables, func(a, b knownTable) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Schema, b.Schema))
	})
	return tables
}

// find returns the known table of a name as SQL spells it, along the search path.
func (s *shell) find(name string) (knownTable, bool) {
	schema, table := splitName(name)
	if listed := s.policy.Table(schema, table); listed != nil {
		for _, t := range s.tables {
			if t.Schema == listed.Schema && t.Name == listed.Name {
				return t, true
			}
		}
	}
	return knownTable{}, false
}

// splitName returns the parts of a name such as post, public.post or "Post".
func splitName(name string) (schema, table string) {
	var parts []string
	for rest := name; rest != ""; {
		var part string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			part, rest, _ = strings.Cut(quoted, `"`)
		} else {
			at := strings.IndexAny(rest, `."`)
			if at < 0 {
				at = len(rest)
			}
			part, rest = strings.ToLower(rest[:at]), rest[at:]
		}
		parts = append(parts, part)
		rest = strings.TrimPrefix(rest, ".")
	}
	switch len(parts) {
	case 0:
		return "", ""
	case 1:
		return "", parts[0]
	}
	return parts[len(parts)-2], parts[len(parts)-1]
}

// spelled returns the name by which SQL reaches a table along the search path.
func (s *shell) spelled(t knownTable) string {
	name := pgparse.QuoteIdentifier(t.Name)
	if first := s.policy.Table("", t.Name); first == nil || first.Schema != t.Schema {
		name = pgparse.QuoteIdentifier(t.Schema) + "." + name
	}
	return name
}

// qualified returns the name of a table of the catalogue, without the schema where
// the scope chooses that.
func (s *shell) qualified(schema, table string) string {
	name := pgparse.QuoteIdentifier(table)
	if t := s.policy.Table(schema, table); t != nil && t.In != nil {
		return name
	}
	return pgparse.QuoteIdentifier(schema) + "." + name
}

func quoteColumns(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = pgparse.QuoteIdentifier(name)
	}
	return strings.Join(quoted, ", ")
}

// scopeOf says in the words of the policy file what becomes of a table.
func scopeOf(t *policy.Table) string {
	switch t.Access {
	case policy.Denied:
		return "denied"
	case policy.SharedRead:
		return "shared: read"
	case policy.Shared:
		return "shared"
	}
	var parts []string
	if t.In != nil {
		parts = append(parts, t.In.Name+": schema")
	}
	for _, scoping := range t.Scopings {
		parts = append(parts, scoping.Dimension.Name+": "+wayOf(scoping))
	}
	if t.Where != nil {
		parts = append(parts, "where: "+t.Where.Text)
	}
	return strings.Join(parts, ", ")
}

func wayOf(s policy.Scoping) string {
	switch {
	case s.Any != nil:
		ways := make([]string, len(s.Any))
		for i, way := range s.Any {
			ways[i] = wayOf(way)
		}
		return "[" + strings.Join(ways, ", ") + "]"
	case s.Path != nil:
		return fmt.Sprintf("%s -> %s", s.Column, s.Path.Target.Name)
	}
	return s.Column
}

// describeAll shows the known tables whose name matches a pattern of psql's,
// in which * is any text and ? any character.
func (s *shell) describeAll(pattern string) error {
	result := &table{out: s.screen.show, title: "Tables of the policy", footer: true}
	_ = result.begin([]column{{name: "Schema"}, {name: "Name"}, {name: "Type"}, {name: "Scope"}})
	for _, t := range s.tables {
		schema := s.scope.schemaOf(t.policy)
		if matches(pattern, schema, t.Name) {
			_ = result.row([][]byte{[]byte(schema), []byte(t.Name), []byte(t.Kind), []byte(scopeOf(t.policy))})
		}
	}
	return result.end("", len(result.rows))
}

func matches(pattern, schema, table string) bool {
	if pattern == "" {
		return true
	}
	wantedSchema, wanted := splitName(pattern)
	return wild(wanted, table) && (wantedSchema == "" || wild(wantedSchema, schema))
}

// wild reports whether text matches a pattern with * and ?.
func wild(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		return wild(pattern[1:], text) || text != "" && wild(pattern, text[1:])
	}
	return text != "" && (pattern[0] == '?' || pattern[0] == text[0]) && wild(pattern[1:], text[1:])
}

// describe shows one table.
func (s *shell) describe(t knownTable) error {
	kind := string(t.Kind)
	var text strings.Builder
	result := &table{out: writerTo(&text), title: fmt.Sprintf(`%s "%s.%s"`, strings.ToUpper(kind[:1])+kind[1:], s.scope.schemaOf(t.policy), t.Name)}
	_ = result.begin([]column{{name: "Column"}, {name: "Type"}, {name: "Nullable"}, {name: "Default"}})
	for _, c := range t.Columns {
		nullable, value := "", ""
		if c.NotNull {
			nullable = "not null"
		}
		switch {
		case c.Generated != "":
			value = "generated, " + c.Generated
		case c.Identity != "":
			value = "identity, " + c.Identity
		case c.Default:
			value = "yes"
		}
		kind := c.Type
		if t.policy.In != nil { // the scope chooses the schema of the type too
			kind = strings.TrimPrefix(kind, pgparse.QuoteIdentifier(t.Schema)+".")
		}
		_ = result.row([][]byte{[]byte(c.Name), []byte(kind), []byte(nullable), []byte(value)})
	}
	if err := result.end("", 0); err != nil {
		return err
	}
	fmt.Fprintf(&text, "Scope:\n    %s\n", scopeOf(t.policy))
	if t.PrimaryKey != nil || t.Unique != nil {
		text.WriteString("Keys:\n")
	}
	if t.PrimaryKey != nil {
		fmt.Fprintf(&text, "    PRIMARY KEY (%s)\n", quoteColumns(t.PrimaryKey))
	}
	for _, columns := range t.Unique {
		fmt.Fprintf(&text, "    UNIQUE (%s)\n", quoteColumns(columns))
	}
	var from, to []string
	for _, key := range t.ForeignKeys {
		from = append(from, foreignKey(key))
	}
	for _, other := range s.tables {
		for _, key := range other.ForeignKeys {
			if key.Schema == t.Schema && key.Table == t.Name {
				to = append(to, fmt.Sprintf("TABLE %s %s", s.spelled(other), foreignKey(key)))
			}
		}
	}
	writeList(&text, "Foreign keys:", from)
	writeList(&text, "Referenced by:", to)
	return s.screen.show(text.String())
}

func foreignKey(key catalog.ForeignKey) string {
	text := fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", quoteColumns(key.Columns), pgparse.QuoteIdentifier(key.Table), quoteColumns(key.Keys))
	if key.OnDelete != "no action" && key.OnDelete != "" {
		text += " ON DELETE " + strings.ToUpper(key.OnDelete)
	}
	return text
}

func writeList(b *strings.Builder, heading string, items []string) {
	if len(items) > 0 {
		b.WriteString(heading + "\n    " + strings.Join(items, "\n    ") + "\n")
	}
}
