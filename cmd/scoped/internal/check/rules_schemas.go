package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/schemas"
)

// eachSchemas calls find with the dimensions whose values choose schemas.
func (c *checker) eachSchemas(find func(*policy.Dimension, *policy.Schemas)) {
	for _, d := range c.policy.Dimensions() {
		if d.Schemas != nil {
			find(d, d.Schemas)
		}
	}
}

func templateMissing(c *checker) {
	c.eachSchemas(func(d *policy.Dimension, s *policy.Schemas) {
		if c.missing([]string{s.Template}) != nil {
			c.findAt(s.Template, "the template %s of dimension %q does not exist", s.Template, d.Name).SQL = "CREATE SCHEMA " + quote(s.Template) + ";"
		}
	})
}

// registry returns the table that lists a dimension's values, and its column, nil
// where there is none.
func (c *checker) registry(s *policy.Schemas) (*table, *column) {
	t := c.byName[s.Registry.Schema+"."+s.Registry.Table]
	if t == nil {
		return nil, nil
	}
	return t, t.column(s.Registry.Column)
}

func registryMissing(c *checker) {
	c.eachSchemas(func(d *policy.Dimension, s *policy.Schemas) {
		if s.Registry == nil {
			return
		}
		name := s.Registry.Schema + "." + s.Registry.Table
		switch t, column := c.registry(s); {
		case t == nil:
			c.findAt(d.Name, "the registry %s does not exist", name).Advice = "create it, with a column " + quote(s.Registry.Column) + " of the values"
		case column == nil:
			c.findAt(d.Name, "the registry %s has no column %s", name, s.Registry.Column).Advice =
				fmt.Sprintf("add it, or name the one that holds the values: registry: %s(column)", s.Registry.Table)
		}
	})
}

func registryNotUnique(c *checker) {
	c.eachSchemas(func(d *policy.Dimension, s *policy.Schemas) {
		if s.Registry == nil {
			return
		}
		if t, column := c.registry(s); column != nil && t.isTable() && !t.unique(column.Name) {
			c.findAt(d.Name, "the column %s of the registry %s is not unique", column.Name, t).SQL =
				fmt.Sprintf("ALTER TABLE %s ADD UNIQUE (%s);", t.quoted(), quote(column.Name))
		}
	})
}

// valuesWith calls find with the values of a dimension of which something is wrong.
func (c *checker) valuesWith(wrong func(schemas.Schema) bool, find func(*policy.Dimension, []string)) {
	c.eachSchemas(func(d *policy.Dimension, s *policy.Schemas) {
		if s.Registry == nil {
			return
		}
		if _, column := c.registry(s); column == nil {
			return
		}
		var values []string
		for _, s := range c.values[d.Name] {
			if wrong(s) {
				values = append(values, fmt.Sprintf("%q", s.Value))
			}
		}
		if values != nil {
			find(d, values)
		}
	})
}

func valueWithoutSchema(c *checker) {
	c.valuesWith(func(s schemas.Schema) bool { return s.Registered && s.Problem == "" && !s.Exists }, func(d *policy.Dimension, values []string) {
		c.findAt(d.Name, "there is no schema for %s, which the registry lists", and(values)).Advice =
			"scoped schema create VALUE, or remove them from the registry"
	})
	c.valuesWith(func(s schemas.Schema) bool { return s.Problem != "" }, func(d *policy.Dimension, values []string) {
		c.findAt(d.Name, "there can be no schema for %s, which the registry lists", and(values)).Advice =
			"give them other names; scoped schema list says what is wrong with each"
	})
}

func schemaWithoutValue(c *checker) {
	c.valuesWith(func(s schemas.Schema) bool { return s.Exists && !s.Registered }, func(d *policy.Dimension, values []string) {
		c.findAt(d.Name, "the registry does not list %s, for which there are schemas", and(values)).Advice =
			"add them to the registry, or scoped schema drop VALUE"
	})
}

func schemaRightsDiffer(c *checker) {
	c.eachSchemas(func(d *policy.Dimension, s *policy.Schemas) {
		var names []string
		for _, pair := range c.otherRights {
			if pair.Template == s.Template && c.policy.TenantSchema(pair.Schema) == d {
				names = append(names, pair.Schema)
			}
		}
		if names != nil {
			c.findAt(s.Template, "%s have another owner, or other rights, than the template %s", and(names), s.Template).Advice =
				"ALTER SCHEMA … OWNER TO, GRANT and REVOKE until they are as the template's are"
		}
	})
}

func tableNotInTemplate(c *checker) {
	for _, s := range c.strayTables {
		name := c.strayName(s)
		if name == "" || slices.ContainsFunc(c.misfits, func(m catalog.Finding) bool { return m.Table == name }) {
			continue // another rule says that the template lacks it
		}
		verb := "has"
		if len(s.Schemas) > 1 {
			verb = "have"
		}
		c.findAt(name, "%s %s a table %s, which the template lacks", and(s.Schemas), verb, s.Name).Advice =
			"create it in the template too, or drop it"
	}
}

// strayName returns the name that the table would have in the template.
func (c *checker) strayName(s *strayTable) string {
	if d := c.policy.TenantSchema(s.Schemas[0]); d != nil {
		return d.Schemas.Template + "." + s.Name
	}
	return ""
}

// stray returns the table of schemas that a template lacks under this name, or nil.
func (c *checker) stray(name string) *strayTable {
	for _, s := range c.strayTables {
		if c.strayName(s) == name {
			return s
		}
	}
	return nil
}

