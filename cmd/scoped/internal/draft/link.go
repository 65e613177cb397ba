package draft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/catalog"
)

// A link is how one table is tied to one dimension.
type link struct {
	scoping scoping
	to      *catalog.Table // where a path leads
	cost    cost
	why     string
	notes   []string
	hides   bool // rows in which its column is NULL

	optional bool // the dimension is

	// problem is why the table is denied nevertheless: the link is not certain,
	// or there is none although there should be. It may have no ways.
	problem string
}

// A cost says how good a link is. One over a table that somebody has to decide
// about is worse than one without, then one over columns that may be NULL, then
// a longer one.
type cost struct{ undecided, nullable, steps int }

func (c cost) compare(other cost) int {
	return cmp.Or(c.undecided-other.undecided, c.nullable-other.nullable, c.steps-other.steps)
}

// A linker finds the links of all tables to one dimension.
type linker struct {
	*proposer
	*dimension
	names map[string]bool   // what a column of the dimension's values may be called, folded
	holds map[column]string // the columns that hold such values by foreign keys, and by which
	links map[*catalog.Table]*link
}

// linksTo returns the link of each table that has one to the dimension.
func (p *proposer) linksTo(d *dimension) map[*catalog.Table]*link {
	l := &linker{proposer: p, dimension: d, names: map[string]bool{}, holds: map[column]string{}, links: map[*catalog.Table]*link{}}
	for t, listed := range p.listed {
		if s := listed.spec.on(d.name); s != nil {
			l.links[t] = l.given(t, s, map[*catalog.Table]bool{})
		}
	}
	l.addNames()
	if d.root != nil && l.links[d.root] == nil && p.listed[d.root] == nil {
		self := scoping{dimension: d.name, ways: []way{{column: d.key}}}
		l.links[d.root] = &link{scoping: self, why: fmt.Sprintf("the root of %s: a row sees itself", d.name)}
	}
	l.follow()
	for _, t := range p.tables {
		if l.links[t] == nil {
			l.ownColumn(t)
		}
	}
	l.paths()
	for _, k := range l.links {
		k.optional = d.optional
	}
	return l.links
}

// inOwn reports whether a table lies in the schemas of the dimension's values, so that
// no column of it is asked.
func (l *linker) inOwn(t *catalog.Table) bool { return l.schemas(t) == l.dimension }

// given returns the link that the policy has already.
func (l *linker) given(t *catalog.Table, s *scoping, above map[*catalog.Table]bool) *link {
	above[t] = true
	k := &link{scoping: *s}
	for _, w := range s.ways {
		of := cost{steps: 1}
		if c := t.Column(w.column); c == nil || !c.NotNull {
			of.nullable = 1
		}
		if to := l.db.table(w.to); to != nil && !above[to] && l.listed[to] != nil {
			if further := l.listed[to].spec.on(l.name); further != nil {
				k.to = to
				rest := l.given(to, further, above).cost
				of.nullable += rest.nullable
				of.steps += rest.steps
			}
		}
		if of.compare(k.cost) > 0 {
			k.cost = of
		}
	}
	delete(above, t)
	return k
}

// addNames learns what columns may be called after the dimension and its root.
func (l *linker) addNames() {
	nouns := []string{folded(l.name)}
	if l.root != nil {
		nouns = append(nouns, folded(l.root.Name), singular(folded(l.root.Name)))
	}
	key := folded(l.key)
	for _, noun := range nouns {
		l.names[noun+"id"] = true
		if key != "" {
			l.names[noun+key] = true
		}
		if strings.HasPrefix(key, noun) {
			l.names[key] = true
		}
	}
}

// follow finds the columns that hold the dimension's values because a foreign
// key, over others where need be, says so.
func (l *linker) follow() {
	var open []column
	if l.root != nil {
		open = append(open, column{l.root, l.key})
	}
	for _, t := range l.tables {
		k := l.links[t]
		if k != nil && len(k.scoping.ways) == 1 && k.to == nil && t != l.root {
			open = append(open, column{t, k.scoping.ways[0].column})
		}
	}
	for len(open) > 0 {
		known := open[0]
		open = open[1:]
		for _, r := range l.referring[known.table] {
			for i, key := range r.key.Keys {
				c := column{r.from, r.key.Columns[i]}
				if key != known.name || l.holds[c] != "" || known == c {
					continue
				}
				why := "foreign key to " + l.shown(known.table)
				if len(r.key.Keys) > 1 {
					why = fmt.Sprintf("foreign key (%s) to %s", strings.Join(r.key.Columns, ", "), l.shown(known.table))
				}
				l.holds[c] = why
				open = append(open, c)
			}
		}
	}
}

