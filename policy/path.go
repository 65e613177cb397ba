package policy

import (
	"fmt"
	"strings"
)

// maxWays bounds the ways, over columns and paths, from a table to the values of
// one dimension. Each becomes a part of the table's guard, and lists of paths that
// follow one another multiply them.
const maxWays = 100

// resolvePaths points every path to the scoping of its target, and reports
// those that lead nowhere, in a circle or on too many ways.
func (l *loader) resolvePaths() {
	targets := map[*Scoping]*target{}
	for _, e := range l.entries {
		l.qualifyTargets(e)
		for i := range e.table.Scopings {
			for j, s := range e.table.Scopings[i].alternatives() {
				if t := e.targets[i][j]; t != nil {
					s.Path = l.path(e, s, t)
					targets[s] = t
				}
			}
		}
		for i, t := range e.references {
			e.table.References[i].Target = l.reference(e, t)
		}
	}
	failures := len(l.errs)
	c := &circles{loader: l, targets: targets, depth: map[*Scoping]int{}}
	for _, e := range l.entries {
		for i := range e.table.Scopings {
			if s := &e.table.Scopings[i]; c.depth[s] == 0 {
				c.walk(s)
			}
		}
	}
	if len(l.errs) > failures {
		return
	}
	ways := map[*Scoping]int{}
	for _, e := range l.entries {
		for i := range e.table.Scopings {
			l.countWays(e, &e.table.Scopings[i], ways)
		}
	}
}

// countWays reports a scoping of e that has too many ways, unless it leads to
// one that has.
func (l *loader) countWays(e *tableEntry, s *Scoping, ways map[*Scoping]int) {
	if waysOf(s, ways) <= maxWays {
		return
	}
	for _, a := range s.alternatives() {
		if a.Path != nil && ways[a.Path.Via] > maxWays {
			return
		}
	}
	l.fail(&node{line: e.table.Line, column: e.table.Column},
		fmt.Sprintf("there are %d ways from %s to its %s, the most is %d", ways[s], l.short(e.name), s.Dimension.Name, maxWays),
		"let fewer lists of paths follow one another")
}

func waysOf(s *Scoping, ways map[*Scoping]int) int {
	if n, ok := ways[s]; ok {
		return n
	}
	n := 0
	for _, a := range s.alternatives() {
		if a.Path == nil {
			n++
		} else {
			// More than maxWays are counted as one more, so that no number overflows.
			n += min(waysOf(a.Path.Via, ways), maxWays+1)
		}
	}
	ways[s] = n
	return n
}

// path resolves the target of a scoping of e, or reports why it cannot.
func (l *loader) path(e *tableEntry, s *Scoping, t *target) *Path {
	d := s.Dimension.Name
	to := l.target(e, t, "the path leads", d)
	if to == nil {
		return nil
	}
	for i := range to.Scopings {
		if via := &to.Scopings[i]; via.Dimension == s.Dimension {
			return &Path{Target: to, Key: t.key, Via: via}
		}
	}
	name := l.short(t.name)
	l.fail(t.node, fmt.Sprintf("the path leads to %s, which is not scoped on %s", name, d), fmt.Sprintf("add %s to the entry of %s", d, name))
	return nil
}

// qualifyTargets gives the targets of e without a schema the one that their names
// mean: that of e where it lies in many schemas, and the table is listed there.
func (l *loader) qualifyTargets(e *tableEntry) {
	qualify := func(t *target) {
		if t == nil || t.name.schema != "" {
			return
		}
		if in := e.table.In; in != nil {
			if q := (qname{schema: in.Schemas.Template, name: t.name.name}); l.byName[q] != nil {
				t.name = q
				return
			}
		}
		t.name = l.qualify(t.name)
	}
	for _, targets := range e.targets {
		for _, t := range targets {
			qualify(t)
		}
	}
	for _, t := range e.references {
		qualify(t)
	}
}

// reference resolves the target of a reference of e, or reports why it cannot.
func (l *loader) reference(e *tableEntry, t *target) *Table {
	dimension := "dimension" // where there is none, which is a mistake of its own
	if len(l.policy.dimensions) > 0 {
		dimension = l.policy.dimensions[0].Name
	}
	return l.target(e, t, "the reference leads", dimension)
}

