package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// A tableEntry is one entry of tables.
type tableEntry struct {
	name       qname // qualified
	table      *Table
	targets    [][]*target // of the alternatives of table.Scopings, nil where one has no path
	references []*target   // of table.References
	broken     bool        // has mistakes, so nothing follows from what it lacks
}

// A target is what a path leads to, before it is resolved.
type target struct {
	name qname
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
	t := &tableEntry{broken: err != nil, table: &Table{Name: q.name, Line: e.key.line, Column: e.key.column}}
	l.tableValue(t, e.value)
	if err != nil {
		return
	}
	q = l.place(q, t.table, e.key)
	t.name, t.table.Schema = q, q.schema
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

// place gives the name of an entry its schema: the template where the table lives
// in many.
func (l *loader) place(q qname, t *Table, key *node) qname {
	if t.In == nil {
		q = l.qualify(q)
		if d := l.policy.Template(q.schema); d != nil && t.Access != Denied {
			l.fail(key, fmt.Sprintf("the schema %s is the template of %s", quoteName(q.schema), d.Name), fmt.Sprintf("add %s: schema to the entry", d.Name))
		}
		return q
	}
	template := t.In.Schemas.Template
	if q.schema != "" && q.schema != template {
		l.fail(key, fmt.Sprintf("the table lies in the schemas of %s, and not in %s", t.In.Name, quoteName(q.schema)), "leave the schema out")
	}
	q.schema = template
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
		targets []*target
	}
	var scopings []scoping
	seen := map[string]*node{}
	failures := len(l.errs)
	for _, e := range n.entries {
		if !l.freshKey(seen, e) {
			continue
		}
		name := e.key.text
		switch d := l.policy.Dimension(name); {
		case name == "shared":
			l.sharedMapping(t, n, e.value)
		case name == "where":
			l.where(t, e)
		case name == "references":
			l.references(t, e.value)
		case name == "view":
			t.table.View = l.truth(e.value, "view")
		case name == "barrier":
			l.barrier(t, e.value)
		case d != nil && d.Schemas != nil && e.value.kind == text && e.value.text == "schema":
			if in := t.table.In; in != nil {
				l.fail(e.key, fmt.Sprintf("the table lies in the schemas of %s already", in.Name), "remove one of the two")
			}
			t.table.In = d
		case d == nil:
			l.fail(e.key, fmt.Sprintf("unknown dimension %q", name), didYouMean(name, l.dimensionNames(), "list it under dimensions"))
		default:
			if s, targets, ok := l.scoping(d, e.value); ok {
				s.Line = e.key.line
				scopings = append(scopings, scoping{s, targets})
			}
		}
	}
	switch {
	case len(n.entries) == 0:
		l.fail(n, "the table's entry is empty", tableForms)
	case len(l.errs) > failures || t.table.Access != Scoped:
	case t.table.In != nil:
		if t.table.View && len(scopings) == 0 && (t.table.Where != nil || len(t.table.References) > 0) {
			l.fail(n, "what is written to the view cannot be checked, as the policy names no column of it", "remove where and references, or put them on its tables")
		}
	case len(scopings) == 0:
		l.fail(n, "the table is scoped on no dimension", "add one, such as site: site_id; or write shared, of which a view can show a part")
	case !slices.ContainsFunc(scopings, func(s scoping) bool { return !s.Dimension.Optional }):
		l.fail(n, "the table is scoped on optional dimensions only, without which everybody would see all of it",
			"scope it on another dimension too, or make one of these not optional")
	}
	slices.SortFunc(scopings, func(a, b scoping) int {
		return cmp.Compare(a.Dimension.Index, b.Dimension.Index)
	})
	for _, s := range scopings {
		t.table.Scopings = append(t.table.Scopings, s.Scoping)
		t.targets = append(t.targets, s.targets)
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

// where reads a condition that always applies.
func (l *loader) where(t *tableEntry, e entry) {
	n, check := e.value, true
	if n.kind == mapping {
		fields := l.fields(n, "where", whereKeys)
		if c := fields["check"]; c != nil {
			check = l.truth(c, "check")
		}
		if n = cmp.Or(fields["condition"], &node{kind: null, line: n.line, column: n.column}); n.kind == null {
			l.fail(n, "where has no condition", "write where: {condition: deleted_at IS NULL, check: false}")
			return
		}
	}
	if !l.expect(n, text, "a condition", conditionForms) {
		return
	}
	condition, err := newCondition(n.text)
	if err != nil {
		l.fail(n, err.Error(), conditionForms)
		return
	}
	condition.Check, condition.Line = check, e.key.line
	t.table.Where = condition
}

// references reads the columns whose rows must be visible when they are written.
func (l *loader) references(t *tableEntry, n *node) {
	const forms = "write references: {post_id: post} or {post_id: post(key)}"
	if !l.expect(n, mapping, "references", forms) {
		return
	}
	seen := map[string]*node{}
	for _, e := range n.entries {
		if !l.freshKey(seen, e) || !l.expect(e.value, text, "a reference", forms) {
			continue
		}
		column, err := parseName(e.key.text)
		if err != nil {
			l.fail(e.key, err.Error(), nameHint(e.key.text))
			continue
		}
		to, key, err := parseTarget(e.value.text)
		if err != nil {
			l.fail(e.value, err.Error(), forms)
			continue
		}
		t.table.References = append(t.table.References, Reference{Column: column, Key: key, Line: e.key.line})
		t.references = append(t.references, &target{name: *to, key: key, node: e.value})
	}
}

func (l *loader) barrier(t *tableEntry, n *node) {
	if n.kind != text || n.text != "always" && n.text != "auto" {
		l.fail(n, "a barrier is always or auto", "auto, the default, puts one where a condition could fail on another scope's row")
		return
	}
	t.table.Barrier = n.text == "always"
}

func (l *loader) dimensionNames() []string {
	names := make([]string, len(l.policy.dimensions))
	for i, d := range l.policy.dimensions {
		names[i] = d.Name
	}
	return names
}

const scopingForms = "write column, column -> table or column -> table(key)"

// scoping reads the value of a dimension in a table's entry. The targets are
// those of its alternatives.
func (l *loader) scoping(d *Dimension, n *node) (s Scoping, targets []*target, ok bool) {
	switch n.kind {
	case sequence:
		return l.eitherOf(d, n)
	case mapping:
		return l.described(d, n)
	}
	s, t, ok := l.oneWay(d, n, "a scoping")
	return s, []*target{t}, ok
}

// described reads a column or path, and what else is to be said of it.
func (l *loader) described(d *Dimension, n *node) (s Scoping, targets []*target, ok bool) {
	const forms = "write {column: site_id, null: visible}, or null: read for rows that only disabled scopes write"
	failures := len(l.errs)
	for _, e := range n.entries {
		if e.key.kind == null && e.key.text == "null" { // to YAML that is no text
			e.key.kind = text
		}
	}
	fields := l.fields(n, "the scoping", wayKeys)
	column := fields["column"]
	if column == nil {
		l.fail(n, "the scoping has no column", forms)
		return s, nil, false
	}
	s, t, ok := l.oneWay(d, column, "a column")
	if n := fields["null"]; n != nil {
		switch {
		case n.kind == text && n.text == "visible":
			s.Null = NullVisible
		case n.kind == text && n.text == "read":
			s.Null = NullRead
		case n.kind != text || n.text != "hidden":
			l.fail(n, "null is visible, read or hidden", forms)
		}
	}
	if n := fields["generated"]; n != nil {
		s.Generated = l.truth(n, "generated")
	}
	return s, []*target{t}, ok && len(l.errs) == failures
}

// oneWay reads a column or a path.
func (l *loader) oneWay(d *Dimension, n *node, what string) (s Scoping, t *target, ok bool) {
	if !l.expect(n, text, what, scopingForms) {
		return Scoping{}, nil, false
	}
	column, to, key, err := parseScoping(n.text)
	if err != nil {
		l.fail(n, err.Error(), scopingForms)
		return Scoping{}, nil, false
	}
	if to != nil {
		t = &target{name: *to, key: key, node: n}
	}
	return Scoping{Dimension: d, Column: column, Line: n.line}, t, true
}

// eitherOf reads a list of columns and paths, any of which makes a row visible.
func (l *loader) eitherOf(d *Dimension, n *node) (s Scoping, targets []*target, ok bool) {
	failures := len(l.errs)
	if len(n.items) < 2 {
		message, hint := "the list is empty", "write [column, column -> table], two of them or more"
		if len(n.items) == 1 {
			message, hint = "the list has one item", "write it without the brackets, or add another way to the row"
		}
		l.fail(n, message, hint)
	}
	type way struct {
		column string
		target qname
		key    string
	}
	seen := map[way]bool{}
	s.Dimension = d
	for _, item := range n.items {
		one, t, ok := l.oneWay(d, item, "an item of the list")
		if !ok {
			continue
		}
		w := way{column: one.Column}
		if t != nil {
			w.target, w.key = l.qualify(t.name), t.key
		}
		if seen[w] {
			l.fail(item, fmt.Sprintf("%q is in the list twice", item.text), "remove one of the two")
			continue
		}
		seen[w] = true
		s.Any = append(s.Any, one)
		targets = append(targets, t)
	}
	return s, targets, len(l.errs) == failures
}