func tableHidesAnother(c *checker) {
	for _, t := range c.tables {
		if t.policy.In == nil {
			continue
		}
		for _, schema := range c.policy.SearchPath() {
			if other := c.byName[schema+"."+t.Name]; other != nil {
				c.find(t, "%s, which lies in a schema for each value, has the name of %s", t.Name, other).Advice =
					fmt.Sprintf("write %s where that is meant, or rename one of the two", other.quoted())
				break
			}
		}
	}
}

func typeUnlisted(c *checker) {
	c.unlistedObjects(c.types, "type", "types", c.policy.TenantType)
}

func sequenceUnlisted(c *checker) {
	c.unlistedObjects(c.sequences, "sequence", "sequences", c.policy.TenantSequence)
}

func (c *checker) unlistedObjects(objects []*object, noun, key string, listed func(string) *policy.Dimension) {
	for _, o := range objects {
		if d := c.policy.Template(o.Schema); d != nil && listed(o.Name) != d {
			c.findAt(o.Schema+"."+o.Name, "dimension %q does not list the %s %s of its template", d.Name, noun, o.Name).Advice =
				fmt.Sprintf("add it to the dimension: %s: [%s]", key, o.Name)
		}
	}
}

func functionListedElsewhere(c *checker) {
	for _, f := range c.functions {
		d := c.policy.Template(f.Schema)
		if d == nil || f.Procedure || !c.policy.FunctionAllowed("", f.Name) || c.policy.TenantFunction(f.Name) == d {
			continue
		}
		once := slices.ContainsFunc(c.functions, func(other *function) bool {
			return other.Name == f.Name && slices.Contains(c.policy.SearchPath(), other.Schema)
		})
		if !once {
			c.findAt(f.signature(), "the policy allows the function %s as one that lives once, and it lies in the template", f.Name).Advice =
				fmt.Sprintf("list it with the template's name: functions: {allow: [%s.%s]}", quote(f.Schema), quote(f.Name))
		}
	}
}

func functionFollowsSession(c *checker) {
	for _, f := range c.functions {
		if c.policy.Template(f.Schema) == nil || f.Procedure || f.Extension || f.Path != "" {
			continue
		}
		if names := c.inTemplate(f); f.Body != "" && len(names) > 0 {
			c.findAt(f.signature(), "the function %s names %s, and sets no search_path", f.signature(), and(names)).SQL = c.setPath(f)
		}
	}
}

// inTemplate returns what the body of a function may find in its own schema.
func (c *checker) inTemplate(f *function) []string {
	found := map[string]bool{}
	for _, to := range c.reach.edges[node{function: f.OID}] {
		if t := c.byOID[to.relation]; t != nil && t.Schema == f.Schema {
			found[t.Name] = true
		}
		if g := c.function[to.function]; g != nil && g != f && g.Schema == f.Schema {
			found[g.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func schemasCrossed(c *checker) {
	for _, x := range c.crossings {
		t, f := c.byOID[x.OID], (*function)(nil)
		if x.Kind == "function" {
			t, f = nil, c.function[x.OID]
		}
		if !c.crosses(x.Schema, x.OtherSchema, t, f) {
			continue
		}
		what := "a " + x.Kind + " of"
		if x.Kind == "view" || x.Kind == "function" || x.Kind == "table" {
			what = "the " + x.Kind
		}
		found := c.findAt(x.Schema+"."+x.Name, "%s %s.%s uses %s.%s", what, x.Schema, x.Name, x.OtherSchema, x.Other)
		if f != nil {
			found.Object = f.signature()
		}
		if t != nil && t.policy != nil {
			found.Line, found.Column = t.policy.Line, t.policy.Column
		}
		found.Advice = insteadOfCrossing
	}
	exists := map[string]bool{}
	for _, s := range c.schemas {
		exists[s.Name] = c.policy.TenantSchema(s.Name) != nil || c.policy.Template(s.Name) != nil
	}
	for _, f := range slices.Concat(c.functions, c.valueFunctions) {
		for _, schema := range f.schemas() {
			if exists[schema] && c.crosses(f.Schema, schema, nil, f) {
				c.findAt(f.signature(), "the function %s names the schema %s", f.signature(), schema).Advice = insteadOfCrossing
			}
		}
	}
}

const insteadOfCrossing = "name what lies in the same schema, or once for all"

// crosses reports whether what lies in a schema may not reach into another, which is
// a value's or a template: that of a template, or of a value, into any but its own;
// and what statements use of that which lives once into a value's.
func (c *checker) crosses(from, to string, t *table, f *function) bool {
	switch {
	case from == to:
		return false
	case c.policy.TenantSchema(from) != nil:
		return true
	case c.policy.TenantSchema(to) == nil:
		return false
	case c.policy.Template(from) != nil:
		return true
	case t != nil:
		return t.policy != nil && t.policy.Access != policy.Denied
	}
	return f != nil && c.policy.FunctionAllowed(f.Schema, f.Name)
}

// schemas returns what the body of a function, or its search_path, may name of
// schemas, each once.
func (f *function) schemas() (names []string) {
	for _, schema := range splitNames(f.Path) {
		if !slices.Contains(names, schema) {
			names = append(names, schema)
		}
	}
	tokens := words(f.Body)
	for i := 1; i < len(tokens); i++ {
		if tokens[i] != "." || i > 1 && tokens[i-2] == "." {
			continue
		}
		if schema := name(tokens[i-1]); !slices.Contains(names, schema) {
			names = append(names, schema)
		}
	}
	return names
}
