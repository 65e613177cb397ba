package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
)

// A Root is a table whose rows are the values of a dimension, such as the table
// of all sites.
type Root struct {
	Schema    string // empty: the schema is looked up along the search path
	Table     string
	Dimension string // empty: the table's name in lower case
}

var rootForm = regexp.MustCompile(`^(?:("(?:[^"]|"")+"|[^".=]+)\.)?("(?:[^"]|"")+"|[^".=]+)(?:=([^"=]+))?$`)

// ParseRoot reads a root as a command line has it: table or schema.table, and
// with the dimension's name behind it table=dimension. Names are those of
// PostgreSQL's catalogue; those that hold a dot, = or a double quote are put in
// double quotes.
func ParseRoot(text string) (Root, error) {
	m := rootForm.FindStringSubmatch(text)
	if m == nil {
		return Root{}, fmt.Errorf(`%q is not a root; write site, app.site, or account=user to name the dimension`, text)
	}
	return Root{Schema: unquoted(m[1]), Table: unquoted(m[2]), Dimension: m[3]}, nil
}

func unquoted(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// A dimension is one of the policy's, and the table of its values.
type dimension struct {
	name     string
	typ      string
	optional bool
	root     *catalog.Table // nil where nobody has named it
	key      string         // root's column that holds the values
	named    bool           // somebody has named the root

	example string // the schema whose tables are read for those of the values; empty where these choose none
	alike   *alike // what they are, in a new policy
}

// template returns the name that the policy has for the template.
func (d *dimension) template() string {
	if d.alike != nil {
		return d.alike.template
	}
	return d.example
}

var dimensionName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// reserved are the keys of a table's entry that are no dimensions.
var reserved = []string{"shared", "where", "references", "view", "barrier"}

func validDimension(name string) bool {
	return dimensionName.MatchString(name) && !slices.Contains(reserved, name)
}

// resolve finds a root's table and its key.
func (db *Database) resolve(r Root, searchPath []string) (*dimension, error) {
	t, err := db.find(r, searchPath)
	if err != nil {
		return nil, err
	}
	d := &dimension{name: r.Dimension, root: t, named: true}
	if d.name == "" {
		d.name = strings.ToLower(t.Name)
	}
	if !validDimension(d.name) {
		return nil, fmt.Errorf("%q cannot be a dimension's name; name the dimension behind the table, such as --root %s", d.name, quoted(rootName(t)+"=tenant"))
	}
	keys := db.keys(t)
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s cannot be a root: it has no column for the values of %s, unique, NOT NULL, and of type smallint, integer, bigint, uuid, text or varchar", t.Schema+"."+t.Name, d.name)
	}
	d.key = keys[0]
	d.typ = dimensionType(db.typeOf(t, t.Column(d.key)))
	return d, nil
}

// dimensionType returns the type of the dimension whose values are of a column's
// type, or "".
func dimensionType(columnType string) string {
	name, _, _ := strings.Cut(columnType, "(")
	switch name {
	case "smallint", "integer", "bigint", "uuid", "text":
		return name
	case "character varying":
		return "text"
	}
	return ""
}

// comparable reports whether a column's values are of the kind of a dimension's.
func (d *dimension) comparable(columnType string) bool {
	t := dimensionType(columnType)
	return t == d.typ || isInteger(t) && isInteger(d.typ)
}

func isInteger(t string) bool { return t == "smallint" || t == "integer" || t == "bigint" }

func (db *Database) find(r Root, searchPath []string) (*catalog.Table, error) {
	schemas := searchPath
	if r.Schema != "" {
		schemas = []string{r.Schema}
	}
	for _, schema := range schemas {
		if t := db.catalog.Table(schema, r.Table); t != nil && t.Kind != catalog.Type {
			return t, nil
		}
	}
	var near []string
	for _, t := range db.catalog.Tables() {
		if t.Kind != catalog.Type && folded(t.Name) == folded(r.Table) {
			near = append(near, "--root "+quoted(rootName(t)))
		}
	}
	hint := "scoped init without --root lists candidates"
	if len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return nil, fmt.Errorf("there is no table %s in the schema %s; %s", r.Table, strings.Join(schemas, " or "), hint)
}

// rootName returns a table's name as ParseRoot reads it.
func rootName(t *catalog.Table) string {
	name := rootPart(t.Name)
	if t.Schema != "public" {
		name = rootPart(t.Schema) + "." + name
	}
	return name
}

func rootPart(name string) string {
	if strings.ContainsAny(name, `".=`) {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}

// keys returns the columns that can be the key of a root: that of the primary
// key first, then those to which most foreign keys refer.
func (db *Database) keys(t *catalog.Table) []string {
	references := map[string]int{}
	for _, other := range db.catalog.Tables() {
		for _, f := range other.ForeignKeys {
			if f.Schema == t.Schema && f.Table == t.Name && len(f.Keys) == 1 {
				references[f.Keys[0]]++
			}
		}
	}
	var keys []string
	for _, c := range t.Columns {
		if t.IsUnique(c.Name) && c.NotNull && dimensionType(db.typeOf(t, &c)) != "" {
			keys = append(keys, c.Name)
		}
	}
	primary := func(name string) int {
		if len(t.PrimaryKey) == 1 && t.PrimaryKey[0] == name {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		if p := primary(a) - primary(b); p != 0 {
			return p
		}
		return references[b] - references[a]
	})
	return keys
}
