package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Placeholder stands for the value in the names of a dimension's schemas.
const Placeholder = "{value}"

// Schemas says which schema each value of a dimension has. Tables in them live
// once for each value, and once in the template, from which the others are made
// and which belongs to no value.
type Schemas struct {
	Template string
	Registry *Registry // nil for none

	pattern        string
	prefix, suffix string // of pattern
	sequences      []glob
	types          []glob
	reserved       map[string]bool // names that match, and are no value's
}

// A Registry is the table that lists the values of a dimension.
type Registry struct {
	Schema, Table string
	Column        string // that holds the value
}

// Pattern returns the names of the schemas, in which Placeholder is the value.
func (s *Schemas) Pattern() string { return s.pattern }

// Reserved returns the schemas that are no value's whatever their names are: those
// that the policy uses otherwise, the template among them. They are sorted.
func (s *Schemas) Reserved() []string { return slices.Sorted(maps.Keys(s.reserved)) }

// Name returns the schema of a value. It refuses values whose schema cannot exist
// or is not theirs: names that PostgreSQL would cut off or keeps for itself, those
// of schemas that the policy names, and what no name should hold.
func (s *Schemas) Name(value string) (string, error) {
	name := s.prefix + value + s.suffix
	switch {
	case value == "":
		return "", fmt.Errorf("the value is empty, and is part of a schema's name")
	case !utf8.ValidString(value):
		return "", fmt.Errorf("the value %q is not valid UTF-8", value)
	case strings.ContainsFunc(value, isOdd):
		return "", fmt.Errorf("the value %q holds a character that a schema's name may not have here", value)
	case len(name) > maxName:
		return "", fmt.Errorf("the schema %q is %d bytes long, PostgreSQL's names at most %d", name, len(name), maxName)
	case name == s.Template:
		return "", fmt.Errorf("the schema %s is the template, which belongs to no value", name)
	case systemSchema(name):
		return "", fmt.Errorf("the schema %s is the system's", name)
	case s.reserved[name]:
		return "", fmt.Errorf("the policy uses the schema %s for what belongs to no value", name)
	}
	return name, nil
}

// isOdd reports whether no schema of a value may hold the character.
func isOdd(r rune) bool { return r == '\\' || !unicode.IsGraphic(r) }

// Value returns the value whose schema has the name, if there is one.
func (s *Schemas) Value(schema string) (value string, ok bool) {
	value, ok = strings.CutPrefix(schema, s.prefix)
	if ok {
		value, ok = strings.CutSuffix(value, s.suffix)
	}
	if !ok {
		return "", false
	}
	_, err := s.Name(value)
	return value, err == nil
}

// schemasOf returns the dimension that a schema belongs to, as a value's or as
// the template, or nil.
func (p *Policy) schemasOf(schema string) *Dimension {
	for _, d := range p.dimensions {
		if d.Schemas == nil {
			continue
		}
		if _, ok := d.Schemas.Value(schema); ok || schema == d.Schemas.Template {
			return d
		}
	}
	return nil
}

// HasSchemas reports whether the values of a dimension choose schemas.
func (p *Policy) HasSchemas() bool {
	return slices.ContainsFunc(p.dimensions, func(d *Dimension) bool { return d.Schemas != nil })
}

// TenantSchema returns the dimension of which the schema is a value's, or nil. The
// template is no value's.
func (p *Policy) TenantSchema(schema string) *Dimension {
	if d := p.schemasOf(schema); d != nil && schema != d.Schemas.Template {
		return d
	}
	return nil
}

// Template returns the dimension whose template the schema is, or nil.
func (p *Policy) Template(schema string) *Dimension {
	if d := p.schemasOf(schema); d != nil && schema == d.Schemas.Template {
		return d
	}
	return nil
}

// InSchemas reports whether a schema is a value's or a template.
func (p *Policy) InSchemas(schema string) bool { return p.schemasOf(schema) != nil }

// TenantSequence returns the dimension in whose schemas an unqualified sequence
// lives: one that the dimension lists, or with the name that PostgreSQL gives to
// the sequence of a column of one of its tables, table_column_seq. It is nil where
// the sequence lives once.
func (p *Policy) TenantSequence(name string) *Dimension {
	return p.dimensionWith(func(d *Dimension) bool {
		if matchAny(d.Schemas.sequences, name) {
			return true
		}
		if !strings.HasSuffix(name, "_seq") {
			return false
		}
		for table := range p.tables[d.Schemas.Template] {
			if strings.HasPrefix(name, table+"_") {
				return true
			}
		}
		return false
	})
}

// TenantType returns the dimension in whose schemas an unqualified type lives: one
// that the dimension lists, or the row of one of its tables. It is nil where the
// type lives once.
func (p *Policy) TenantType(name string) *Dimension {
	return p.dimensionWith(func(d *Dimension) bool {
		return matchAny(d.Schemas.types, name) || p.tableIn(d.Schemas.Template, name) != nil
	})
}

// TenantFunction returns the dimension in whose schemas an unqualified function
// lives, one that functions.allow lists with the template's name before it, or nil.
func (p *Policy) TenantFunction(name string) *Dimension {
	return p.dimensionWith(func(d *Dimension) bool {
		return p.functions.allow(nil, d.Schemas.Template, name)
	})
}

func (p *Policy) dimensionWith(has func(*Dimension) bool) *Dimension {
	for _, d := range p.dimensions {
		if d.Schemas != nil && has(d) {
			return d
		}
	}
	return nil
}

func matchAny(globs []glob, name string) bool {
	return slices.ContainsFunc(globs, func(g glob) bool { return g.match(name) })
}

