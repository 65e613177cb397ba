package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// A tableEntry is one entry of tables.
type tableEntry struct {
	name    qname // qualified
	table   *Table
	targets []*target // of table.Scopings, nil where one has no path
	broken  bool      // has mistakes, so nothing follows from what it lacks
}

// A target is what a path leads to, before it is resolved.
type target struct {
	name qname // qualified
	key  string
	node *node // of the scoping
}

const tableForms = "write shared, {shared: read}, denied, or a mapping such as {site: site_id}"

func (l *loader) tables(n *node) {
	if !l.expect(n, mapping, "tables", "write for example tables: {post: {site: site_id}}") {
		return
	}
	l.byName = map[qname]*tableEntry{}
	l.policy.tables = map[string]map[string]*Table{}
	for _, e := range n.entries {
		l.tableEntry(e)
	}
	l.resolvePaths()
}

func (l *loader) tableEntry(e entry) {
	if !l.expect(e.key, text, "a table's name", "quote it if it is a name") {
		return
	}
	q, err := parseQualified(e.key.text, true)
	if err != nil {
		l.fail(e.key, err.Error(), nameHint(e.key.text))
	}
	q = l.qualify(q)
	t := &tableEntry{name: q, broken: err != nil, table: &Table{
		Schema: q.schema, Name: q.name, Line: e.key.line, Column: e.key.column,
	}}
	l.tableValue(t, e.value)
	if err != nil {
		return
	}
	if q.pattern && systemSchema(q.schema) {
		l.fail(e.key, fmt.Sprintf("the pattern %s would cover tables of the system", q), "spell out their names")
		return
	}
	if first := l.byName[q]; first != nil {
		l.fail(e.key, fmt.Sprintf("the table %s is already listed on line %d", q, first.table.Line), "remove one of the two")
		return
	}
	l.byName[q] = t
	l.entries = append(l.entries, t)
	if q.pattern {
		g := newGlob(q.name)
		l.policy.patterns = append(l.policy.patterns, &pattern{schema: q.schema, glob: g, literals: g.literals(), table: t.table})
		return
	}
	if l.policy.tables[q.schema] == nil {
		l.policy.tables[q.schema] = map[string]*Table{}
	}
	l.policy.tables[q.schema][q.name] = t.table
}

// qualify gives a name without a schema the first one of the search path.
func (l *loader) qualify(q qname) qname {
	if q.schema == "" {
		q.schema = l.policy.searchPath[0]
	}
	return q
}

func (l *loader) tableValue(t *tableEntry, n *node) {
	failures := len(l.errs)
	switch n.kind {
	case text:
		switch n.text {
		case "shared":
			t.table.Access = Shared
		case "denied":
			t.table.Access = Denied
		default:
			l.fail(n, fmt.Sprintf("%q says nothing of a table", n.text), didYouMean(n.text, []string{"shared", "denied"}, tableForms))
		}
	case mapping:
		l.tableMapping(t, n)
	default:
		l.expect(n, mapping, "a table's entry", tableForms)
	}
	if len(l.errs) > failures {
		t.broken = true
	}
}

func (l *loader) tableMapping(t *tableEntry, n *node) {
	t.table.Access = Scoped
	type scoping struct {
		Scoping
		target *target
	}
	var scopings []scoping
	seen := map[string]*node{}
	for _, e := range n.entries {
		if !l.freshKey(seen, e) {
			continue
		}
		name := e.key.text
		switch d := l.policy.Dimension(name); {
		case name == "shared":
			l.sharedMapping(t, n, e.value)
		case slices.Contains(tableKeys.later, name):
			l.unsupported(e.key, name)
		case d == nil:
			l.fail(e.key, fmt.Sprintf("unknown dimension %q", name), didYouMean(name, l.dimensionNames(), "list it under dimensions"))
		default:
			if column, target, ok := l.scoping(e.value); ok {
				scopings = append(scopings, scoping{Scoping{Dimension: d, Column: column}, target})
			}
		}
	}
	if len(n.entries) == 0 {
		l.fail(n, "the table's entry is empty", tableForms)
	}
	slices.SortFunc(scopings, func(a, b scoping) int {
		return cmp.Compare(a.Dimension.Index, b.Dimension.Index)
	})
	for _, s := range scopings {
		t.table.Scopings = append(t.table.Scopings, s.Scoping)
		t.targets = append(t.targets, s.target)
	}
}

func (l *loader) sharedMapping(t *tableEntry, n, value *node) {
	if len(n.entries) > 1 {
		l.fail(value, "a table is either shared or scoped", "remove shared, or the dimensions")
		return
	}
	t.table.Access = SharedRead
	if value.kind != text || value.text != "read" {
		l.fail(value, "shared takes no other value than read", "write {shared: read}, or shared for a table that is also written")
	}
}

func (l *loader) dimensionNames() []string {
	names := make([]string, len(l.policy.dimensions))
	for i, d := range l.policy.dimensions {
		names[i] = d.Name
	}
	return names
}

// scoping reads the value of a dimension in a table's entry.
func (l *loader) scoping(n *node) (column string, t *target, ok bool) {
	const forms = "write column, column -> table or column -> table(key)"
	switch n.kind {
	case sequence:
		l.unsupported(n, "a list of columns, either of which may hold the value,")
		return "", nil, false
	case mapping:
		l.unsupported(n, "a mapping with column and null")
		return "", nil, false
	}
	if !l.expect(n, text, "a scoping", forms) {
		return "", nil, false
	}
	column, to, key, err := parseScoping(n.text)
	if err != nil {
		l.fail(n, err.Error(), forms)
		return "", nil, false
	}
	if to != nil {
		t = &target{name: l.qualify(*to), key: key, node: n}
	}
	return column, t, true
}
