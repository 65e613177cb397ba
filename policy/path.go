package policy

import (
	"fmt"
	"strings"
)

// resolvePaths points every path to the scoping of its target, and reports
// those that lead nowhere or in a circle.
func (l *loader) resolvePaths() {
	targets := map[*Scoping]*target{}
	for _, e := range l.entries {
		for i := range e.table.Scopings {
			if s, t := &e.table.Scopings[i], e.targets[i]; t != nil {
				s.Path = l.path(e, s, t)
				targets[s] = t
			}
		}
	}
	// Every scoping has at most one path, so a walk from each, which stops where
	// an earlier one has been, finds every circle once.
	walks := map[*Scoping]int{}
	for i, e := range l.entries {
		for j := range e.table.Scopings {
			s := &e.table.Scopings[j]
			for s != nil && s.Path != nil && walks[s] == 0 {
				walks[s] = i + 1
				s = s.Path.Via
			}
			if s != nil && s.Path != nil && walks[s] == i+1 {
				l.cycle(s, targets)
			}
		}
	}
}

// path resolves the target of a scoping of e, or reports why it cannot.
func (l *loader) path(e *tableEntry, s *Scoping, t *target) *Path {
	d := s.Dimension.Name
	to := l.byName[t.name]
	name := l.short(t.name)
	var message, hint string
	switch {
	case to == nil && l.policy.matchPattern(t.name.schema, t.name.name) != nil:
		message = fmt.Sprintf("the path leads to %s, which only a pattern covers", name)
		hint = fmt.Sprintf("list it by its name, such as %s: {%s: column}", name, d)
	case to == nil:
		message = fmt.Sprintf("the path leads to %s, which is not listed under tables", name)
		hint = l.suggestTable(t.name, fmt.Sprintf("list it, such as %s: {%s: column}", name, d))
	case to.broken:
		return nil
	case to.table.Access == Denied:
		message = fmt.Sprintf("the path leads to %s, which is denied", name)
		hint = fmt.Sprintf("scope %s on %s, or write denied here too", name, d)
	case to.table.Access != Scoped:
		message = fmt.Sprintf("the path leads to %s, which is shared: everybody sees its rows", name)
		hint = fmt.Sprintf("scope %s on %s, or write shared here too", name, d)
	default:
		for i := range to.table.Scopings {
			if via := &to.table.Scopings[i]; via.Dimension == s.Dimension {
				return &Path{Target: to.table, Key: t.key, Via: via}
			}
		}
		message = fmt.Sprintf("the path leads to %s, which is not scoped on %s", name, d)
		hint = fmt.Sprintf("add %s to the entry of %s", d, name)
	}
	l.fail(t.node, message, hint)
	return nil
}

// cycle reports a circle of paths that s is part of, at the one of its tables
// that the file lists first.
func (l *loader) cycle(s *Scoping, targets map[*Scoping]*target) {
	first, at := s, targets[s].node
	for x := s.Path.Via; x != s; x = x.Path.Via {
		if n := targets[x].node; n.line < at.line || n.line == at.line && n.column < at.column {
			first, at = x, n
		}
	}
	var names []string
	for x := first; ; x = x.Path.Via {
		names = append(names, l.short(targets[x].name))
		if x.Path.Via == first {
			break
		}
	}
	d := s.Dimension.Name
	if len(names) == 1 {
		l.fail(at, fmt.Sprintf("the path leads from %s to itself", names[0]),
			fmt.Sprintf("scope it on %s by a column of its own or through another table", d))
		return
	}
	last := names[len(names)-1]
	l.fail(at, fmt.Sprintf("the paths lead in a circle: %s -> %s", last, strings.Join(names, " -> ")),
		fmt.Sprintf("scope one of these tables on %s by a column of its own", d))
}

// short spells a name as an entry of tables would.
func (l *loader) short(q qname) string {
	if q.schema == l.policy.searchPath[0] {
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
