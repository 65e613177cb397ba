package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// table explains a reference to a table.
func (r *Report) table(ref rewrite.TableRef, source []string) Table {
	t := Table{Name: ref.Table, Access: ref.Access, Guard: ref.Guard, Lines: []Line{}, policy: tableOf(r.scope.Policy, ref.Table)}
	if t.policy == nil {
		t.Note = "it is PostgreSQL's own"
		return t
	}
	o := origins{shape: r.scope.Shape}
	o.table(t.policy)
	if t.Access != "read" {
		o.references(t.policy, r.inserted())
	}
	for _, number := range o.lines {
		t.Lines = append(t.Lines, Line{number, strings.TrimSpace(source[number-1])})
	}
	switch {
	case t.Guard != "":
	case t.policy.Access != policy.Scoped:
		t.Note = "it is shared"
	case t.policy.In != nil && len(t.policy.Scopings) == 0:
		t.Note = fmt.Sprintf("the scope on %q chooses its schema", t.policy.In.Name)
	case len(o.unrestricted) > 0:
		t.Note = "the scope is unrestricted on " + strings.Join(o.unrestricted, " and ")
	}
	return t
}

// tableOf returns the table of a qualified name, nil for one of PostgreSQL's own.
// Either part may have a dot in it.
func tableOf(p *policy.Policy, name string) *policy.Table {
	for i, r := range name {
		if r == '.' {
			if t := p.Table(name[:i], name[i+1:]); t != nil {
				return t
			}
		}
	}
	return nil
}

// origins are the lines of the policy that make a guard.
type origins struct {
	shape        rewrite.Shape
	lines        []int
	unrestricted []string // dimensions
}

func (o *origins) add(line int) {
	if !slices.Contains(o.lines, line) {
		o.lines = append(o.lines, line)
	}
}

func (o *origins) table(t *policy.Table) {
	o.add(t.Line)
	for i := range t.Scopings {
		s := &t.Scopings[i]
		switch presence := o.shape.Presence(s.Dimension); {
		case presence == rewrite.All:
			o.unrestricted = append(o.unrestricted, fmt.Sprintf("%q", s.Dimension.Name))
		case presence != rewrite.Absent || !s.Dimension.Optional:
			o.scoping(s)
		}
	}
	o.where(t)
}

func (o *origins) scoping(s *policy.Scoping) {
	o.add(s.Line)
	for _, way := range ways(s) {
		o.add(way.Line)
		if way.Path != nil {
			o.add(way.Path.Target.Line)
			o.scoping(way.Path.Via)
			o.where(way.Path.Target)
		}
	}
}

func (o *origins) where(t *policy.Table) {
	if t.Where != nil {
		o.add(t.Where.Line)
	}
}

// references adds those whose column is named by what was inserted: they are
// checked where a statement writes the column.
func (o *origins) references(t *policy.Table, inserted string) {
	for _, reference := range t.References {
		if strings.Contains(inserted, "."+quoted(reference.Column)) {
			o.add(reference.Line)
			o.table(reference.Target)
		}
	}
}

// ways returns the columns and paths of a scoping.
func ways(s *policy.Scoping) []policy.Scoping {
	if s.Any == nil {
		return []policy.Scoping{*s}
	}
	return s.Any
}