// ownColumn links a table by a column that holds the dimension's values, by a
// foreign key or, failing that, by its name and type.
func (l *linker) ownColumn(t *catalog.Table) {
	var best, byKey, notNull, all []*catalog.Column
	var misfit *catalog.Column
	for i := range t.Columns {
		c := &t.Columns[i]
		held, named := l.holds[column{t, c.Name}] != "", l.names[folded(c.Name)]
		if named && !held {
			named = !refersElsewhere(t, c.Name)
			if named && !l.comparable(l.db.typeOf(t, c)) {
				misfit, named = c, false
			}
		}
		if !held && !named {
			continue
		}
		all = append(all, c)
		if held {
			byKey = append(byKey, c)
			if c.NotNull {
				notNull = append(notNull, c)
			}
			if named {
				best = append(best, c)
			}
		}
	}
	var chosen *catalog.Column
	switch {
	case len(all) == 0 && misfit != nil:
		l.links[t] = &link{problem: fmt.Sprintf("%s is of type %s, and %s of type %s", misfit.Name, misfit.Type, l.name, l.typ)}
		return
	case len(all) == 0:
		return
	case len(best) == 1:
		chosen = best[0]
	case len(all) == 1:
		chosen = all[0]
	case len(best) == 0 && len(byKey) == len(all) && len(notNull) == 1:
		chosen = notNull[0]
	}
	either := scoping{dimension: l.name}
	for _, c := range all {
		either.ways = append(either.ways, way{column: c.Name})
	}
	if chosen == nil {
		l.links[t] = &link{
			scoping: either,
			cost:    cost{undecided: 1, steps: 1},
			problem: fmt.Sprintf("%s hold values of %s alike; name the one that decides, or write %s: %s for any of them",
				strings.Join(columnNames(all), ", "), l.name, scalar(l.name), l.spell.scoping(either)),
		}
		return
	}
	k := &link{
		scoping: scoping{dimension: l.name, ways: []way{{column: chosen.Name}}, generated: chosen.Generated != ""},
		cost:    cost{steps: 1},
		why:     l.holds[column{t, chosen.Name}],
	}
	if k.why == "" {
		k.why = "by the column's name and type, without a foreign key"
	}
	if !chosen.NotNull {
		k.cost.nullable = 1
		k.hides = true
	}
	if len(all) > 1 {
		k.notes = append(k.notes, fmt.Sprintf("Other columns hold values of %s too; %s: %s is for any of them.",
			l.name, scalar(l.name), l.spell.scoping(either)))
	}
	l.links[t] = k
}

// refersElsewhere reports whether a foreign key of this column alone exists.
func refersElsewhere(t *catalog.Table, column string) bool {
	return slices.ContainsFunc(t.ForeignKeys, func(f catalog.ForeignKey) bool {
		return len(f.Columns) == 1 && f.Columns[0] == column
	})
}

// An option is one step of a path.
type option struct {
	way
	to      *catalog.Table
	cost    cost // of the path that begins with it
	cascade bool
	valid   bool // all rows satisfy the foreign key
	place   int  // of the column in its table
}

// paths links tables by the best paths to those that are linked.
func (l *linker) paths() {
	costs := map[*catalog.Table]cost{} // of paths that lead over the table
	settled := map[*catalog.Table]bool{}
	var open []*catalog.Table // those whose costs are news to the tables that refer to them
	for t, k := range l.links {
		if len(k.scoping.ways) > 0 {
			costs[t], settled[t] = l.over(t, k.cost), true
			open = append(open, t)
		}
	}
	for len(open) > 0 {
		news := open[0]
		open = open[1:]
		for _, r := range l.referring[news] {
			if settled[r.from] || l.listed[r.from] != nil || l.inOwn(r.from) {
				continue
			}
			options := l.options(r.from, costs)
			if len(options) == 0 {
				continue
			}
			c := l.over(r.from, options[0].cost)
			if old, ok := costs[r.from]; !ok || c.compare(old) < 0 {
				costs[r.from] = c
				open = append(open, r.from)
			}
		}
	}
	for _, t := range l.tables {
		if settled[t] || l.listed[t] != nil || l.inOwn(t) {
			continue
		}
		k := l.path(t, l.options(t, costs))
		if k == nil {
			continue
		}
		if misfit := l.links[t]; misfit != nil {
			k.notes = append(k.notes, misfit.problem+".")
		}
		l.links[t] = k
	}
	for changed := true; changed; {
		changed = false
		for _, t := range l.tables {
			if problem := l.blocked(t); l.links[t] == nil && l.listed[t] == nil && !l.inOwn(t) && problem != "" {
				l.links[t] = &link{problem: problem}
				changed = true
			}
		}
	}
	for _, t := range l.tables {
		if k := l.links[t]; k != nil && k.to != nil && l.listed[t] == nil {
			l.explain(k)
		}
	}
}

// over returns the cost of a path that leads over t, whose own is given.
func (l *linker) over(t *catalog.Table, c cost) cost {
	if l.denied[t] && c.undecided == 0 {
		c.undecided = 1
	}
	return c
}