var schemasKeys = []string{"schema", "template", "registry", "sequences", "types"}

const schemasForm = `write for example tenant: {schema: "t_{value}", template: t_template, registry: tenant}`

// schemas reads the keys of a dimension whose values choose schemas.
func (l *loader) schemas(d *Dimension, n *node, fields map[string]*node) {
	s := &Schemas{}
	d.Schemas = s
	if d.Optional {
		l.fail(fields["optional"], "a dimension whose values choose schemas cannot be optional", "remove optional: without a value there is no table")
	}
	if pattern := fields["schema"]; pattern == nil {
		l.fail(n, "the names of the schemas are missing", schemasForm)
	} else if l.expect(pattern, text, "schema", schemasForm) {
		prefix, suffix, ok := strings.Cut(pattern.text, Placeholder)
		switch {
		case !ok || strings.Contains(suffix, Placeholder):
			l.fail(pattern, fmt.Sprintf("%q must hold %s once", pattern.text, Placeholder), schemasForm)
		case len(prefix)+len(suffix) >= maxName:
			l.fail(pattern, fmt.Sprintf("%q leaves no room for a value: PostgreSQL's names have at most %d bytes", pattern.text, maxName), "")
		case strings.ContainsFunc(pattern.text, isOdd):
			l.fail(pattern, fmt.Sprintf("%q holds a character that a schema's name may not have here", pattern.text), "")
		case strings.HasPrefix(prefix, "pg_"):
			l.fail(pattern, "schemas that begin with pg_ are the system's", schemasForm)
		default:
			s.pattern, s.prefix, s.suffix = pattern.text, prefix, suffix
		}
	}
	if template := fields["template"]; template == nil {
		l.fail(n, "the template is missing: the schema that those of the values are made from", schemasForm)
	} else if l.expect(template, text, "template", schemasForm) {
		name, err := parseName(template.text)
		switch {
		case err != nil:
			l.fail(template, err.Error(), nameHint(template.text))
		case systemSchema(name):
			l.fail(template, fmt.Sprintf("the schema %s is the system's", name), schemasForm)
		}
		s.Template = name
	}
	if registry := fields["registry"]; registry != nil && l.expect(registry, text, "registry", schemasForm) {
		q, key, err := parseTarget(registry.text)
		if err != nil {
			l.fail(registry, err.Error(), "write table or table(column)")
		} else {
			s.Registry = &Registry{Schema: q.schema, Table: q.name, Column: key}
		}
	}
	s.sequences = l.globs(fields["sequences"], "sequences")
	s.types = l.globs(fields["types"], "types")
}

// globs reads a list of names, in which * stands for any run of characters.
func (l *loader) globs(n *node, what string) []glob {
	if n == nil || !l.expect(n, sequence, what, "write "+what+": [name, \"*_name\"]") {
		return nil
	}
	var globs []glob
	for _, item := range n.items {
		if !l.expect(item, text, "a name", "quote it if it is a name") {
			continue
		}
		q, err := parseQualified(item.text, true)
		switch {
		case err != nil:
			l.fail(item, err.Error(), nameHint(item.text))
		case q.schema != "":
			l.fail(item, fmt.Sprintf("%s is qualified", q), "leave the schema out: it is the value's")
		case q.pattern:
			globs = append(globs, newGlob(q.name))
		default:
			globs = append(globs, glob{q.name})
		}
	}
	return globs
}

// reserveSchemas keeps from the values of a dimension the schemas that the policy
// uses otherwise, and reports templates that are one.
func (l *loader) reserveSchemas(dimensions *node) {
	reserved := map[string]bool{}
	for _, schema := range l.policy.searchPath {
		reserved[schema] = true
	}
	for q := range l.policy.functions.exact {
		reserved[q.schema] = true
	}
	for _, f := range l.policy.functions.patterns {
		reserved[f.schema] = true
	}
	for _, e := range l.entries {
		if e.table.In == nil {
			reserved[e.name.schema] = true
		}
	}
	var templates []string
	for i, d := range l.policy.dimensions {
		s := d.Schemas
		if s == nil || s.pattern == "" || s.Template == "" {
			continue
		}
		at := dimensions.entries[i].value
		if slices.Contains(l.policy.searchPath, s.Template) {
			l.fail(at, fmt.Sprintf("the template %s is in the search path, along which everybody's tables are looked up", s.Template), "remove it from search_path")
		}
		if slices.Contains(templates, s.Template) {
			l.fail(at, fmt.Sprintf("the template %s is another dimension's too", s.Template), "give each dimension a template of its own")
		}
		templates = append(templates, s.Template)
		for _, other := range l.policy.dimensions[:i] {
			if o := other.Schemas; o != nil && o.pattern != "" && overlap(s.prefix, o.prefix, strings.HasPrefix) && overlap(s.suffix, o.suffix, strings.HasSuffix) {
				l.fail(at, fmt.Sprintf("a schema may be a value's of %s and of %s", other.Name, d.Name), "let their names begin or end differently")
			}
		}
		if r := s.Registry; r != nil {
			if r.Schema == "" {
				r.Schema = l.policy.searchPath[0]
			}
			reserved[r.Schema] = true
		}
	}
	for _, template := range templates {
		reserved[template] = true
	}
	for _, d := range l.policy.dimensions {
		if d.Schemas != nil {
			d.Schemas.reserved = reserved
		}
	}
}

func overlap(a, b string, isPart func(s, part string) bool) bool { return isPart(a, b) || isPart(b, a) }