// target resolves what leads from e to a table that has to be scoped.
func (l *loader) target(e *tableEntry, t *target, leads, dimension string) *Table {
	to := l.byName[t.name]
	name := l.short(t.name)
	var message, hint string
	switch {
	case to == nil && l.policy.matchPattern(t.name.schema, t.name.name) != nil:
		message = fmt.Sprintf("%s to %s, which only a pattern covers", leads, name)
		hint = fmt.Sprintf("list it by its name, such as %s: {%s: column}", name, dimension)
	case to == nil:
		message = fmt.Sprintf("%s to %s, which is not listed under tables", leads, name)
		hint = l.suggestTable(t.name, fmt.Sprintf("list it, such as %s: {%s: column}", name, dimension))
	case to.broken:
		return nil
	case to.table.Access == Denied:
		message = fmt.Sprintf("%s to %s, which is denied", leads, name)
		hint = fmt.Sprintf("scope %s on %s, or write denied here too", name, dimension)
	case to.table.Access != Scoped:
		message = fmt.Sprintf("%s to %s, which is shared: everybody sees its rows", leads, name)
		hint = fmt.Sprintf("scope %s on %s, or write shared here too", name, dimension)
		if leads != "the path leads" {
			hint = "remove the reference: every row of it may be referred to"
		}
	case to.table.In != nil && to.table.In != e.table.In:
		message = fmt.Sprintf("%s to %s, which lies in many schemas, from a table that does not", leads, name)
		hint = fmt.Sprintf("add %s: schema to this entry too", to.table.In.Name)
	default:
		return to.table
	}
	l.fail(t.node, message, hint)
	return nil
}

// circles finds the circles of paths by a walk, depth first, that visits every
// scoping once. Two circles that share a path are one mistake, of which the first
// found is reported: there may be more of them than fit into memory.
type circles struct {
	*loader
	targets map[*Scoping]*target
	depth   map[*Scoping]int // from 1, of those on the way; -1 of those that were visited
	steps   []step           // the paths on the way
}

type step struct {
	*Scoping
	reported int // how many of the steps up to this one end with one in a reported circle
}

func (c *circles) walk(s *Scoping) {
	c.depth[s] = len(c.steps) + 1
	for _, a := range s.alternatives() {
		if a.Path == nil {
			continue
		}
		reported := 0
		if len(c.steps) > 0 {
			reported = c.steps[len(c.steps)-1].reported
		}
		c.steps = append(c.steps, step{a, reported})
		switch depth := c.depth[a.Path.Via]; {
		case depth == 0:
			c.walk(a.Path.Via)
		case depth > reported:
			for i := depth - 1; i < len(c.steps); i++ {
				c.steps[i].reported = i + 1
			}
			c.report(c.steps[depth-1:])
		}
		c.steps = c.steps[:len(c.steps)-1]
	}
	c.depth[s] = -1
}

// report reports a circle at the one of its paths that the file lists first.
func (c *circles) report(circle []step) {
	first := 0
	for i := range circle {
		n, at := c.targets[circle[i].Scoping].node, c.targets[circle[first].Scoping].node
		if n.line < at.line || n.line == at.line && n.column < at.column {
			first = i
		}
	}
	var names []string
	for i := range circle {
		names = append(names, c.short(c.targets[circle[(first+i)%len(circle)].Scoping].name))
	}
	at, d := c.targets[circle[first].Scoping].node, circle[first].Dimension.Name
	if len(names) == 1 {
		c.fail(at, fmt.Sprintf("the path leads from %s to itself", names[0]),
			fmt.Sprintf("scope it on %s by a column of its own or through another table", d))
		return
	}
	last := names[len(names)-1]
	c.fail(at, fmt.Sprintf("the paths lead in a circle: %s -> %s", last, strings.Join(names, " -> ")),
		fmt.Sprintf("scope one of these tables on %s by a column of its own", d))
}

// short spells a name as an entry of tables would.
func (l *loader) short(q qname) string {
	if q.schema == l.policy.searchPath[0] || l.policy.Template(q.schema) != nil {
		q.schema = ""
	}
	return q.String()
}

// suggestTable returns a hint at the table that q may be a misspelling of.
func (l *loader) suggestTable(q qname, otherwise string) string {
	for _, schema := range l.policy.searchPath {
		if other := (qname{schema: schema, name: q.name}); l.byName[other] != nil {
			return fmt.Sprintf("did you mean %q?", l.short(other))
		}
	}
	// Each suggestion compares with every table, which is only worth it while
	// somebody may read them.
	if len(l.errs) > 100 {
		return otherwise
	}
	var names []string
	for _, e := range l.entries {
		if !e.name.pattern {
			names = append(names, l.short(e.name))
		}
	}
	return didYouMean(l.short(q), names, otherwise)
}