// options returns the first steps of all paths from a table, best first.
func (l *linker) options(t *catalog.Table, costs map[*catalog.Table]cost) []option {
	var options []option
	for i := range t.ForeignKeys {
		f := &t.ForeignKeys[i]
		to := l.db.table(tableName{f.Schema, f.Table})
		if to == nil || l.db.top(to) == t || !l.canLead(t, to) {
			continue
		}
		further, ok := costs[l.db.top(to)]
		if !ok {
			continue
		}
		for i, key := range f.Keys {
			if !to.IsUnique(key) {
				continue
			}
			o := option{way: way{f.Columns[i], nameOf(to), key}, to: to, cost: further,
				cascade: f.OnDelete == "cascade", valid: !f.NotValidated, place: place(t, f.Columns[i])}
			o.cost.steps++
			if !t.Columns[o.place].NotNull {
				o.cost.nullable++
			}
			options = append(options, o)
		}
	}
	slices.SortStableFunc(options, func(a, b option) int {
		cascade := 0
		if a.cascade != b.cascade {
			cascade = 1
			if a.cascade {
				cascade = -1
			}
		}
		return cmp.Or(a.cost.compare(b.cost), cascade, a.place-b.place, strings.Compare(a.way.to.schema, b.way.to.schema),
			strings.Compare(a.way.to.name, b.way.to.name), strings.Compare(a.key, b.key))
	})
	return options
}

// canLead reports whether paths may lead from one table to another: its keys are
// unique, and one that the policy lists already is scoped there.
func (l *linker) canLead(from, to *catalog.Table) bool {
	given := l.listed[to]
	return l.canBeTarget(from, to) && (given == nil || given.spec.on(l.name) != nil)
}

// path makes a link of the best of a table's options, and says what speaks for
// the others.
func (l *linker) path(t *catalog.Table, options []option) *link {
	if len(options) == 0 {
		return nil
	}
	best := options[0]
	c := t.Columns[best.place]
	k := &link{
		scoping: scoping{dimension: l.name, ways: []way{best.way}, generated: c.Generated != ""},
		to:      best.to,
		cost:    best.cost,
	}
	either := scoping{dimension: l.name, ways: []way{best.way}}
	var equal []string
	for _, o := range options[1:] {
		if o.cost.undecided > best.cost.undecided || slices.Contains(either.ways, o.way) {
			continue
		}
		either.ways = append(either.ways, o.way)
		if o.cost == best.cost {
			equal = append(equal, l.spell.way(o.way))
		}
	}
	if len(equal) > 0 {
		why := "the first column of the table is taken"
		if best.cascade && !options[1].cascade {
			why = "the one with ON DELETE CASCADE is taken"
		}
		k.notes = append(k.notes, fmt.Sprintf("As short is %s; %s. Choose the owner, should they ever disagree.", strings.Join(equal, " and "), why))
	}
	if !best.valid {
		k.notes = append(k.notes, "The foreign key is not validated: a row that refers to nothing would become that of whoever adds what it refers to.")
	}
	if !c.NotNull {
		k.hides = true
		if len(either.ways) > 1 && len(either.ways) <= 5 {
			k.notes = append(k.notes, fmt.Sprintf("For rows that belong by another column, write %s: %s.", scalar(l.name), l.spell.scoping(either)))
		}
	}
	return k
}

// explain says over which tables a path leads.
func (l *linker) explain(k *link) {
	const longest = 6
	var names []string
	undecided := ""
	for at := k; at != nil && at.to != nil; at = l.links[l.db.top(at.to)] {
		if len(names) == longest {
			names = append(names, "…")
			break
		}
		names = append(names, l.shown(at.to))
		if next := l.db.top(at.to); l.denied[next] || l.links[next].problem != "" {
			undecided = l.shown(at.to)
		}
	}
	k.why = "over " + strings.Join(names, ", ")
	if k.cost.undecided > 0 {
		k.problem = fmt.Sprintf("waits for %s, which you have to decide about; then it is %s: %s", undecided, scalar(l.name), l.spell.scoping(k.scoping))
	}
}

// blocked says why no path can begin in a table that refers to one that belongs
// to the dimension; nothing where it refers to none.
func (l *linker) blocked(t *catalog.Table) string {
	for _, f := range t.ForeignKeys {
		to := l.db.table(tableName{f.Schema, f.Table})
		if to == nil || l.db.top(to) == t || l.links[l.db.top(to)] == nil || l.reachesInto(t, to) {
			continue
		}
		switch {
		case len(l.links[l.db.top(to)].scoping.ways) == 0:
			return fmt.Sprintf("refers to %s, which is denied", l.shown(to))
		case l.db.inherited[to]:
			return fmt.Sprintf("refers to %s, whose keys are not unique over its children", l.shown(to))
		case !l.canLead(t, to):
			return fmt.Sprintf("refers to %s, which the policy lists by a pattern only: list it by its name", l.shown(to))
		}
		return fmt.Sprintf("refers to %s by (%s): a path needs one column whose key is unique alone; or add a column of %s",
			l.shown(to), strings.Join(f.Columns, ", "), l.name)
	}
	return ""
}

func place(t *catalog.Table, column string) int {
	return slices.IndexFunc(t.Columns, func(c catalog.Column) bool { return c.Name == column })
}

func columnNames(columns []*catalog.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}
