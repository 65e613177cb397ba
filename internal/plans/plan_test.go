package plans_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A plan is a node of the server's plan and those below it, as EXPLAIN (FORMAT
// JSON) describes them.
type plan struct {
	properties map[string]any
	children   []*plan
}

func (p *plan) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &p.properties); err != nil {
		return err
	}
	var below struct{ Plans []*plan }
	err := json.Unmarshal(data, &below)
	p.children = below.Plans
	return err
}

// property returns a property of a node, empty where it has none.
func (p *plan) property(name string) string {
	value, ok := p.properties[name]
	if list, isList := value.([]any); isList {
		items := make([]string, len(list))
		for i, item := range list {
			items[i] = fmt.Sprint(item)
		}
		return strings.Join(items, ", ")
	}
	if !ok || value == false {
		return ""
	}
	return fmt.Sprint(value)
}

// each calls visit for the node and all below it.
func (p *plan) each(visit func(*plan)) {
	visit(p)
	for _, child := range p.children {
		child.each(visit)
	}
}

// aliases returns the tables of the plan by the names that it has for them.
func (p *plan) aliases() map[string]string {
	found := map[string]string{}
	p.each(func(p *plan) {
		if alias := p.property("Alias"); alias != "" {
			found[alias] = p.property("Relation Name")
		}
	})
	return found
}

// partitions returns how many partitions of the table event are scanned.
func (p *plan) partitions() int {
	scanned := map[string]bool{}
	p.each(func(p *plan) {
		if table := p.property("Relation Name"); partition.MatchString(table) && p.property("Operation") == "" {
			scanned[table] = true
		}
	})
	return len(scanned)
}

var partition = regexp.MustCompile(`^event_\d+$`)

// see notes the kinds of nodes, joins and properties of a plan.
func (p *plan) see(seen map[string]bool) {
	p.each(func(p *plan) {
		seen[p.property("Node Type")] = true
		seen[p.property("Join Type")] = true
		for name := range p.properties {
			seen[name] = true
		}
	})
}

// What makes two nodes the same node. Costs are no part of it, nor is what
// follows from the rest.
var (
	kinds      = []string{"Parent Relationship", "Partial Mode", "Strategy", "Operation", "Command", "Node Type", "Join Type", "Scan Direction"}
	conditions = []string{"Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "One-Time Filter",
		"Conflict Filter", "Sort Key", "Presorted Key", "Group Key", "Cache Key"}
	others = []string{"Parallel Aware", "Workers Planned", "Inner Unique", "Conflict Resolution", "Conflict Arbiter Indexes",
		"Subplans Removed", "CTE Name", "Function Name"}
)

// texts returns the texts of two plans, with a line for each node and for each
// of its conditions, which are equal where the plans are. What both call the
// same keeps its name, else it has that of its table.
func texts(a, b *plan, ofA, ofB execution) (string, string) {
	namesOfA, namesOfB := a.aliases(), b.aliases()
	return a.text(namer{namesOfA, namesOfB, ofA.parameters}), b.text(namer{namesOfB, namesOfA, ofB.parameters})
}

// A namer replaces the names in a plan by those that it has in common with another.
type namer struct {
	own, other map[string]string // the tables by alias
	parameters *strings.Replacer
}

func (n namer) alias(alias string) string {
	if table := n.own[alias]; table != "" && n.other[alias] != table {
		return table
	}
	return alias
}

var qualifier = regexp.MustCompile(`\b[a-z_][a-z0-9_]*\.`)

func (n namer) condition(s string) string {
	return qualifier.ReplaceAllStringFunc(n.parameters.Replace(s), func(name string) string {
		name = strings.TrimSuffix(name, ".")
		if len(n.own) == 1 && n.own[name] != "" {
			return "" // the server leaves it out where the query knows no other
		}
		return n.alias(name) + "."
	})
}

func (p *plan) text(names namer) string {
	var b strings.Builder
	p.write(&b, "", names)
	return b.String()
}

func (p *plan) write(b *strings.Builder, indent string, names namer) {
	var words []string
	for _, name := range kinds {
		if value := p.property(name); value != "" && value != "Forward" && value != "Plain" && value != "Simple" {
			words = append(words, value)
		}
	}
	if index := p.property("Index Name"); index != "" {
		words = append(words, "using", index)
	}
	if table := p.property("Relation Name"); table != "" {
		words = append(words, "on", table)
		if alias := names.alias(p.property("Alias")); alias != table {
			words = append(words, alias)
		}
	}
	fmt.Fprintf(b, "%s%s\n", indent, strings.Join(words, " "))
	for _, name := range conditions {
		if value := p.property(name); value != "" {
			fmt.Fprintf(b, "%s    %s: %s\n", indent, name, normal(names.condition(value)))
		}
	}
	for _, name := range others {
		if value := p.property(name); value != "" {
			fmt.Fprintf(b, "%s    %s: %s\n", indent, name, value)
		}
	}
	for _, child := range p.children {
		child.write(b, indent+"  ", names)
	}
}

var (
	casts    = regexp.MustCompile(`::(timestamp with time zone|double precision|[a-z0-9_]+)(\[\])?`)
	subplans = regexp.MustCompile(`\b(SubPlan|InitPlan) \d+`)
)

// normal writes a condition without casts and numbers of subplans, its
// conjuncts, alternatives and the sides of an equality in order.
func normal(condition string) string {
	condition = casts.ReplaceAllString(condition, "")
	condition = subplans.ReplaceAllString(condition, "$1")
	return ordered(condition)
}

func ordered(condition string) string {
	condition = unwrapped(condition)
	for _, separator := range []string{" AND ", " OR ", " = "} {
		parts := split(condition, separator)
		if len(parts) == 1 || separator == " = " && len(parts) != 2 {
			continue
		}
		for i, part := range parts {
			parts[i] = ordered(part)
		}
		slices.Sort(parts)
		return "(" + strings.Join(parts, separator) + ")"
	}
	return condition
}

// unwrapped removes brackets around all of a condition.
func unwrapped(s string) string {
	for strings.HasPrefix(s, "(") && closing(s) == len(s)-1 {
		s = s[1 : len(s)-1]
	}
	return s
}

// closing returns where the bracket at the beginning of s is closed.
func closing(s string) int {
	end := -1
	scan(s, func(i, depth int) {
		if end < 0 && depth == 0 && s[i] == ')' {
			end = i
		}
	})
	return end
}

// split splits s where a separator stands outside brackets and quotes.
func split(s, separator string) []string {
	var parts []string
	start := 0
	scan(s, func(i, depth int) {
		if depth == 0 && i >= start && strings.HasPrefix(s[i:], separator) {
			parts = append(parts, s[start:i])
			start = i + len(separator)
		}
	})
	return append(parts, s[start:])
}

// scan calls visit with each place outside quotes, and how many brackets are open
// behind it.
func scan(s string, visit func(i, depth int)) {
	depth, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case quoted:
			continue
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		}
		if !quoted {
			visit(i, depth)
		}
	}
}
