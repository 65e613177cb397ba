package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// A Finding is something in a policy that does not fit the database.
type Finding struct {
	Code         Code
	Table        string // schema-qualified
	Line, Column int    // of the table's entry in the policy file
	Message      string
	Hint         string // what to do
	SQL          string // which mends it, or empty

	// Fatal is set where statements on the table cannot be guarded at all: a
	// table or column does not exist, or is of a type that cannot be compared.
	Fatal bool
}

// A Code says what kind of Finding it is.
type Code string

// The kinds of findings.
const (
	TableMissing          Code = "table-missing"
	NotATable             Code = "not-a-table"
	ColumnMissing         Code = "column-missing"
	TypeMismatch          Code = "type-mismatch"
	GeneratedNotMarked    Code = "generated-not-marked"
	ViewNotMarked         Code = "view-not-marked"
	PathNotUnique         Code = "path-not-unique"
	PathWithoutForeignKey Code = "path-without-foreign-key"
)

// String returns "line:column: message; hint".
func (f Finding) String() string {
	return fmt.Sprintf("%d:%d: %s; %s", f.Line, f.Column, f.Message, f.Hint)
}

// Check compares a policy with the catalogue and returns what does not fit, in
// the order of the policy file: tables and columns that do not exist, types that
// cannot be compared, and paths without the unique key and the foreign key on
// which the guarantee rests. A table that the policy does not list is none: its
// statements are refused. What lies in a schema for each value of a dimension is
// looked for in the template.
func (c *Catalog) Check(p *policy.Policy) []Finding {
	k := &checker{catalog: c}
	for _, t := range p.Tables() {
		if c.Table(t.Schema, t.Name) == nil && t.Access != policy.Denied {
			k.table = t
			k.fatal(TableMissing, c.suggestTable(t), "table %s.%s does not exist", t.Schema, t.Name)
		}
	}
	for _, t := range c.tables {
		if k.table = p.Table(t.Schema, t.Name); k.table == nil || p.TenantSchema(t.Schema) != nil {
			continue
		}
		if t.Kind == Type {
			k.fatal(NotATable, "remove it", "%s.%s is a type and no table", t.Schema, t.Name)
			continue
		}
		for _, s := range k.table.Scopings {
			k.scoping(t, s)
		}
		k.beside(t)
	}
	slices.SortStableFunc(k.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return k.findings
}

type checker struct {
	catalog  *Catalog
	table    *policy.Table
	findings []Finding
}

func (k *checker) find(code Code, hint, format string, args ...any) {
	k.findings = append(k.findings, Finding{
		Code: code, Table: k.table.Schema + "." + k.table.Name, Line: k.table.Line, Column: k.table.Column,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (k *checker) fatal(code Code, hint, format string, args ...any) {
	k.find(code, hint, format, args...)
	k.last().Fatal = true
}

func (k *checker) last() *Finding { return &k.findings[len(k.findings)-1] }

func (k *checker) scoping(t *Table, s policy.Scoping) {
	for _, alternative := range s.Any {
		k.scoping(t, alternative)
	}
	if len(s.Any) > 0 {
		return
	}
	column := t.Column(s.Column)
	if column == nil {
		k.fatal(ColumnMissing, hasColumns(t), "table %s.%s has no column %s", t.Schema, t.Name, s.Column)
		return
	}
	if column.Generated != "" && !s.Generated {
		k.find(GeneratedNotMarked, fmt.Sprintf("write {column: %s, generated: true}, so that every UPDATE is checked", column.Name),
			"column %s of %s.%s is generated", column.Name, t.Schema, t.Name)
	}
	if s.Path == nil {
		if !canEqual(string(s.Dimension.Type), column.Type) {
			k.fatal(TypeMismatch, fmt.Sprintf("give dimension %q the column's type", s.Dimension.Name),
				"column %s of %s.%s is of type %s, and dimension %q of type %s", column.Name, t.Schema, t.Name, column.Type, s.Dimension.Name, s.Dimension.Type)
		}
		return
	}
	k.way(t, "path", column, s.Path.Target, s.Path.Key)
}

// beside compares what the policy says of a table beside its scopings.
func (k *checker) beside(t *Table) {
	isTested := len(k.table.Scopings) > 0 || k.table.Where != nil || len(k.table.References) > 0
	if t.Kind == View && isTested && !k.table.View {
		k.find(ViewNotMarked, "add view: true to its entry, so that no condition is evaluated before its guard", "%s.%s is a view", t.Schema, t.Name)
	}
	if k.table.Where != nil {
		for _, name := range k.table.Where.Columns {
			if t.Column(name) == nil {
				k.fatal(ColumnMissing, hasColumns(t), "table %s.%s has no column %s, which its condition names", t.Schema, t.Name, name)
			}
		}
	}
	for _, f := range k.table.References {
		if column := t.Column(f.Column); column != nil {
			k.way(t, "reference", column, f.Target, f.Key)
		} else {
			k.fatal(ColumnMissing, hasColumns(t), "table %s.%s has no column %s", t.Schema, t.Name, f.Column)
		}
	}
}

// way compares a path or a reference.
func (k *checker) way(t *Table, kind string, column *Column, to *policy.Table, keyName string) {
	target := k.catalog.Table(to.Schema, to.Name)
	if target == nil {
		return // found with its own entry
	}
	key := target.Column(keyName)
	path := fmt.Sprintf("%s -> %s.%s(%s)", column.Name, target.Schema, target.Name, keyName)
	switch {
	case key == nil:
		k.fatal(ColumnMissing, hasColumns(target), "the %s %s of %s.%s leads to a column that does not exist", kind, path, t.Schema, t.Name)
	case !canEqual(key.Type, column.Type):
		k.fatal(TypeMismatch, "let the column refer to one of its own type", "the %s %s of %s.%s leads from type %s to type %s", kind, path, t.Schema, t.Name, column.Type, key.Type)
	case kind == "path":
		if !target.IsUnique(key.Name) && target.hasRows() {
			k.find(PathNotUnique, fmt.Sprintf("add a unique constraint on %s alone, or another row with its value can adopt rows", key.Name),
				"the path %s of %s.%s leads to a column that is not unique", path, t.Schema, t.Name)
			k.last().SQL = fmt.Sprintf("ALTER TABLE %s ADD UNIQUE (%s);", target.quoted(), pgparse.QuoteIdentifier(key.Name))
		}
		if !t.References(column.Name, target.Schema, target.Name, key.Name) && t.hasRows() && target.hasRows() {
			k.find(PathWithoutForeignKey, "add one, or a new row can adopt rows whose parent is gone", "no foreign key is behind the path %s of %s.%s", path, t.Schema, t.Name)
			k.last().SQL = fmt.Sprintf("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s);",
				t.quoted(), pgparse.QuoteIdentifier(column.Name), target.quoted(), pgparse.QuoteIdentifier(key.Name))
		}
	}
}

// quoted returns the table's name as SQL spells it.
func (t *Table) quoted() string {
	return pgparse.QuoteIdentifier(t.Schema) + "." + pgparse.QuoteIdentifier(t.Name)
}

// hasRows reports whether rows are stored in a table, so that it can have keys.
func (t *Table) hasRows() bool { return t.Kind == Ordinary || t.Kind == Partitioned }

func hasColumns(t *Table) string {
	if len(t.Columns) == 0 {
		return "it has no columns"
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return "it has " + strings.Join(names, ", ")
}

func (c *Catalog) suggestTable(t *policy.Table) string {
	for _, other := range c.tables {
		if other.Kind != Type && other.Schema != t.Schema && other.Name == t.Name {
			if t.In != nil {
				return fmt.Sprintf("the schema %s has one: create it in the template too, or remove the entry", other.Schema)
			}
			return fmt.Sprintf("there is a table of that name in the schema %s", other.Schema)
		}
	}
	return "create it, take another snapshot, or remove the entry"
}

// families are the types whose values PostgreSQL compares with each other, by the
// name that format_type gives them.
var families = map[string]string{
	"smallint": "number", "integer": "number", "bigint": "number", "numeric": "number", "oid": "number",
	"real": "number", "double precision": "number",
	"text": "text", "character varying": "text", "character": "text", "name": "text",
	"uuid": "uuid", "boolean": "boolean", "date": "date", "bytea": "bytea",
	"timestamp without time zone": "date", "timestamp with time zone": "date",
	"json": "json", "jsonb": "jsonb",
}

// canEqual reports whether two types can be equal. What is not known, such as
// a domain, may be.
func canEqual(a, b string) bool {
	familyA, familyB := familyOf(a), familyOf(b)
	return familyA == "" || familyB == "" || familyA == familyB
}

func familyOf(typeName string) string {
	if strings.HasSuffix(typeName, "[]") {
		return "array"
	}
	name, _, _ := strings.Cut(typeName, "(")
	return families[name]
}
