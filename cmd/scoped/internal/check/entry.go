package check

import (
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
)

// entry returns the entry of a table as the policy file spells it.
func (c *checker) entry(t *policy.Table) string {
	return yamlText(c.entryName(t)) + ": " + c.entryValue(t)
}

// entryName returns a table's name as keys and paths spell it.
func (c *checker) entryName(t *policy.Table) string {
	if t.Schema == c.policy.SearchPath()[0] {
		return policyName(t.Name)
	}
	return policyName(t.Schema) + "." + policyName(t.Name)
}

func (c *checker) entryValue(t *policy.Table) string {
	switch t.Access {
	case policy.Shared:
		return "shared"
	case policy.SharedRead:
		return "{shared: read}"
	case policy.Denied:
		return "denied"
	}
	var parts []string
	for _, s := range t.Scopings {
		parts = append(parts, s.Dimension.Name+": "+c.scopingValue(s))
	}
	if w := t.Where; w != nil {
		condition := yamlText(w.Text)
		if !w.Check {
			condition = "{condition: " + condition + ", check: false}"
		}
		parts = append(parts, "where: "+condition)
	}
	var references []string
	for _, r := range t.References {
		references = append(references, yamlText(policyName(r.Column))+": "+yamlText(c.leadsTo(r.Target, r.Key)))
	}
	if references != nil {
		parts = append(parts, "references: {"+strings.Join(references, ", ")+"}")
	}
	if t.View {
		parts = append(parts, "view: true")
	}
	if t.Barrier {
		parts = append(parts, "barrier: always")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (c *checker) scopingValue(s policy.Scoping) string {
	if s.Any != nil {
		ways := make([]string, len(s.Any))
		for i, w := range s.Any {
			ways[i] = c.scopingValue(w)
		}
		return "[" + strings.Join(ways, ", ") + "]"
	}
	way := policyName(s.Column)
	if s.Path != nil {
		way += " -> " + c.leadsTo(s.Path.Target, s.Path.Key)
	}
	way = yamlText(way)
	var more string
	switch s.Null {
	case policy.NullVisible:
		more += ", null: visible"
	case policy.NullRead:
		more += ", null: read"
	}
	if s.Generated {
		more += ", generated: true"
	}
	if more == "" {
		return way
	}
	return "{column: " + way + more + "}"
}

// leadsTo returns the target of a path or reference.
func (c *checker) leadsTo(t *policy.Table, key string) string {
	if key == "id" {
		return c.entryName(t)
	}
	return c.entryName(t) + "(" + policyName(key) + ")"
}

// changed returns a copy of a table's entry, to be changed.
func changed(t *policy.Table) *policy.Table {
	copied := *t
	copied.Scopings = slices.Clone(t.Scopings)
	copied.References = slices.Clone(t.References)
	return &copied
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9_$\x80-\x{10ffff}]+$`)
	plainYAML = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$.]*(\([A-Za-z0-9_]+\))?( -> [A-Za-z0-9_$.]+(\([A-Za-z0-9_]+\))?)?$`)
	otherYAML = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)
)

// policyName returns a name as the policy file spells it, before YAML's quotes.
func policyName(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// yamlText returns text as a scalar of YAML.
func yamlText(text string) string {
	if plainYAML.MatchString(text) && !otherYAML.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
